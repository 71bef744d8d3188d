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
const known = new Map(cases.map((one) => [keyOf(one.shot(0).method, one.shot(0).path), one]));
const session = { GET: sessionOf(caller, { isReadOnly: true }), POST: sessionOf(caller) };

createServer((request, response) => {
  const { name, statement, status, values } = known.get(keyOf(request.method!, request.url!))!;
  const answer = (given: string): void => {
    database.once(session[request.method as 'GET' | 'POST'], { text: statement, name, values: values(given) }).then(
      ({ rows }) => {
        const body = Buffer.from(rows[0]?.[2] ?? '');
        response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length }).end(body);
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  };
  if (request.method === 'GET') return answer(/=eq\.(\d+)$/.exec(request.url!)?.[1] ?? '');
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => answer(Buffer.concat(chunks).toString()));
}).listen(Number(process.env['BENCH_PORT']), '127.0.0.1');
