import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
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
  create view public.wide as select id, repeat('x', 1000) as pad from public.readings;
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
      const answer = await ask('service', 'GET', '/exports/v1/wide', { at: await patient.getUrl(), headers: { 'accept-encoding': 'identity' } });
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

interface Attempt {
  readonly signal?: AbortSignal;
  /** Called with each figure of progress. */
  readonly onProgress?: () => void;
  /** The attempt's process is gone: nothing of its end is written down. */
  readonly dies?: boolean;
}

/** Runs an export's job once, as the engine does: claims it, carries it out, writes down how that ended. */
async function runJob(id: string, { signal, onProgress, dies = false }: Attempt = {}): Promise<void> {
  const token = randomUUID();
  const [job] = await test.admin.rows<{ id: string; owner: string; role: string; claims: Claims; attempts: number }>(
    `update mainstay_internal.jobs set state = 'running', attempts = attempts + 1, lease_token = $2, lease_until = now() + interval '1 minute', started_at = now()
     where id = (select job_id from mainstay_internal.exports where id = $1) and (state = 'queued' or state = 'running') returning id, owner, role, claims, attempts`,
    [id, token],
  );
  if (job === undefined) throw new Error('the job cannot be claimed');
  const effects: ((tx: Transaction) => Promise<unknown>)[] = [];
  const run: JobRun = {
    ...job, jobId: job.id, attempt: job.attempts, session: { role: job.role, settings: {} }, signal: signal ?? new AbortController().signal,
    assertLease: (tx) => assertLease(tx, { jobId: job.id, token }, 15), progress: () => onProgress?.(), completeBy: () => {}, finish: (effect) => void effects.push(effect),
  };
  const end = (tx: Pick<Transaction, 'rows'>, state: string, error: unknown): Promise<unknown> =>
    tx.rows(`update mainstay_internal.jobs set state = $2, error = $3, lease_token = null, lease_until = null, finished_at = now() where id = $1 and lease_token = $4`, [job.id, state, JSON.stringify(error), token]);
  try {
    await maker.run(id, run);
    if (dies) return;
    await test.as('mainstay_worker', 1).transaction({ role: null, settings: {} }, async (tx) => {
      for (const effect of effects) await effect(tx);
      await end(tx, 'done', null);
    });
  } catch (error) {
    if (!(error instanceof Fault) || dies) throw error;
    await end(test.admin, 'failed', { code: error.code, message: error.message, details: error.details, hint: error.hint });
  }
}

async function make(who: Who, path: string, body?: unknown): Promise<string> {
  const answer = await ask(who, 'POST', `/exports/v1/${path}`, { body });
  const { id, state, ...rest } = (await answer.json()) as { id: string; state: string };
  expect({ status: answer.status, state, rest, location: answer.headers.get('location') }).toEqual({ status: 202, state: 'queued', rest: {}, location: `/exports/v1/${id}` });
  return id;
}

async function look(who: Who, id: string): Promise<ShownExport> {
  return (await (await ask(who, 'GET', `/exports/v1/${id}`)).json()) as ShownExport;
}

/** A link leads to where clients reach the API; here that is another port. */
const here = (link: string): string => link.replace('http://placeholder.test', url);

const fetchFile = (link: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> => fetch(here(link), { method, headers });

const chunksOf = async (id: string): Promise<number> => (await test.admin.rows<{ n: number }>('select count(*)::int as n from mainstay_internal.export_chunks where export_id = $1', [id]))[0]!.n;

describe('an export that a job makes', () => {
  it('is a file that a link opens', async () => {
    const id = await make('service', 'readings?select=id,place', { id: 'lte.50000', order: 'id' });
    expect(await look('service', id)).toMatchObject({ collection: 'public.readings', query: 'select=id,place&id=lte.50000&order=id', format: 'csv', gzip: false, state: 'queued', rows: 0, percent: 0, file: null, error: null });
    await runJob(id);
    const shown = await look('service', id);
    expect(shown).toMatchObject({ state: 'done', rows: 50_000, percent: 100, remaining_seconds: 0, error: null, is_expired: false, file: { name: 'readings.csv', media_type: 'text/csv; charset=utf-8', bytes: shown.bytes } });
    const answer = await fetchFile(shown.file!.url);
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(shown.file!.sha256);
    expect(bytes.toString()).toBe(await text('service', 'readings?select=id,place&id=lte.50000&order=id', { 'accept-encoding': 'identity' }));
    expect(Object.fromEntries(answer.headers)).toMatchObject({ 'content-length': String(shown.bytes), 'accept-ranges': 'bytes', 'content-disposition': 'attachment; filename="readings.csv"', 'repr-digest': expect.stringMatching(/^sha-256=:.*:$/), 'x-content-type-options': 'nosniff' });
  });

  it('can be fetched in parts, and gone on with', async () => {
    const id = await make('service', 'readings?limit=40000&order=id');
    await runJob(id);
    const { file } = await look('service', id);
    const whole = Buffer.from(await (await fetchFile(file!.url)).arrayBuffer());
    const size = whole.length;
    expect(size).toBeGreaterThan(1024 * 1024);
    const etag = (await fetchFile(file!.url, {}, 'HEAD')).headers.get('etag')!;
    for (const [range, from, to] of [['bytes=0-0', 0, 1], ['bytes=1048570-1048590', 1_048_570, 1_048_591], [`bytes=${size - 5}-`, size - 5, size], ['bytes=-7', size - 7, size], [`bytes=100-${size * 2}`, 100, size]] as const) {
      const answer = await fetchFile(file!.url, { range });
      expect([answer.status, answer.headers.get('content-range'), Buffer.from(await answer.arrayBuffer()).equals(whole.subarray(from, to))]).toEqual([206, `bytes ${from}-${to - 1}/${size}`, true]);
    }
    for (const range of ['bytes=5-3', 'bytes=0-1,4-5', 'lines=1-2', 'bytes=-']) expect((await fetchFile(file!.url, { range })).status).toBe(200);
    const outside = await fetchFile(file!.url, { range: `bytes=${size}-` });
    expect([outside.status, outside.headers.get('content-range'), await outside.json()]).toEqual([416, `bytes */${size}`, expect.objectContaining({ code: 'range_not_satisfiable' })]);
    expect((await fetchFile(file!.url, { range: 'bytes=0-9', 'if-range': etag })).status).toBe(206);
    expect((await fetchFile(file!.url, { range: 'bytes=0-9', 'if-range': '"another"' })).status).toBe(200);
    expect((await fetchFile(file!.url, { 'if-none-match': etag })).status).toBe(304);
    const head = await fetchFile(file!.url, {}, 'HEAD');
    expect([head.status, head.headers.get('content-length'), head.headers.get('accept-ranges'), await head.text()]).toEqual([200, String(size), 'bytes', '']);
  });

  it('opens to no link that we did not make, nor to one that is over', async () => {
    const id = await make('anna', 'notes');
    const other = await make('anna', 'notes');
    await runJob(id);
    await runJob(other);
    const link = here((await look('anna', id)).file!.url);
    const expect403 = async (changed: string, code: string): Promise<void> => {
      const answer = await fetch(changed);
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([403, code]);
    };
    expect((await fetch(link)).status).toBe(200);
    await expect403(link.replace(/expires=(\d+)/, (_, s: string) => `expires=${Number(s) + 1}`), 'link_not_valid');
    await expect403(link.replace(/signature=./, (s) => `signature=${s.endsWith('A') ? 'B' : 'A'}`), 'link_not_valid');
    await expect403(link.replace(id, other), 'link_not_valid');
    await expect403(link.split('?')[0]!, 'link_not_valid');
    const now = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 3_700_000);
    try {
      await expect403(link, 'link_expired');
    } finally {
      now.mockRestore();
    }
  });

  it('has the rows that its caller sees, and is theirs alone', async () => {
    const id = await make('bert', 'notes', { select: 'id,body', format: 'ndjson' });
    await runJob(id);
    expect(await (await fetchFile((await look('bert', id)).file!.url)).text()).toBe('{"id":2,"body":"theirs"}\n');
    expect([(await ask('anna', 'GET', `/exports/v1/${id}`)).status, (await ask('guest', 'GET', `/exports/v1/${id}`)).status]).toEqual([404, 401]);
    expect((await ask('anna', 'DELETE', `/exports/v1/${id}`)).status).toBe(404);
    expect((await ask('guest', 'POST', '/exports/v1/notes')).status).toBe(401);
    const listed = async (who: Who): Promise<string[]> => ((await (await ask(who, 'GET', '/exports/v1?limit=500')).json()) as ShownExport[]).map((one) => one.id);
    expect([(await listed('anna')).includes(id), (await listed('bert')).includes(id), (await listed('service')).includes(id)]).toEqual([false, true, true]);
    const [newest] = (await (await ask('bert', 'GET', '/exports/v1?limit=1&state=done')).json()) as ShownExport[];
    expect(newest!.id).toBe(id);
    expect((await ask('bert', 'GET', '/exports/v1?state=finished')).status).toBe(400);
  });

  it.each<[string, object, number, string]>([
    ['books', { select: 'titel' }, 400, 'column_unknown'],
    ['books', { format: 'exel' }, 400, 'format_unknown'],
    ['books', { limit: { a: 1 } }, 400, 'body_not_valid'],
    ['books', [1], 400, 'body_not_valid'],
    ['boks', {}, 404, 'collection_not_found'],
    ['hidden', {}, 403, '42501'],
  ])('%s %j is refused before there is a job', async (collection, body, status, code) => {
    const answer = await ask('anna', 'POST', `/exports/v1/${collection}`, { body });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([status, code]);
  });

  it('is asked for once under one Idempotency-Key', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const first = await ask('anna', 'POST', '/exports/v1/notes', { headers });
    const second = await ask('anna', 'POST', '/exports/v1/notes', { headers });
    expect([await second.text(), second.headers.get('idempotency-replayed')]).toEqual([await first.text(), 'true']);
  });

  it('is whole, whichever attempt makes it: a worker that died leaves nothing of its own in it', async () => {
    const id = await make('service', 'readings?select=id,place&order=id');
    // The first attempt is killed after some pieces.
    const killed = new AbortController();
    let progress = 0;
    await expect(runJob(id, { signal: killed.signal, dies: true, onProgress: () => (progress += 1) > 3 && killed.abort(new Error('killed')) })).rejects.toThrow('killed');
    // Rows come and go between the attempts: the file is of one moment.
    await test.admin.rows(`insert into public.readings (id, place) values (0, 'late')`);
    try {
      await runJob(id);
      const { file, rows } = await look('service', id);
      const lines = (await (await fetchFile(file!.url)).text()).split('\n');
      expect([rows, lines.length, lines[1]]).toEqual([60_001, 60_003, '0,late']);
      expect(await test.admin.rows('select distinct attempt from mainstay_internal.export_chunks where export_id = $1', [id])).toEqual([{ attempt: 2 }]);
    } finally {
      await test.admin.rows('delete from public.readings where id = 0');
    }
  });

  it('that two attempts make at once is the later one’s', async () => {
    const id = await make('service', 'slow?select=id,pad&limit=1200');
    const first = runJob(id, { dies: true });
    const lost = expect(first).rejects.toThrow(/no longer held/);
    await until(async () => (await chunksOf(id)) > 0);
    await runJob(id);
    await lost;
    expect(await look('service', id)).toMatchObject({ state: 'done', rows: 1200 });
    expect((await (await fetchFile((await look('service', id)).file!.url)).text()).match(/\n/g)).toHaveLength(1201);
  });

  it('leaves nothing when it is cancelled', async () => {
    const id = await make('anna', 'slow?select=id,pad&limit=20000');
    const stopped = new AbortController();
    const running = runJob(id, { signal: stopped.signal, dies: true });
    const ended = expect(running).rejects.toThrow();
    await until(async () => (await chunksOf(id)) > 0);
    expect(await (await ask('anna', 'POST', `/exports/v1/${id}/cancel`)).json()).toMatchObject({ id, state: 'cancelled', rows: 0, bytes: 0, file: null, error: { code: 'export_cancelled' } });
    await ended;
    expect(await chunksOf(id)).toBe(0);
    const again = await ask('anna', 'POST', `/exports/v1/${id}/cancel`);
    expect(again.status).toBe(200);
  });

  it('is deleted with its file', async () => {
    const id = await make('anna', 'notes');
    await runJob(id);
    const link = (await look('anna', id)).file!.url;
    expect((await ask('anna', 'DELETE', `/exports/v1/${id}`)).status).toBe(204);
    expect([(await ask('anna', 'GET', `/exports/v1/${id}`)).status, (await fetchFile(link)).status, await chunksOf(id)]).toEqual([404, 410, 0]);
    expect((await ask('anna', 'POST', `/exports/v1/${id}/cancel`)).status).toBe(404);
  });

  it('that fails says why, and keeps nothing', async () => {
    const id = await make('service', 'breaks_late');
    await runJob(id);
    expect(await look('service', id)).toMatchObject({ state: 'failed', file: null, rows: 0, bytes: 0, error: { code: '22012', message: 'division by zero' } });
    expect(await chunksOf(id)).toBe(0);
  });

  it('is kept for a time, and then only its record', async () => {
    const id = await make('anna', 'notes');
    await runJob(id);
    const link = (await look('anna', id)).file!.url;
    await test.admin.rows(`update mainstay_internal.exports set expires_at = now() - interval '1 second' where id = $1`, [id]);
    expect([await look('anna', id), (await fetchFile(link)).status]).toMatchObject([{ state: 'done', file: null, is_expired: true, rows: 2 }, 410]);
    await maker.sweep();
    expect([await chunksOf(id), (await look('anna', id)).state]).toEqual([0, 'done']);
    await test.admin.rows(`update mainstay_internal.exports set finished_at = now() - interval '1 year' where id = $1`, [id]);
    await maker.sweep();
    expect((await ask('anna', 'GET', `/exports/v1/${id}`)).status).toBe(404);
  });

  it('fits into what its owner may have kept', async () => {
    const small = await start({ MAINSTAY_EXPORT_QUOTA: '1000' });
    const tight = new ExportMaker(test.as('mainstay_worker', 4), settings);
    const wide = maker;
    try {
      maker = tight;
      const id = await make('bert', 'readings?limit=1000');
      await runJob(id);
      expect(await look('bert', id)).toMatchObject({ state: 'failed', error: { code: 'quota_used_up' } });
      maker = wide;
      await runJob(await make('bert', 'readings?limit=1000'));
      const refused = await ask('bert', 'POST', '/exports/v1/readings', { at: await small.getUrl() });
      expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([413, 'quota_used_up']);
    } finally {
      maker = wide;
      await tight.close();
      await stop(small);
    }
  });

  it('ends with the account that asked for it', async () => {
    await test.admin.rows(`insert into auth.users (id, email) values ($1, 'anna@example.com') on conflict do nothing`, [anna]);
    const id = await make('anna', 'notes');
    await runJob(id);
    const link = (await look('anna', id)).file!.url;
    expect((await fetchFile(link)).status).toBe(200);
    await test.admin.rows(`update auth.users set banned_until = now() + interval '1 hour' where id = $1`, [anna]);
    const answer = await fetchFile(link);
    expect([answer.status, await answer.json()]).toEqual([403, expect.objectContaining({ code: 'link_owner_gone', details: 'It was banned.' })]);
    await test.admin.rows('delete from auth.users where id = $1', [anna]);
  });
});

describe('an export that SQL asks for', () => {
  const asAnna = { role: 'authenticated', settings: { 'request.jwt.claims': JSON.stringify({ sub: anna, role: 'authenticated' }) } };
  const ask = (session: { role: string; settings: Record<string, string> }, call: string): Promise<string> =>
    test.admin.transaction(session, async (tx) => (await tx.rows<{ id: string }>(`select ${call} as id`))[0]!.id);

  it('is made as whoever called the function', async () => {
    const id = await ask(asAnna, `mainstay.export('notes', 'select=id,body&order=id&gzip=true', 'ndjson')`);
    expect(await look('anna', id)).toMatchObject({ collection: 'public.notes', state: 'queued', format: 'ndjson' });
    await runJob(id);
    const shown = await look('anna', id);
    expect(shown).toMatchObject({ state: 'done', rows: 2, gzip: true, query: 'select=id,body&order=id', file: { name: 'notes.ndjson.gz', media_type: 'application/gzip' } });
    expect(gunzipSync(await (await fetchFile(shown.file!.url)).arrayBuffer()).toString()).toBe('{"id":1,"body":"mine"}\n{"id":3,"body":"=1+1"}\n');
    const seen = await test.admin.transaction(asAnna, (tx) => tx.rows(`select id, state, rows::int, owner from mainstay.exports order by id desc limit 1`));
    expect(seen).toEqual([{ id, state: 'done', rows: 2, owner: anna }]);
    const others = await test.admin.transaction({ role: 'authenticated', settings: { 'request.jwt.claims': JSON.stringify({ sub: bert, role: 'authenticated' }) } }, (tx) => tx.rows(`select from mainstay.exports where id = $1`, [id]));
    expect(others).toEqual([]);
  });

  it('of postgres runs as postgres, which no worker’s login may become', async () => {
    await test.admin.transaction({ role: 'postgres', settings: {} }, async (tx) => {
      await tx.rows('create table public.own_things (id int)');
      await tx.rows('insert into public.own_things values (7)');
      await tx.rows('revoke all on public.own_things from anon, authenticated, service_role');
    });
    const id = await ask({ role: 'postgres', settings: {} }, `mainstay.export('public.own_things')`);
    await runJob(id);
    const { state, file } = await look('service', id);
    expect([state, await (await fetchFile(file!.url)).text()]).toEqual(['done', 'id\n7\n']);
  });

  it('says what is wrong with it, at once or as the export’s error', async () => {
    await expect(ask(asAnna, `mainstay.export('nothing')`)).rejects.toThrow('there is no collection public.nothing');
    await expect(ask(asAnna, `mainstay.export('notes', '', 'exel')`)).rejects.toThrow(`there is no format 'exel'`);
    await expect(ask({ role: 'anon', settings: {} }, `mainstay.export('notes')`)).rejects.toThrow('permission denied');
    const id = await ask(asAnna, `mainstay.export('notes', 'select=boddy')`);
    await runJob(id);
    expect(await look('anna', id)).toMatchObject({ state: 'failed', error: { code: 'column_unknown', message: '"boddy" is no field of "public.notes"; did you mean "body"?' } });
    const hidden = await ask(asAnna, `mainstay.export('hidden')`);
    await runJob(hidden);
    expect(await look('anna', hidden)).toMatchObject({ state: 'failed', error: { code: '42501' } });
    const inside = await ask(asAnna, `mainstay.export('mainstay_internal.jobs')`);
    await runJob(inside);
    expect(await look('anna', inside)).toMatchObject({ state: 'failed', error: { code: 'PGRST106' } });
  });
});

describe('docs/exports.md', () => {
  const blocks = Array.from(readFileSync(new URL('../../../docs/exports.md', import.meta.url), 'utf8').matchAll(/^```(sql|sh|csv|json)\n(.*?)^```$/gms), ([, kind, written]) => ({ kind: kind!, written: written! }));

  it('gives what it says', async () => {
    const asked = blocks.filter(({ kind }) => kind !== 'sql');
    expect(asked.length).toBeGreaterThan(4);
    await test.admin.transaction({ role: 'postgres', settings: {} }, async (tx) => {
      for (const { written } of blocks.filter(({ kind }) => kind === 'sql')) for (const statement of written.split(/;\n/)) if (statement.trim() !== '') await tx.rows(statement);
    });
    await keeper.reload();
    for (let i = 0; i < asked.length; i += 2) {
      const said = await run(asked[i]!.written);
      if (asked[i + 1]!.kind === 'csv') expect(said).toBe(asked[i + 1]!.written);
      else expect(JSON.parse(said)).toMatchObject(JSON.parse(asked[i + 1]!.written) as object);
    }
  });

  /** Sends what a curl command would. */
  async function run(command: string): Promise<string> {
    const variables: Record<string, string> = { API: url, KEY: secrets['SERVICE_ROLE_KEY']! };
    const words = Array.from(command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g), ([, single, double, bare]) => single ?? (double ?? bare!).replace(/\$(\w+)/g, (_, name: string) => variables[name]!));
    const after = (flag: string): string[] => words.flatMap((word, i) => (word === flag ? [words[i + 1]!] : []));
    const [body] = after('-d');
    const headers = Object.fromEntries(after('-H').map((header) => header.split(/: (.*)/s) as [string, string]));
    return (await fetch(words.find((word) => word.startsWith('http'))!, { method: body === undefined ? 'GET' : 'POST', headers, ...(body === undefined ? {} : { body }) })).text();
  }
});
