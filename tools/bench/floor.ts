// The floor: a bare Node server that knows the requests by heart. It parses nothing, verifies nothing and renders nothing; it
// sets role and claims and runs the same SQL in one round trip, as the data API does. It asks the dialect for that SQL once.
import { createServer } from 'node:http';
import { importBundled } from '../bundle.mjs';
import type * as Parts from './parts.ts';
import { cases, keyOf, owner, type Case } from './rest-cases.ts';
import { claimsOf } from './token.ts';

const { readSettings, makeDatabase, makeListener, makeCaller, sessionOf, SchemaKeeper, termsSource, parse, makePlan, compile } = (await importBundled('tools/bench/parts.ts')) as typeof Parts;
const settings = readSettings(process.env);
const database = makeDatabase(settings, 'authenticator');
const caller = makeCaller('user', claimsOf(owner));
const keeper = new SchemaKeeper(database, makeListener(settings, 'authenticator'), termsSource(settings));
await keeper.start();
const sessions = { read: sessionOf(caller, { isReadOnly: true }), write: sessionOf(caller) };

interface Known {
  readonly name: string;
  readonly status: number;
  readonly text: string;
  /** The values, given the id in the URL and the body. */
  readonly values: (id: string, body: string) => readonly unknown[];
}

const known = new Map(cases.map((one) => [keyOf(one.shot(0).method, one.shot(0).path, one.shot(0).body?.length ?? 0), learn(one)]));

function learn(one: Case): Known {
  const [first, second] = [statementOf(one, 1), statementOf(one, 2)];
  const { body } = one.shot(1);
  const places = first.values.map((value, i) => (value === body ? 'body' : value === second.values[i] ? null : 'id'));
  return { name: one.name.replaceAll(/\W/g, '_'), status: one.status, text: first.text, values: (id, text) => first.values.map((value, i) => (places[i] === 'body' ? text : places[i] === 'id' ? id : value)) };
}

function statementOf({ shot }: Case, n: number): { text: string; values: readonly unknown[] } {
  const { method, path, body, prefer } = shot(n);
  const [name, query = ''] = path.split('?') as [string, string?];
  const { cache, options } = keeper.current();
  const http = { method, path: name, query, headers: prefer === undefined ? {} : { prefer }, body: body === undefined ? null : Buffer.from(body) };
  const plan = makePlan(parse(http, options, { mayChooseTx: false }), cache, options);
  if (plan.kind === 'describe') throw new Error('the benchmarks describe nothing');
  return compile(plan).main;
}

createServer((request, response) => {
  const answer = (body: string): void => {
    const { name, status, text, values } = known.get(keyOf(request.method!, request.url!, body.length))!;
    const id = /=eq\.(\d+)$/.exec(request.url!)?.[1] ?? '';
    database.once(request.method === 'GET' ? sessions.read : sessions.write, { text, name, values: values(id, body) }).then(
      ({ rows }) => {
        const sent = Buffer.from(rows[0]?.[2] ?? '');
        response.writeHead(status, status === 204 ? {} : { 'content-type': 'application/json; charset=utf-8', 'content-length': sent.length }).end(sent);
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  };
  if (request.method === 'GET') return answer('');
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => answer(Buffer.concat(chunks).toString()));
}).listen(Number(process.env['BENCH_PORT']), '127.0.0.1');
