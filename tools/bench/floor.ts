// The floor: a bare Node server that knows the four requests by heart. It parses nothing, verifies nothing and renders nothing;
// it sets role and claims and runs the same SQL in one round trip, as the data API does.
import { createServer } from 'node:http';
import { importBundled } from '../bundle.mjs';
import type * as Parts from './parts.ts';
import { cases, keyOf, owner } from './rest-cases.ts';
import { claimsOf } from './token.ts';

const { readSettings, makeDatabase, makeCaller, sessionOf } = (await importBundled('tools/bench/parts.ts')) as typeof Parts;
const database = makeDatabase(readSettings(process.env), 'authenticator');
const caller = makeCaller('user', claimsOf(owner));
const statements = new Map(cases.map(({ name, statement, status, shot }) => [keyOf(shot(0).method, shot(0).path), { text: statement, name: name.replaceAll(' ', '_'), status }]));

createServer((request, response) => {
  const { text, name, status } = statements.get(keyOf(request.method!, request.url!))!;
  const answer = (values: readonly unknown[]): void => {
    const session = sessionOf(caller, { settings: { 'request.method': request.method!, 'request.path': request.url! }, isReadOnly: request.method === 'GET' });
    database.once(session, { text, name, values }).then(
      ({ rows }) => {
        const body = Buffer.from(rows[0]?.[0] ?? '');
        response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length }).end(body);
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  };
  if (request.method === 'GET') {
    const id = /=eq\.(\d+)$/.exec(request.url!)?.[1];
    return answer(id === undefined ? [] : [id]);
  }
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => answer([Buffer.concat(chunks).toString()]));
}).listen(Number(process.env['BENCH_PORT']), '127.0.0.1');
