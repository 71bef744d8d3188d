// Builds the images of docker/Dockerfile without Docker: each stage is a folder, COPY copies, RUN runs in it, on this machine's
// Linux and with Node 24. Then starts each target with nothing but its folder and the environment of compose.yaml, against
// servers of ours, and asks its health check.
//   node docker/check.mjs [--keep]
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, matchesGlob, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, removePostgres, startPostgres, startValkey } from '@mainstay/embedded';
import { parse as parseYaml } from 'yaml';
import { importBundled } from '../tools/bundle.mjs';
import { commandOf, copyOf, pairs, parseDockerfile } from '../tools/docker/dockerfile.mjs';

const root = dirname(import.meta.dirname);
const stages = parseDockerfile(readFileSync(join(root, 'docker/Dockerfile'), 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'mainstay-docker-'));
const built = new Map();
try {
  for (const stage of stages) built.set(stage.name, buildStage(stage));
  await startTargets(['api', 'worker']);
  console.log('Both targets build, start and are healthy.');
} finally {
  if (process.argv.includes('--keep')) console.log(`Kept ${folder}.`);
  else rmSync(folder, { recursive: true, force: true });
}

/** Carries out one stage; gives its folder, environment and commands. */
function buildStage({ name, base, steps }) {
  const image = join(folder, name);
  const from = built.get(base);
  if (from === undefined) mkdirSync(image, { recursive: true });
  else cpSync(from.image, image, { recursive: true, verbatimSymlinks: true });
  const state = { ...(from ?? { environment: {}, workdir: '/', user: 'root' }), image };
  for (const { instruction, text } of steps) {
    if (instruction === 'WORKDIR') mkdirSync(join(image, (state.workdir = text)), { recursive: true });
    else if (instruction === 'ENV') state.environment = { ...state.environment, ...pairs(text) };
    else if (instruction === 'COPY') copy(copyOf(text), join(image, state.workdir));
    else if (instruction === 'RUN') run(text, name, join(image, state.workdir), state.environment);
    else if (instruction === 'USER') state.user = text;
    else if (instruction === 'CMD') state.command = commandOf(text);
    else if (instruction === 'HEALTHCHECK') state.health = commandOf(text);
  }
  console.log(`${name}: ${Math.round(sizeOf(image) / 1024)} MB`);
  return state;
}

function copy({ from, sources, target }, workdir) {
  for (const source of sources) {
    const origin = from === null ? join(root, source) : join(built.get(from).image, source);
    const isFolder = statSync(origin).isDirectory();
    const destination = isFolder || !/(^\.|\/)$/.test(target) ? join(workdir, target) : join(workdir, target, source);
    mkdirSync(dirname(destination), { recursive: true });
    cpSync(origin, destination, { recursive: true, verbatimSymlinks: true, filter: (path) => from !== null || path === root || !isIgnored(relative(root, path)) });
  }
}

/** The patterns of .dockerignore that we use: names, and names at any depth. */
function isIgnored(path) {
  const patterns = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return patterns.some((pattern) => matchesGlob(path, pattern));
}

function run(command, name, cwd, environment) {
  console.log(`${name}: ${command}`);
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', command], { cwd, encoding: 'utf8', env: cleanEnvironment(environment), maxBuffer: 64 * 1024 ** 2 });
  if (status !== 0) throw new Error(`${name}: "${command}" ended with ${status}:\n${stdout}${stderr}`);
  console.log(`  ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

/** What a container would see: this Node in the first place, none of the surroundings, and the way to the registry. */
function cleanEnvironment(more) {
  const folders = process.env.PATH.split(delimiter).filter((part) => !part.includes('node_modules'));
  const network = Object.entries(process.env).filter(([name]) => /^(https?_proxy|no_proxy|node_extra_ca_certs|ssl_cert_file|npm_config_registry)$/i.test(name));
  return { ...Object.fromEntries(network), PATH: [dirname(process.execPath), ...folders].join(delimiter), HOME: process.env.HOME, ...more };
}

async function startTargets(targets) {
  const password = 'onlyForThisCheck1234';
  const [dbPort, queuePort, apiPort] = [await freePort(), await freePort(), await freePort()];
  const data = join(folder, 'servers/postgres');
  const postgres = await startPostgres({ folder: data, port: dbPort, password });
  const valkey = await startValkey({ port: queuePort, password });
  const { makeSecrets } = await importBundled('libs/auth/src/index.ts');
  const surroundings = {
    ...(await settingsOfCompose({ ...(await makeSecrets({ POSTGRES_PASSWORD: password })), VALKEY_PASSWORD: password })),
    DATABASE_URL: `postgresql://supabase_admin:${password}@127.0.0.1:${dbPort}/postgres`,
    REDIS_URL: `redis://:${password}@127.0.0.1:${queuePort}`,
    PORT: String(apiPort),
    HOST: '127.0.0.1',
  };
  const running = targets.map((target) => start(target, surroundings));
  try {
    for (const target of targets) await healthy(target, surroundings);
  } finally {
    for (const child of running) child.kill('SIGTERM');
    await Promise.all(running.map(({ ended }) => ended));
    await valkey.stop();
    await postgres.stop();
    // Where the database's user cannot enter the folder, its data are elsewhere.
    removePostgres(data);
  }
}

/** The environment that compose.yaml gives to api and worker, filled in from the secrets. */
async function settingsOfCompose(secrets) {
  const compose = parseYaml(readFileSync(join(root, 'docker/compose.yaml'), 'utf8'), { merge: true });
  return Object.fromEntries(
    Object.entries(compose.services.api.environment).map(([name, text]) => [
      name,
      String(text).replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (whole, variable, kind, rest) => secrets[variable] ?? (kind === '-' ? rest : fail(`${variable} is made by nobody`))),
    ]),
  );
}

function start(target, surroundings) {
  const { image, workdir, environment, command, user } = built.get(target);
  if (user === 'root') fail(`${target} runs as root`);
  const [program, ...args] = command;
  const child = spawn(program === 'node' ? process.execPath : program, args, { cwd: join(image, workdir), env: cleanEnvironment({ ...environment, ...surroundings }), stdio: ['ignore', 'inherit', 'inherit'] });
  child.ended = new Promise((resolve) => child.once('exit', resolve));
  return child;
}

async function healthy(target, surroundings) {
  const { image, workdir, environment, health } = built.get(target);
  if (health === undefined) fail(`${target} has no health check`);
  const [program, ...args] = health;
  for (let turn = 0; turn < 60; turn += 1) {
    const { status } = spawnSync(program === 'node' ? process.execPath : program, args, { cwd: join(image, workdir), env: cleanEnvironment({ ...environment, ...surroundings }) });
    if (status === 0) return console.log(`${target}: healthy`);
    await sleep(500);
  }
  fail(`${target} did not become healthy within 30 s`);
}

function sizeOf(path) {
  return existsSync(path) ? Number(spawnSync('du', ['-sk', path], { encoding: 'utf8' }).stdout.split('\t')[0]) : 0;
}

function fail(sentence) {
  throw new Error(sentence);
}
