// `npm test`: lint, types, builds and then every spec, among them the fence, whatever fails on the way.
// The last line is the sum: `N passed, N failed, N skipped`. A check that is not a spec counts as one.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { delimiter, dirname, join, relative } from 'node:path';
import { build } from './build.mjs';

const root = dirname(import.meta.dirname);
const cache = 'node_modules/.cache/mainstay';
const projectsPerLint = 5;
const passed = [];
const failed = [];
const skipped = [];
/** Commands that Nx starts find their tools, and Node 24, in node_modules/.bin; no daemon is left behind, and no process is started for each plugin. */
const environment = { ...process.env, NX_DAEMON: process.env.NX_DAEMON ?? 'false', NX_ISOLATE_PLUGINS: 'false', PATH: [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter) };

if (Number(process.versions.node.split('.')[0]) < 24) {
  console.error(`This needs Node 24 and runs on ${process.version}: start it by "npm test", which brings the right one.`);
  process.exit(1);
}
process.chdir(root);
mkdirSync(cache, { recursive: true });
await checkGraph();
say('lint, types and builds of every project');
await inTwoLanes([...batches(projectFolders(), projectsPerLint).map((folders) => () => checkLint(folders)), checkTypes, checkBuilds]);
await runSpecs();
report();

/** Makes the graph of projects: without one in the cache, the lint rule about boundaries would keep silent. */
async function checkGraph() {
  const nx = await run('node_modules/nx/dist/bin/nx.js', ['show', 'projects'], environment);
  if (nx.code === 0) passed.push({ name: 'project graph' });
  else failed.push({ name: 'project graph', why: nx.printed });
}

/** Each task is one process that works: two of them keep two cores busy, and more would only wait for each other. */
async function inTwoLanes(tasks) {
  const lane = async () => {
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) await task();
  };
  await Promise.all([lane(), lane()]);
}

/**
 * ESLint over a few projects. `nx lint <project>` says the same, but each would build a program of types of its own and
 * take twice as long; and one ESLint over everything would keep all of their types in memory at once, which is more
 * than the 4 GB that Node allows itself.
 */
async function checkLint(folders) {
  const results = `${cache}/lint-${folders[0].replaceAll('/', '-')}.json`;
  rmSync(results, { force: true });
  const eslint = await run('node_modules/eslint/bin/eslint.js', [...folders, '--format', 'json', '--output-file', results], environment);
  if (!existsSync(results)) {
    failed.push({ name: `lint of ${folders.join(', ')}`, why: eslint.printed });
    return;
  }
  const problems = JSON.parse(readFileSync(results, 'utf8')).flatMap(({ filePath, messages }) => messages.map(({ line, message, ruleId }) => `${relative(root, filePath)}:${line} ${message} (${ruleId})`));
  countByFolder('lint', folders, problems, problems);
}

function projectFolders() {
  return [...['apps', 'libs'].flatMap((floor) => readdirSync(floor).map((name) => `${floor}/${name}`)), 'tools'];
}

function batches(values, size) {
  return values.length === 0 ? [] : [values.slice(0, size), ...batches(values.slice(size), size)];
}

/** What runs in a browser has options of its own; all else is one program, in which the types of each library are made once. */
async function checkTypes() {
  const browser = ['apps/console'];
  for (const [project, folders] of [['tsconfig.json', projectFolders().filter((folder) => !browser.includes(folder))], [browser[0], browser]]) {
    const tsc = await run('node_modules/@typescript/native/bin/tsc', ['-p', project, '--checkers', '1', '--pretty', 'false'], environment);
    const problems = tsc.printed.split('\n').filter((line) => line !== '');
    countByFolder('types', folders, problems, tsc.code === 0 ? [] : [`tsc ended with ${tsc.code}`, ...problems]);
  }
}

/** A folder passes if no problem is its own. What belongs to none of them fails by itself. */
function countByFolder(check, folders, problems, printed) {
  const own = (folder) => problems.filter((problem) => problem.startsWith(`${folder}/`));
  for (const folder of folders) {
    if (own(folder).length === 0) passed.push({ name: `${check} of ${folder}` });
    else failed.push({ name: `${check} of ${folder}`, why: own(folder).join('\n') });
  }
  if (printed.length > 0 && folders.every((folder) => own(folder).length === 0)) failed.push({ name: `${check} of ${folders.join(', ')}`, why: printed.join('\n') });
}

async function checkBuilds() {
  for (const app of ['api', 'worker', 'cli', 'console']) {
    await build([app]).then(
      () => passed.push({ name: `build of ${app}` }),
      (error) => failed.push({ name: `build of ${app}`, why: error.message }),
    );
  }
}

/** One Jest over all projects, so the servers start once. */
async function runSpecs() {
  say('specs');
  const results = `${cache}/specs.json`;
  rmSync(results, { force: true });
  const options = { ...environment, NODE_OPTIONS: [process.env.NODE_OPTIONS, '--experimental-vm-modules', '--disable-warning=ExperimentalWarning'].filter(Boolean).join(' ') };
  const jest = await run('node_modules/jest/bin/jest.js', ['--json', `--outputFile=${results}`], options, { isShown: true, endsOn: results });
  if (!existsSync(results)) {
    failed.push({ name: 'specs', why: `Jest ended with ${jest.code} before it had results; its message stands above.` });
    return;
  }
  const before = failed.length;
  countSpecs(JSON.parse(readFileSync(results, 'utf8')));
  if (jest.hung) failed.push({ name: 'specs', why: 'Jest did not end by itself: a server, a socket or a timer was left open (try --detectOpenHandles).' });
  else if (jest.code !== 0 && failed.length === before) failed.push({ name: 'specs', why: `Jest ended with ${jest.code} although no spec failed; its message stands above.` });
}

function countSpecs({ testResults }) {
  for (const file of testResults) {
    const path = relative(root, file.name);
    for (const { fullName, status, failureMessages } of file.assertionResults) {
      const spec = { name: `${path} › ${fullName}`, why: failureMessages.join('\n') };
      if (status === 'passed') passed.push(spec);
      else if (status === 'failed') failed.push(spec);
      else skipped.push(spec);
    }
    // A file that could not be run has no specs to count.
    if (file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed')) failed.push({ name: path, why: file.message });
  }
}

/**
 * Runs a script of node_modules on this very Node. Where `endsOn` names a file, the process has half a minute
 * from its appearance to end, then it is killed and called hung.
 */
function run(script, args, env, { isShown = false, endsOn = null } = {}) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, ...args], { env, stdio: isShown ? 'inherit' : ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    let hung = false;
    child.stdout?.on('data', (chunk) => (printed += chunk));
    child.stderr?.on('data', (chunk) => (printed += chunk));
    let seenAt = null;
    const watch = setInterval(() => {
      if (endsOn === null || !existsSync(endsOn)) return;
      seenAt ??= Date.now();
      if (Date.now() - seenAt < 30_000) return;
      hung = true;
      child.kill('SIGKILL');
    }, 1000);
    child.on('close', (code, signal) => {
      clearInterval(watch);
      resolve({ code: code ?? signal, printed, hung });
    });
  });
}

function report() {
  for (const { name } of skipped) console.log(`○ skipped: ${name}`);
  for (const { name, why } of failed) console.log(`✕ failed: ${name}${why ? `\n${indent(why)}` : ''}`);
  console.log(`${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}

/** Indented, without the frames of packages, and cut where only the log above can help. */
function indent(text) {
  const lines = text.trim().split('\n').filter((line) => !/^\s+at .*(node_modules|node:internal)/.test(line));
  return lines.slice(0, 25).map((line) => `    ${line}`).join('\n');
}

function say(what) {
  console.log(`\n── ${what}`);
}
