import { Agent, request as ask, type IncomingHttpHeaders } from 'node:http';
import { AuthModule, makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeListener } from '@mainstay/persistence';
import { RestService, SchemaKeeper, termsSource } from '@mainstay/rest';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { makeHttpServer } from './http-server.ts';
import { RestController } from './rest.controller.ts';
import { RestFilter } from './rest.filter.ts';

/** Another one makes other requests; a failure names its own. */
const seed = 20_261_124;
const requests = 400;
const secret = 'the secret of Ben';

let database: TestDatabase;
let keeper: SchemaKeeper;
let app: NestFastifyApplication;
let port: number;
let headers: Record<string, string>;
const agent = new Agent({ keepAlive: true, maxSockets: 8 });

beforeAll(async () => {
  database = await makeTestDatabase();
  await database.admin.rows(`
    create table people (id int primary key, name text unique, boss int references people, born date, facts jsonb, words tsvector, tags text[]);
    insert into people select n, 'Person ' || n, nullif(n - 1, 0), date '1990-01-01' + n, jsonb_build_object('n', n), to_tsvector('person'), array['a', 'b'] from generate_series(1, 20) n;
    create table notes (id int primary key, owner uuid default auth.uid(), body text);
    alter table notes enable row level security;
    create policy own on notes using (owner = auth.uid()) with check (owner = auth.uid());
    insert into notes values (1, gen_random_uuid(), '${secret}');
    create table texts (id bigint generated always as identity primary key, body text, doc jsonb);
    create function say(words text) returns text language sql immutable as $$ select words $$;
    create function find(term text) returns setof people language sql stable as $$ select * from public.people where name = term $$;
    grant select, insert, update, delete on people, notes, texts to authenticated;`);
  const secrets = await makeSecrets(database.environment);
  const settings = readSettings({ ...database.environment, ...secrets, PGRST_DB_SCHEMAS: 'public' });
  const pool = database.as('authenticator');
  keeper = new SchemaKeeper(pool, makeListener(settings, 'authenticator'), termsSource(settings));
  await keeper.start();
  const module = await Test.createTestingModule({ imports: [AuthModule.with(settings)], controllers: [RestController], providers: [RestFilter, { provide: RestService, useValue: new RestService(pool, keeper, 'anon') }] }).compile();
  app = module.createNestApplication<NestFastifyApplication>(makeHttpServer(settings), { bodyParser: false, logger: false });
  app.useGlobalFilters(new RestFilter());
  await app.listen(0, '127.0.0.1');
  port = Number(new URL(await app.getUrl()).port);
  const token = await new SignJWT({ role: 'authenticated' }).setProtectedHeader({ alg: 'HS256' }).setSubject('00000000-0000-0000-0000-00000000000a').setAudience('authenticated').setIssuedAt().setExpirationTime('1h').sign(new TextEncoder().encode(settings.jwtSecret!));
  headers = { apikey: secrets['ANON_KEY']!, authorization: `Bearer ${token}` };
});
afterAll(async () => {
  agent.destroy();
  await app.close();
  await keeper.close();
  await database.close();
});

interface Hostile {
  readonly method: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer | string | undefined;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

function send({ method, path, headers: more = {}, body }: Hostile): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = ask({ port, method, path: `/rest/v1${path}`, headers: { ...headers, ...more, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) }, agent }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => resolve({ status: incoming.statusCode!, headers: incoming.headers, text: Buffer.concat(chunks).toString() }));
    });
    outgoing.on('error', reject).end(body);
  });
}

/** Nothing of what happens inside is told: no statement, no name of a thing of ours, no path of a file. */
const inside = /pgrst_source|pgrst_body|json_agg|json_to_record|set_config|\bselect\b[^"]*\bfrom\b|\.ts:\d|node_modules|    at /i;

function faultIn({ status, text, headers: answered }: Answer): string | null {
  if (status >= 500 && !(status === 500 && text.includes('"57014"'))) return 'a 5xx';
  if (status >= 400 && inside.test(text)) return 'the inside shows';
  return text.includes(secret) || JSON.stringify(answered).includes(secret) ? 'a row of another' : null;
}

async function all<T>(list: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const rest = [...list];
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let one = rest.pop(); one !== undefined; one = rest.pop()) await work(one);
  }));
}

const word = fc.constantFrom(
  ...['id', 'name', 'boss', 'facts', 'words', 'tags', 'people', 'notes', 'owner', 'body', '*', 'count()', 'id.sum()', 'facts->n', 'facts->>n', 'born::text', 'boss(name)', 'people(*)', '...boss(name)', 'x:name'],
  ...['eq.', 'neq.', 'gt.', 'in.(', 'is.null', 'not.', 'like.', 'ilike(any).{', 'match.', 'fts(english).', 'fts.', 'cs.{', 'cd.', 'ov.', 'or', 'and', 'isdistinct.', 'desc', 'nullslast', 'having=', 'on_conflict=', 'columns=', 'select=', 'order=', 'limit=', 'offset=', 'id=', 'name=', 'or=(', 'and=(', 'not.or=('],
  ...['(', ')', ',', '.', '"', "'", '\\', '%', '%00', '%ff', '%C3%28', '%ED%A0%80', '%u0041', '+', '&', '=', ';', '--', '/*', '$1', '$$', '{', '}', '[', ']', '->', '->>', '::', '!', ':', '1', '-1', '9223372036854775808', '1e999', 'NaN', 'null', 'é', '%F0%9F%98%80', '%E2%80%AE', "'; drop table people;--", '%27%20or%20%271%27=%271', 'pg_sleep(9)', '%0d%0aX-Evil:%201', '../..', 'x'.repeat(300)],
);
const query = fc.array(word, { maxLength: 14 }).map((words) => encodeURI(words.join('')).replaceAll('%25', '%').replace(/[^\x21-\x7e]/g, '_'));
const path = fc.oneof({ weight: 8, arbitrary: fc.constantFrom('/people', '/notes', '/texts', '/rpc/say', '/rpc/find', '/') }, { weight: 1, arbitrary: fc.constantFrom('/nope', '/rpc/nope', '/people/1', '//', '/%00', '/%ff', '/pe%6Fple', '/rpc/%', "/a'b", '/%2e%2e', '/pg_authid', '/rpc/pg_sleep', '/people%3Bdrop') });
const header = fc.constantFrom<Record<string, string>>(
  {}, {}, {}, { accept: 'application/vnd.pgrst.object+json' }, { accept: 'text/csv' }, { accept: 'application/x-ndjson' }, { accept: 'application/vnd.pgrst.plan+json; options=analyze' }, { accept: '*/*;q=x,,;' }, { accept: 'x'.repeat(5000) },
  { prefer: 'count=exact,return=representation' }, { prefer: 'count=planned,return=headers-only' }, { prefer: 'count=estimated,missing=default' }, { prefer: 'timezone=\'; drop' }, { prefer: 'handling=strict,max-affected=0' }, { prefer: 'resolution=merge-duplicates,tx=rollback' }, { prefer: '=,,=;\xff' },
  { range: '0-0' }, { range: '9-1' }, { range: '99999999999999-' }, { 'accept-profile': 'pg_catalog' }, { 'content-profile': 'auth' }, { 'accept-profile': 'public\xff"' }, { 'if-none-match': 'W/"x", *' }, { 'if-match': '"' }, { cookie: 'a=\xe9; b; =; c="\\' }, { 'x-odd': '\xff\xfe\t"\\' },
);
const oddBytes = fc.constantFrom('{"name":"\\ud800"}', '{"name":"\\u0000"}', '{"name":"a\\udc00b"}', '{"\\ud83d":1}', `${'['.repeat(5000)}`, `${'[{"a":'.repeat(200)}1${'}]'.repeat(200)}`, '{"id":1e400}', '{"id":-0}', '{"__proto__":{"id":1}}', '{"constructor":1}', '[1,2]', 'null', '', '{', '{"id":1}{"id":2}', '\ufeff{"id":1}', '{"name":"x","name":"y"}').map((text): Buffer => Buffer.from(text));
const body = fc.oneof(fc.json().map((text) => Buffer.from(text)), oddBytes, fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)), fc.record({ id: fc.integer(), name: fc.string({ unit: 'binary' }), facts: fc.json() }, { requiredKeys: [] }).map((row) => Buffer.from(JSON.stringify(row))), fc.constant(Buffer.from(JSON.stringify(Array.from({ length: 3000 }, (_, id) => ({ id }))))));
const contentType = fc.constantFrom('application/json', 'application/json', 'text/csv', 'application/x-www-form-urlencoded', 'text/plain', 'application/octet-stream', 'multipart/form-data', 'x/;;=');
const hostile = fc.record({ method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND'), path, query, header, body, contentType }).map(
  ({ method, path: where, query: asked, header: more, body: bytes, contentType: type }): Hostile => ({
    method,
    path: asked === '' ? where : `${where}?${asked}`,
    headers: { ...more, ...(/^P/.test(method) ? { 'content-type': type } : {}) },
    body: /^P/.test(method) ? bytes : undefined,
  }),
);

it('whatever is sent is answered or refused, and nothing of others or of the inside is told', async () => {
  const wrong: string[] = [];
  await all(fc.sample(hostile, { seed, numRuns: requests }), async (one) => {
    const answer = await send(one);
    const fault = faultIn(answer);
    if (fault !== null) wrong.push(`${fault}: ${JSON.stringify({ ...one, body: one.body?.toString('latin1').slice(0, 200), status: answer.status, told: answer.text.slice(0, 300) })}`);
  });
  expect(wrong).toEqual([]);
});

it('no text is altered: it comes back as it was sent, or is refused', async () => {
  const json = { 'content-type': 'application/json', prefer: 'return=representation' };
  const texts = [...fc.sample(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' })), { seed, numRuns: 30 }), '', ' ', 'null', '\u0000', 'a\u0000b', '\ud800', 'a\udfffb', '\ufeff', '\u2028', '"', '\\', "'", '%', '*', '(a,b)', '{a}', 'x'.repeat(3000), 'e\u0301', '\u202e', '𝒳', 'ﬁ'];
  await all(texts, async (text) => {
    const mayBe = text.isWellFormed() && !text.includes('\0');
    const written = await send({ method: 'POST', path: '/texts?select=body,doc', headers: json, body: JSON.stringify({ body: text, doc: { [text]: text } }) });
    expect({ text, status: written.status }).toEqual({ text, status: mayBe ? 201 : 400 });
    if (!mayBe) return;
    expect(JSON.parse(written.text)).toEqual([{ body: text, doc: { [text]: text } }]);
    const encoded = encodeURIComponent(text);
    const quoted = encodeURIComponent(`"${text.replace(/[\\"]/g, '\\$&')}"`);
    for (const filter of [`body=eq.${encoded}`, `body=in.(${quoted})`, `or=(body.eq.${quoted})`]) {
      const found = JSON.parse((await send({ method: 'GET', path: `/texts?select=body&limit=1&${filter}` })).text) as unknown;
      expect(found).toEqual([{ body: text }]);
    }
    expect(JSON.parse((await send({ method: 'POST', path: '/rpc/say', headers: json, body: JSON.stringify({ words: text }) })).text)).toBe(text);
  });
});
