import { createHash, randomBytes, randomUUID } from 'node:crypto';
import * as argon2 from '@node-rs/argon2';
import { cpuSeconds } from './cpu.ts';
import { load, type Measured, type Shot } from './load.ts';
import type { BenchStack, Section } from './stack.ts';

const password = 'correct horse battery staple';
const users = 40;

/** As `libs/auth/src/passwords.ts` has it; 2 is argon2id. */
const terms = { algorithm: 2 as argon2.Algorithm, memoryCost: 19_456, timeCost: 2, parallelism: 1 };

interface Row {
  readonly name: string;
  readonly perSecond: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly serverMicros: number | null;
  readonly databaseMicros: number | null;
  readonly aim: string;
}

/** What accounts cost: sign-ins against the bare hash, refreshes, and the check of a token. */
export async function benchSignIn(stack: BenchStack, seconds = 5): Promise<Section> {
  const bare = await bareHashes(seconds);
  const signIn = await signInShots(stack);
  const signIns = await measure(stack, 'sign-ins by password', 8, seconds, signIn);
  const refreshes = await measure(stack, 'refreshes', 16, seconds, await refreshShots(stack, Math.ceil(seconds * 6000)));
  const checks = await tokenChecks(stack, signIn);
  const rows: Row[] = [
    { name: 'bare argon2id, on one core', perSecond: bare, p50Ms: null, p99Ms: null, serverMicros: 1e6 / bare, databaseMicros: null, aim: '' },
    { ...signIns, aim: `${(signIns.perSecond / bare).toFixed(2)} of the bare hash; aim ≥ 0.85` },
    { ...refreshes, aim: 'aim ≥ 1,000' },
    ...checks,
  ];
  return {
    title: 'Sign-in',
    about:
      `Password sign-ins of ${users} users over 8 connections against argon2id (19 MiB, two passes) in the same threads and nothing else; refreshes of as many sessions over 16 connections, each one commit flushed to disk; ` +
      'and the proof of an ES256 token in the process alone, new and remembered. Server and database share one core.',
    head: ['What', 'per second', 'and so', 'p50 ms', 'p99 ms', 'CPU of the server, µs', 'of the database, µs'],
    rows: rows.map(({ name, perSecond, aim, p50Ms, p99Ms, serverMicros, databaseMicros }) => [name, perSecond.toFixed(0), aim, figure(p50Ms, 2), figure(p99Ms, 1), figure(serverMicros, 1), figure(databaseMicros, 0)]),
  };
}

/** Verified, not made: that is what a sign-in does, and it costs the same. */
async function bareHashes(seconds: number): Promise<number> {
  const hash = await argon2.hash(password, terms);
  const until = performance.now() + seconds * 1000;
  const began = performance.now();
  let done = 0;
  await Promise.all(Array.from({ length: 3 }, async () => {
    for (; performance.now() < until; done += 1) await argon2.verify(hash, password);
  }));
  return (done / (performance.now() - began)) * 1000;
}

async function measure(stack: BenchStack, name: string, connections: number, seconds: number, shot: (n: number) => Shot): Promise<Row> {
  const port = Number(stack.environment['PORT']);
  await load({ port, shot, status: 200, connections, seconds: 1 });
  const [server, database] = [cpuSeconds(stack.pids.api), cpuSeconds(stack.pids.postgres, { withChildren: true })];
  const { requests, perSecond, p50Ms, p99Ms }: Measured = await load({ port, shot, status: 200, connections, seconds });
  const micros = (now: number, before: number): number => ((now - before) / requests) * 1e6;
  return { name, perSecond, p50Ms, p99Ms, serverMicros: micros(cpuSeconds(stack.pids.api), server), databaseMicros: micros(cpuSeconds(stack.pids.postgres, { withChildren: true }), database), aim: '' };
}

async function signInShots({ url, environment }: BenchStack): Promise<(n: number) => Shot> {
  const emails = Array.from({ length: users }, () => `${randomUUID()}@example.com`);
  const key = environment['SERVICE_ROLE_KEY']!;
  for (const email of emails) {
    const answer = await fetch(`${url}/auth/v1/admin/users`, { method: 'POST', headers: { apikey: key, authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: JSON.stringify({ email, password, email_confirm: true }) });
    if (!answer.ok) throw new Error(`no user was made: ${await answer.text()}`);
  }
  return (n) => ({ method: 'POST', path: '/auth/v1/token?grant_type=password', headers: { apikey: environment['ANON_KEY']! }, body: JSON.stringify({ email: emails[n % users], password }) });
}

/** One session for each refresh, since the answer of the last one is not read. */
async function refreshShots({ database, environment }: BenchStack, count: number): Promise<(n: number) => Shot> {
  const tokens = Array.from({ length: count }, () => randomBytes(16).toString('base64url'));
  const digests = tokens.map((token) => createHash('sha256').update(token).digest('base64url'));
  await database.rows(
    `with given as (select gen_random_uuid() as id, token, (select id from auth.users order by id offset (n % $2) limit 1) as user_id from unnest($1::text[]) with ordinality as t (token, n)),
     sessions as (insert into auth.sessions (id, user_id, created_at, updated_at, aal) select id, user_id, now(), now(), 'aal1' from given),
     claims as (insert into auth.mfa_amr_claims (id, session_id, created_at, updated_at, authentication_method) select gen_random_uuid(), id, now(), now(), 'password' from given)
     insert into auth.refresh_tokens (token, user_id, session_id, revoked, created_at, updated_at) select token, user_id, id, false, now(), now() from given`,
    [digests, users],
  );
  await database.rows('analyze auth.sessions, auth.refresh_tokens, auth.mfa_amr_claims');
  return (n) => ({ method: 'POST', path: '/auth/v1/token?grant_type=refresh_token', headers: { apikey: environment['ANON_KEY']! }, body: JSON.stringify({ refresh_token: tokens[n % count] }) });
}

async function tokenChecks({ parts, environment, url }: BenchStack, shot: (n: number) => Shot): Promise<Row[]> {
  const settings = parts.readSettings(environment);
  const callers = new parts.Callers(await parts.Keyring.read(settings), settings);
  const { path, headers, body } = shot(0);
  const answer = await fetch(`${url}${path}`, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: body! });
  const { access_token: bearer } = (await answer.json()) as { access_token: string };
  const times = async (n: number, work: () => unknown): Promise<number> => {
    const began = performance.now();
    for (let i = 0; i < n; i += 1) await work();
    return (n / (performance.now() - began)) * 1000;
  };
  const settingsWithout = { ...settings, jwtCacheMaxEntries: 0 };
  const forgetful = new parts.Callers(await parts.Keyring.read(settings), settingsWithout);
  const credentials = { bearer, key: null };
  await callers.prove(credentials);
  const [fresh, known] = [await times(3000, () => forgetful.prove(credentials)), await times(200_000, () => callers.remembered(credentials))];
  const row = (name: string, perSecond: number): Row => ({ name, perSecond, p50Ms: null, p99Ms: null, serverMicros: 1e6 / perSecond, databaseMicros: null, aim: '' });
  return [row('proofs of a new token', fresh), row('proofs of a remembered one', known)];
}

function figure(value: number | null, digits: number): string {
  return value === null ? '' : value.toFixed(digits);
}
