import { createHash, randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { jest } from '@jest/globals';
import { AuthModule, makeSecrets } from '@mainstay/auth';
import { ExportMaker, ImportsService, type ShownExport } from '@mainstay/automation';
import { readSettings, type Settings } from '@mainstay/config';
import { Fault, type Claims } from '@mainstay/domain';
import { assertLease, makeListener, type Database, type Transaction } from '@mainstay/persistence';
import type { JobRun } from '@mainstay/queue';
import { SchemaKeeper, termsSource } from '@mainstay/rest';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { SignJWT } from 'jose';
import { exportProviders } from './export-providers.ts';
import { ExportFilesController, ExportsController } from './exports.controller.ts';
import { makeHttpServer } from './http-server.ts';
import { ImportsController } from './imports.controller.ts';
import { SurfaceFilter } from './surface.filter.ts';

jest.setTimeout(60_000);

const anna = randomUUID();
const bert = randomUUID();
type Who = 'guest' | 'anna' | 'bert' | 'service';

const schema = `
  create table public.readings (id bigint primary key, place text not null, value numeric, at timestamptz not null default '2026-01-01T12:00:00Z');
  insert into public.readings (id, place, value) select g, 'place ' || g % 7, g / 4.0 from generate_series(1, 60000) g;
  create table public.notes (id int primary key, owner uuid, body text);
  alter table public.notes enable row level security;
  create policy own on public.notes to authenticated using ((select auth.uid()) = owner);
  insert into public.notes values (1, '${anna}', 'mine'), (2, '${bert}', 'theirs'), (3, '${anna}', '=1+1');
  create table public.authors (id int primary key, name text);
  create table public.books (id int primary key, title text, author int references public.authors (id), tags text[], extra jsonb);
  insert into public.authors values (1, 'Ann'), (2, 'Ben');
  insert into public.books values (10, 'One', 1, '{a,"b c"}', '{"n": 12345678901234567890}'), (11, null, 2, null, null), (12, '', 2, '{}', '{"x": [1, 2]}');
  create function public.shout(books) returns text language sql stable as $$ select upper($1.title) $$;
  create table public.hidden (id int);
  revoke all on public.hidden from anon, authenticated;
  create view public.breaks_late as select id, case when id = 50000 then 1 / (id - 50000) else id end as n, repeat('x', 50) as pad from public.readings;
  create view public.breaks_first as select 1 / (id - id) as n from public.readings;
  create view public.slow as select id, pg_sleep(0.001)::text as nap, repeat('x', 2000) as pad from public.readings;
  analyze`;

let test: TestDatabase;
let app: NestFastifyApplication;
let url: string;
let secrets: Record<string, string>;
let maker: ExportMaker;
let keeper: SchemaKeeper;
let settings: Settings;

async function start(more: Record<string, string> = {}): Promise<NestFastifyApplication> {
  settings = readSettings({ ...test.environment, ...secrets, API_EXTERNAL_URL: 'http://placeholder.test', MAINSTAY_EXPORT_STREAM_ROWS: '400000', ...more });
  const module = await Test.createTestingModule({
    imports: [AuthModule.with(settings)],
    controllers: [ExportFilesController, ExportsController, ImportsController],
    providers: [
      SurfaceFilter,
      { provide: SchemaKeeper, useValue: keeper },
      { provide: 'own', useFactory: () => test.as('mainstay_api', 10) },
      { provide: ImportsService, inject: ['own'], useFactory: (own: Database) => new ImportsService(own, settings) },
      ...exportProviders(settings, 'own'),
    ],
  }).compile();
  const made = module.createNestApplication<NestFastifyApplication>(makeHttpServer(settings), { bodyParser: false, logger: false });
  await made.listen(0, '127.0.0.1');
  return made;
}

/** A client whose request broke off opens a connection that it may never use; nothing need wait for that. */
function stop(server: NestFastifyApplication): Promise<void> {
  (server.getHttpServer() as Server).closeAllConnections();
  return server.close();
}

beforeAll(async () => {
  test = await makeTestDatabase();
  secrets = await makeSecrets(test.environment);
  await test.admin.transaction({ role: 'postgres', settings: {} }, async (tx) => {
    for (const statement of schema.split(/;\n/)) await tx.rows(statement);
  });
  const all = readSettings({ ...test.environment, ...secrets });
  keeper = new SchemaKeeper(test.as('authenticator'), makeListener(all, 'authenticator'), termsSource(all));
  await keeper.start();
  app = await start();
  url = await app.getUrl();
  maker = new ExportMaker(test.as('mainstay_worker', 6), settings);
});
afterAll(async () => {
  await stop(app);
  await maker.close();
  await keeper.close();
  await test.close();
});

async function headersOf(who: Who): Promise<Record<string, string>> {
  if (who === 'guest') return { apikey: secrets['ANON_KEY']! };
  if (who === 'service') return { apikey: secrets['SERVICE_ROLE_KEY']! };
  const token = await new SignJWT({ sub: who === 'anna' ? anna : bert, role: 'authenticated', aud: 'authenticated' })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secrets['JWT_SECRET']!));
  return { apikey: secrets['ANON_KEY']!, authorization: `Bearer ${token}` };
}

async function ask(who: Who, method: string, path: string, more: { headers?: Record<string, string>; body?: unknown; at?: string } = {}): Promise<Response> {
  const body = more.body === undefined ? {} : { body: JSON.stringify(more.body) };
  return fetch(`${more.at ?? url}${path}`, { method, headers: { ...(await headersOf(who)), ...(more.body === undefined ? {} : { 'content-type': 'application/json' }), ...more.headers }, ...body });
}

const text = async (who: Who, path: string, headers: Record<string, string> = {}): Promise<string> => (await ask(who, 'GET', `/exports/v1/${path}`, { headers })).text();

/** Reads an answer of raw bytes until the connection ends: what a client that knows no `fetch` sees. */
async function rawAnswer(request: string): Promise<{ bytes: string; isReset: boolean }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  let isReset = false;
  socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => (isReset = true));
  socket.write(request);
  await new Promise((resolve) => socket.once('close', resolve));
  return { bytes: Buffer.concat(chunks).toString(), isReset };
}

/** What the readers of exports are doing in the database now. */
const readers = (): Promise<{ state: string; query: string }[]> =>
  test.admin.rows(`select state, query from pg_stat_activity where datname = current_database() and application_name = 'mainstay exports' and (state <> 'idle' or backend_xmin is not null)`);

async function until(fact: () => Promise<boolean>, seconds = 10): Promise<void> {
  for (let i = 0; i < seconds * 20; i += 1) {
    if (await fact()) return;
    await sleep(50);
  }
  throw new Error('it did not come to be so');
}

describe('an export that is sent at once', () => {
  it('is CSV as COPY writes it, with null and an empty text told apart', async () => {
    const answer = await ask('service', 'GET', '/exports/v1/books?order=id');
    expect(Object.fromEntries(answer.headers)).toMatchObject({ 'content-type': 'text/csv; charset=utf-8', 'content-disposition': 'attachment; filename="books.csv"', 'accept-ranges': 'none' });
    expect(await answer.text()).toBe('id,title,author,tags,extra\n10,One,1,"{a,""b c""}","{""n"": 12345678901234567890}"\n11,,2,,\n12,"",2,{},"{""x"": [1, 2]}"\n');
  });

  it.each<[string, string]>([
    ['select=name:title,author&id=eq.10', 'name,author\nOne,1\n'],
    ['select=id::text,extra->x->0&id=eq.12', 'id,x\n12,1\n'],
    ['select=id,author(name)&id=eq.10', 'id,author\n10,"{""name"":""Ann""}"\n'],
    ['select=id,...author(name)&order=id.desc&limit=2', 'id,name\n12,Ben\n11,Ben\n'],
    ['select=id,shout&id=eq.10', 'id,shout\n10,ONE\n'],
    ["select=id&or=(title.eq.One,title.eq.O'Neil\\)", 'id\n10\n'],
    ['select=id&title=eq.One%27%3B%20drop%20table%20books--%5C', 'id\n'],
    ['select=id&id=in.(10,12)&order=id&offset=1', 'id\n12\n'],
    ['select=id&title=is.null', 'id\n11\n'],
    ['select=id&and=(title.not.is.null,author.eq.2)', 'id\n12\n'],
    ['select=author,count()&order=author', 'author,count\n1,1\n2,2\n'],
    ['select=id,title&order=id&header=false&delimiter=tab&null=NULL', '10\tOne\n11\tNULL\n12\t\n'],
    ['select=id&id=eq.10&bom=true', '\ufeffid\n10\n'],
    ['select=id,title,author(name)&order=id&limit=2&format=ndjson', '{"id":10,"title":"One","author":{"name":"Ann"}}\n{"id":11,"title":null,"author":{"name":"Ben"}}\n'],
  ])('%s', async (query, expected) => {
    const answer = await ask('service', 'GET', `/exports/v1/public.books?${query}`);
    expect([Buffer.from(await answer.arrayBuffer()).toString(), answer.status]).toEqual([expected, 200]);
  });

  it.each<[string, string, number, object]>([
    ['boks', '', 404, { code: 'collection_not_found', message: 'There is no collection "public.boks"; did you mean "books"?' }],
    ['secret.books', '', 404, { code: 'collection_not_found', message: 'There is no collection "secret.books"' }],
    ['books', 'select=titel', 400, { code: 'column_unknown', message: '"titel" is no field of "public.books"; did you mean "title"?', hint: 'Fields: id, title, author, tags, extra' }],
    ['books', 'autor=eq.1', 400, { code: 'column_unknown', message: '"autor" is no field of "public.books"; did you mean "author"?' }],
    ['books', 'order=nothing_like_it', 400, { code: 'column_unknown', message: '"nothing_like_it" is no field of "public.books"' }],
    ['books', 'format=exel', 400, { code: 'format_unknown', message: 'There is no format "exel"', hint: 'Formats: csv, ndjson, xlsx, parquet.' }],
    ['books', 'format=eq.csv', 400, { code: 'format_unknown', hint: 'Formats: csv, ndjson, xlsx, parquet. A column named "format" is filtered as and=(format.eq.csv).' }],
    ['books', 'delimiter=ab', 400, { code: 'option_not_valid', message: 'The option delimiter="ab" is not right: it must be one ASCII character other than a quote, or "tab"' }],
    ['books', 'format=ndjson&bom=true', 400, { code: 'option_not_valid', message: 'The option "bom" is for csv; this is ndjson' }],
    ['books', 'format=xlsx&gzip=true', 400, { code: 'option_not_valid', message: 'The option "gzip" is for csv and ndjson; xlsx is packed already' }],
    ['books', 'header=maybe', 400, { code: 'option_not_valid', message: 'The option header="maybe" is not right: it must be "true" or "false"' }],
    ['books', 'gzip=true&gzip=true', 400, { code: 'option_not_valid', message: 'The option "gzip" is given twice' }],
    ['books', 'id=eq.x', 400, { code: '22P02' }],
    ['books', 'id=near.1', 400, { code: 'PGRST100' }],
    ['books', 'title=eq.%00', 400, {}],
    ['breaks_first', '', 400, { code: '22012', message: 'division by zero' }],
  ])('%s?%s is refused', async (collection, query, status, fault) => {
    const answer = await ask('service', 'GET', `/exports/v1/${collection}?${query}`);
    expect([answer.status, await answer.json()]).toEqual([status, expect.objectContaining(fault)]);
  });

  it('takes the format from Accept where the query names none', async () => {
    expect((await ask('service', 'GET', '/exports/v1/books', { headers: { accept: 'application/x-ndjson' } })).headers.get('content-type')).toMatch('ndjson');
    expect((await ask('service', 'GET', '/exports/v1/books', { headers: { accept: 'text/html,*/*;q=0.8' } })).headers.get('content-type')).toMatch('csv');
    const answer = await ask('service', 'GET', '/exports/v1/books', { headers: { accept: 'image/png' } });
    expect([answer.status, await answer.json()]).toEqual([406, expect.objectContaining({ code: 'format_not_acceptable', hint: expect.stringContaining('xlsx') })]);
  });

  it.each<[Who, number, string]>([
    ['guest', 200, 'id,body\n'],
    ['anna', 200, 'id,body\n1,mine\n3,=1+1\n'],
    ['bert', 200, 'id,body\n2,theirs\n'],
    ['service', 200, 'id,body\n1,mine\n2,theirs\n3,=1+1\n'],
  ])('%s sees the rows that the policies show', async (who, status, expected) => {
    const answer = await ask(who, 'GET', '/exports/v1/notes?select=id,body&order=id');
    expect([answer.status, await answer.text()]).toEqual([status, expected]);
  });

  it('needs the right to read', async () => {
    expect([(await ask('anna', 'GET', '/exports/v1/hidden')).status, (await ask('guest', 'GET', '/exports/v1/hidden')).status]).toEqual([403, 401]);
  });

  it('can be made one that spreadsheets do not execute', async () => {
    expect(await text('anna', 'notes?select=body,%22=cmd%22:id&order=id&spreadsheet_safe=true')).toBe(`body,'=cmd\nmine,1\n'=1+1,3\n`);
  });

  it('is sent whole and packed when the client takes that', async () => {
    const answer = await ask('service', 'GET', '/exports/v1/readings', { headers: { 'accept-encoding': 'gzip' } });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect((await answer.text()).match(/\n/g)).toHaveLength(60_001);
    const file = await ask('service', 'GET', '/exports/v1/books?select=id&limit=1&order=id&gzip=true');
    expect([file.headers.get('content-type'), file.headers.get('content-disposition'), file.headers.get('content-encoding')]).toEqual(['application/gzip', 'attachment; filename="books.csv.gz"', null]);
    expect(gunzipSync(await file.arrayBuffer()).toString()).toBe('id\n10\n');
  });

  it('answers HEAD without reading a row', async () => {
    const answer = await ask('service', 'HEAD', '/exports/v1/breaks_first');
    expect([answer.status, answer.headers.get('content-disposition')]).toEqual([200, 'attachment; filename="breaks_first.csv"']);
  });

  it('that fails midway breaks off, and no client can take it for whole', async () => {
    for (const query of ['', '?format=ndjson', '?format=xlsx', '?gzip=true']) {
      const answer = await ask('service', 'GET', `/exports/v1/breaks_late${query}`, { headers: { 'accept-encoding': query === '' ? 'gzip' : 'identity' } });
      expect(answer.status).toBe(200);
      await expect(answer.arrayBuffer()).rejects.toThrow();
    }
    // HTTP/1.0 knows no chunks: only a reset tells.
    const { bytes, isReset } = await rawAnswer(`GET /exports/v1/breaks_late HTTP/1.0\r\napikey: ${secrets['SERVICE_ROLE_KEY']}\r\n\r\n`);
    expect([bytes.length > 100_000, bytes.startsWith('HTTP/1.1 200'), isReset]).toEqual([true, true, true]);
  });

  it('ends in the database when its reader leaves', async () => {
    const leaving = new AbortController();
    const answer = await fetch(`${url}/exports/v1/slow`, { headers: { ...(await headersOf('service')), 'accept-encoding': 'identity' }, signal: leaving.signal });
    await answer.body!.getReader().read();
    expect(await readers()).toHaveLength(1);
    leaving.abort();
    await until(async () => (await readers()).length === 0);
    // The places and the connections are free again.
    expect(await text('service', 'books?select=id&id=eq.10')).toBe('id\n10\n');
  });

  it('makes PostgreSQL wait for a slow reader, who is cut at last', async () => {
    const patient = await start({ MAINSTAY_STREAM_IDLE: '2' });
    try {
      const answer = await ask('service', 'GET', '/exports/v1/readings?select=*,pad:place', { at: await patient.getUrl(), headers: { 'accept-encoding': 'identity' } });
      const reader = answer.body!.getReader();
      await reader.read();
      await sleep(500);
      expect((await readers()).map(({ state }) => state)).toEqual(['active']);
      await until(async () => (await readers()).length === 0);
      const rest = (async () => {
        for (let part = await reader.read(); !part.done; part = await reader.read());
      })();
      await expect(rest).rejects.toThrow();
    } finally {
      await stop(patient);
    }
  });

  it('is one of few: who asks for one too many is told when to come again', async () => {
    const leaving = new AbortController();
    // An answer that nobody holds is cancelled when it is collected.
    const held: Response[] = [];
    const open = async (who: Who): Promise<Response> => {
      const answer = await fetch(`${url}/exports/v1/slow`, { headers: { ...(await headersOf(who)), 'accept-encoding': 'identity' }, signal: leaving.signal });
      held.push(answer);
      return answer;
    };
    try {
      expect([await open('anna'), await open('anna')].map(({ status }) => status)).toEqual([200, 200]);
      const third = await ask('anna', 'GET', '/exports/v1/books');
      expect([third.status, third.headers.get('retry-after'), await third.json()]).toEqual([429, '5', expect.objectContaining({ code: 'too_many_exports', details: '2 of them are yours; one caller may have 2 at once.' })]);
      expect([await open('bert'), await open('service')].map(({ status }) => status)).toEqual([200, 200]);
      expect((await ask('service', 'GET', '/exports/v1/books')).status).toBe(503);
      expect(held).toHaveLength(4);
    } finally {
      leaving.abort();
    }
    await until(async () => (await readers()).length === 0);
  });

  it('is no matter of the role’s statement_timeout, but of its own', async () => {
    await test.admin.rows(`alter role authenticated set statement_timeout = '100ms'`);
    await keeper.reload();
    const short = await start({ MAINSTAY_EXPORT_STREAM_SECONDS: '1' });
    try {
      expect((await text('anna', 'slow?select=id&limit=200&nap=not.is.null')).match(/\n/g)).toHaveLength(201);
      const answer = await ask('anna', 'GET', '/exports/v1/slow?limit=3000', { at: await short.getUrl(), headers: { 'accept-encoding': 'identity' } });
      await expect(answer.text()).rejects.toThrow();
      const early = await ask('anna', 'GET', '/exports/v1/slow?select=nap&order=pad&limit=100000', { at: await short.getUrl() });
      expect([early.status, await early.json()]).toEqual([503, expect.objectContaining({ code: 'export_took_too_long', hint: expect.stringContaining('POST') })]);
    } finally {
      await test.admin.rows(`alter role authenticated set statement_timeout = '8s'`);
      await keeper.reload();
      await stop(short);
    }
  });

  it('that is too large is for a job', async () => {
    const small = await start({ MAINSTAY_EXPORT_STREAM_ROWS: '1000' });
    try {
      const answer = await ask('service', 'GET', '/exports/v1/readings', { at: await small.getUrl() });
      expect([answer.status, await answer.json()]).toEqual([413, expect.objectContaining({ code: 'export_too_large', details: expect.stringMatching(/^About 60\d{3} rows are expected, and 1000 are sent at once/), hint: expect.stringContaining('respond-async') })]);
      expect((await ask('service', 'GET', '/exports/v1/readings?limit=1000', { at: await small.getUrl() })).status).toBe(200);
      const job = await ask('service', 'GET', '/exports/v1/readings', { at: await small.getUrl(), headers: { prefer: 'respond-async' } });
      expect([job.status, job.headers.get('preference-applied'), await job.json()]).toEqual([202, 'respond-async', { id: expect.any(String), state: 'queued' }]);
      expect(job.headers.get('location')).toMatch(/^\/exports\/v1\/[0-9a-f-]{36}$/);
    } finally {
      await stop(small);
    }
  });
});
