import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { jest } from '@jest/globals';
import { Fault, makeCaller, type Caller, type Claims } from '@mainstay/domain';
import { assertLease, type Database, type Reject, type Transaction } from '@mainstay/persistence';
import type { JobRun } from '@mainstay/queue';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { ImportsService, type Upload } from './imports.service.ts';
import type { ShownImport } from './show-import.ts';

jest.setTimeout(60_000);

const memberId = '11111111-1111-4111-8111-111111111111';
const otherId = '22222222-2222-4222-8222-222222222222';
const member = makeCaller('user', { sub: memberId, role: 'authenticated' });
const other = makeCaller('user', { sub: otherId, role: 'authenticated' });
const guest = makeCaller('anonymous', {});
const service = makeCaller('key', { role: 'service_role' });

const schema = `
  create table public.airlines (code text primary key, name text);
  insert into public.airlines values ('AA', 'American'), ('UA', 'United');

  create table public.flights (id int primary key, airline text references public.airlines, delay int, distance numeric check (distance >= 0), note text default 'none');

  create table public.notes (id int primary key, owner uuid not null default auth.uid(), body text);
  alter table public.notes enable row level security;
  create policy own on public.notes to authenticated using ((select auth.uid()) = owner) with check ((select auth.uid()) = owner);

  create type public.mood as enum ('good', 'bad');
  create domain public.short as varchar(5) check (value <> 'never');
  create table public."Odd ""things" (
    "the id" bigint generated always as identity primary key, "a,b" public.short, mood public.mood, tags text[], body jsonb, at timestamptz, twice int generated always as (n * 2) stored, n int
  );
  create table public.wanted (id int primary key, name text not null, n int unique);
  create table public.log (id bigint generated always as identity primary key, what text);
  create function public.log_note() returns trigger language plpgsql security definer set search_path = '' as $$
    begin insert into public.log (what) values (new.body); return new; end $$;
  create trigger log_note after insert on public.notes for each row execute function public.log_note();
  create table public.locked (id int);
  revoke all on public.locked from authenticated, anon;
  create view public.flights_view with (security_invoker) as select id, delay from public.flights;
  create table public.tree (id int primary key, parent int references public.tree deferrable initially deferred);
  create table public.one (value text);
`;

describe('imports', () => {
  let test: TestDatabase;
  let api: ImportsService;
  let worker: ImportsService;
  let workerDatabase: Database;

  const make = (database: Database, more: Partial<ConstructorParameters<typeof ImportsService>[1]> = {}) =>
    new ImportsService(database, { importQuotaBytes: 64 * 1024 * 1024, importMaxRowBytes: 64 * 1024, importKeepSeconds: 3600, dbSchemas: ['public', 'graphql_public'], ...more });

  beforeAll(async () => {
    test = await makeTestDatabase();
    const owner = test.admin;
    await owner.transaction({ role: 'postgres', settings: {} }, async (tx) => {
      for (const statement of schema.split(/;\n(?!.*end \$\$)/)) if (statement.trim() !== '') await tx.rows(statement);
    });
    workerDatabase = test.as('mainstay_worker', 6);
    api = make(test.as('mainstay_api', 6));
    worker = make(workerDatabase);
  });
  afterAll(() => test.close());

  interface Sent {
    readonly as?: Caller;
    readonly query?: string;
    readonly type?: string;
    readonly encoding?: string;
    readonly schema?: string;
    readonly length?: number;
    readonly keyed?: Upload['keyed'];
    readonly through?: ImportsService;
  }

  const upload = (collection: string, file: string | Uint8Array | Readable, sent: Sent = {}): Promise<{ id: string; isReplayed: boolean }> => {
    const body = file instanceof Readable ? file : Readable.from(chunksOf(Buffer.from(file as string)));
    const request: Upload = {
      collection, schema: sent.schema, query: new URLSearchParams(sent.query), contentType: sent.type ?? 'text/csv', contentEncoding: sent.encoding,
      contentLength: sent.length ?? null, body, keyed: sent.keyed ?? null,
    };
    return (sent.through ?? api).accept(request, sent.as ?? member).then((answer) => {
      expect(answer.status).toBe(202);
      const { id, state } = JSON.parse(answer.body!) as { id: string; state: string };
      expect({ state, location: answer.headers['location'] }).toEqual({ state: 'queued', location: `/imports/v1/${id}` });
      return { id, isReplayed: answer.isReplayed };
    });
  };

  /** Runs an import's job once, as the engine does: claims it, carries it out, writes down how that ended. */
  const runJob = async (id: string, how: { signal?: AbortSignal; statementTimeout?: string; assertLease?: (tx: Transaction, assert: () => Promise<void>) => Promise<void> } = {}): Promise<void> => {
    const token = randomUUID();
    const [job] = await test.admin.rows<{ id: string; owner: string; role: string; claims: Claims }>(
      `update mainstay_internal.jobs set state = 'running', attempts = attempts + 1, lease_token = $2, lease_until = now() + interval '1 minute', started_at = now()
       where id = (select job_id from mainstay_internal.imports where id = $1) and state = 'queued' returning id, owner, role, claims`,
      [id, token],
    );
    if (job === undefined) throw new Error('the job cannot be claimed');
    const run: JobRun = {
      ...job,
      jobId: job.id,
      attempt: 1,
      session: { role: job.role, settings: { statement_timeout: how.statementTimeout ?? '900s', 'request.jwt.claims': JSON.stringify(job.claims), 'request.jwt.claim.sub': String(job.claims['sub'] ?? '') } },
      signal: how.signal ?? new AbortController().signal,
      assertLease: (tx) => (how.assertLease ?? ((_, assert) => assert()))(tx, () => assertLease(tx, { jobId: job.id, token }, 15)),
      progress: () => {},
      finish: () => {},
      completeBy: () => {},
    };
    const end = (state: string, error: unknown): Promise<unknown> =>
      test.admin.rows(`update mainstay_internal.jobs set state = $2, error = $3, lease_token = null, lease_until = null, finished_at = now() where id = $1`, [job.id, state, JSON.stringify(error)]);
    try {
      await worker.run(id, run);
      await end('done', null);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      await end('failed', { code: error.code, message: error.message, details: error.details, hint: error.hint });
    }
  };

  const importFile = async (collection: string, file: string | Uint8Array | Readable, sent: Sent = {}): Promise<ShownImport> => {
    const { id } = await upload(collection, file, sent);
    await runJob(id);
    return api.find(sent.as ?? member, id);
  };

  const rejectsOf = async (id: string, caller = member): Promise<Omit<Reject, 'row'>[]> => {
    const rejects: Omit<Reject, 'row'>[] = [];
    for await (const page of await api.rejects(caller, id)) rejects.push(...page.map(({ row: _, ...reject }) => reject));
    return rejects;
  };

  const rowsOf = async (text: string): Promise<unknown[]> => test.admin.rows(text);
  const empty = async (...tables: string[]): Promise<unknown> => test.admin.rows(`truncate ${tables.map((table) => `public.${table}`).join(', ')} restart identity cascade`);

  describe('a clean file', () => {
    beforeEach(() => empty('flights', 'notes', 'log'));

    it('becomes rows, converted by PostgreSQL, with defaults', async () => {
      const shown = await importFile('flights', 'id,airline,delay,distance\n1,AA,5,10.50\n2,,,0\n3,UA,-1,\n');
      expect(shown).toMatchObject({ collection: 'public.flights', state: 'done', rows_read: 3, rows_written: 3, rows_rejected: 0, percent: 100, error: null, remaining_seconds: 0 });
      expect(await rowsOf('select * from public.flights order by id')).toEqual([
        { id: 1, airline: 'AA', delay: 5, distance: '10.50', note: 'none' },
        { id: 2, airline: null, delay: null, distance: '0', note: 'none' },
        { id: 3, airline: 'UA', delay: -1, distance: null, note: 'none' },
      ]);
    });

    it('is written under row policies, and triggers work', async () => {
      expect(await importFile('notes', 'id,body\n1,a\n2,b\n')).toMatchObject({ state: 'done', rows_written: 2 });
      expect(await rowsOf('select id, owner, body from public.notes order by id')).toEqual([{ id: 1, owner: memberId, body: 'a' }, { id: 2, owner: memberId, body: 'b' }]);
      expect(await rowsOf('select what from public.log order by id')).toEqual([{ what: 'a' }, { what: 'b' }]);
    });

    it.each([
      ['a quoted empty text is no null', 'id,note\n1,""\n2,\n', '', [{ id: 1, note: '' }, { id: 2, note: null }]],
      ['null=NULL', 'id,note\n1,NULL\n2,"NULL"\n3,\n', 'null=NULL', [{ id: 1, note: null }, { id: 2, note: 'NULL' }, { id: 3, note: '' }]],
      ['delimiter=;', 'id;note\n1;a,b\n', 'delimiter=%3B', [{ id: 1, note: 'a,b' }]],
      ['delimiter=tab', 'id\tnote\n1\ta b\n', 'delimiter=tab', [{ id: 1, note: 'a b' }]],
      ['columns replace the header', 'Number,Remark\n1,a\n', 'columns=id,note', [{ id: 1, note: 'a' }]],
      ['columns without a header', 'a,1\n', 'columns=note,id&header=false', [{ id: 1, note: 'a' }]],
      ['no header, all fields', '1,AA,2,3,x\n', 'header=false', [{ id: 1, note: 'x' }]],
      ['line breaks and quotes in a value', 'id,note\r\n1,"a ""b""\r\nc"\r\n', '', [{ id: 1, note: 'a "b"\r\nc' }]],
      ['CR alone', 'id,note\r1,a\r2,b\r', '', [{ id: 1, note: 'a' }, { id: 2, note: 'b' }]],
      ['mixed line endings and empty lines', 'id,note\n1,a\r\n\n2,b\r\n\r\n3,c', '', [{ id: 1, note: 'a' }, { id: 2, note: 'b' }, { id: 3, note: 'c' }]],
      ['the mark of UTF-8', '\ufeffid,note\n1,é\n', '', [{ id: 1, note: 'é' }]],
      ['a header alone', 'id,note\n', '', []],
    ])('%s', async (_, file, query, rows) => {
      for (const as of [member, service]) {
        await empty('flights');
        expect(await importFile('public.flights', file, { query, as })).toMatchObject({ state: 'done', rows_written: rows.length, rows_rejected: 0, percent: 100 });
        expect(await rowsOf('select id, note from public.flights order by id')).toEqual(rows);
      }
    });

    it('keeps an empty line of a file of one column, which is null', async () => {
      expect(await importFile('one', 'value\na\n\nb\n')).toMatchObject({ rows_written: 3 });
      expect(await rowsOf('select value from public.one')).toEqual([{ value: 'a' }, { value: null }, { value: 'b' }]);
    });

    it('may be gzip, by its encoding or its type', async () => {
      const file = gzipSync('id,note\n1,a\n');
      expect(await importFile('flights', file, { encoding: 'gzip' })).toMatchObject({ state: 'done', rows_written: 1 });
      expect(await importFile('flights', gzipSync('{"id":2}\n'), { type: 'application/gzip', query: 'format=ndjson' })).toMatchObject({ state: 'done', rows_written: 1 });
    });

    it('may have odd names and types: enums, domains, arrays, JSON, identities', async () => {
      const file = '"the id","a,b",mood,tags,body,at,n\n7,abc,good,"{a,""b c""}","{""x"":[1]}",2026-01-02T03:04:05Z,4\n8,,bad,,,,\n';
      for (const as of [member, service]) {
        await test.admin.rows('truncate public."Odd ""things"');
        expect(await importFile('Odd "things', file, { as })).toMatchObject({ state: 'done', rows_written: 2 });
        expect(await rowsOf('select "the id"::int as id, "a,b", mood::text, tags, body, at, twice from public."Odd ""things" order by 1')).toEqual([
          { id: 7, 'a,b': 'abc', mood: 'good', tags: ['a', 'b c'], body: { x: [1] }, at: new Date('2026-01-02T03:04:05Z'), twice: 8 },
          { id: 8, 'a,b': null, mood: 'bad', tags: null, body: null, at: null, twice: null },
        ]);
      }
    });

    it('of many chunks is read to the last row', async () => {
      const lines = Array.from({ length: 3000 }, (_, i) => `${i},${'x'.repeat(2000)}`);
      const { id } = await upload('flights', `id,note\n${lines.join('\n')}\n`);
      const [chunks] = await test.admin.rows<{ n: number }>('select count(*)::int as n from mainstay_internal.import_chunks where import_id = $1', [id]);
      expect(chunks!.n).toBe(3);
      await runJob(id);
      expect(await api.find(member, id)).toMatchObject({ state: 'done', rows_read: 3000, rows_written: 3000 });
      expect(await rowsOf('select count(*)::int, count(distinct id)::int as ids, max(id) from public.flights')).toEqual([{ count: 3000, ids: 3000, max: 2999 }]);
      expect(await rowsOf('select count(*)::int from mainstay_internal.import_chunks')).toEqual([{ count: 0 }]);
    });

    it('goes into a view too', async () => {
      expect(await importFile('flights_view', 'id,delay\n1,2\n')).toMatchObject({ state: 'done', rows_written: 1 });
    });

    it('may refer to later rows of itself', async () => {
      await empty('tree');
      for (const mode of ['rows', 'all']) {
        await empty('tree');
        expect(await importFile('tree', 'id,parent\n1,2\n2,\n', { query: `mode=${mode}` })).toMatchObject({ state: 'done', rows_written: 2, rows_rejected: 0 });
      }
    });
  });

  describe('bad rows', () => {
    beforeEach(() => empty('flights', 'notes', 'wanted'));

    const file = [
      'id,airline,delay,distance', '1,AA,1,1', '2,AA,soon,1', '3,ZZ,1,1', '4,AA,1,-5', '5,AA', '6,AA,1,1,9', '1,UA,2,2', '8,"A\nA",1,1', '9,AA,99999999999,1', ',AA,1,1', '11,UA,3,3',
    ].join('\n');
    const rejects = [
      { line: 3, column: 'delay', value: 'soon', reason: 'invalid input syntax for type integer: "soon"' },
      { line: 4, column: 'airline', value: 'ZZ', reason: 'insert or update on table "flights" violates foreign key constraint "flights_airline_fkey": Key (airline)=(ZZ) is not present in table "airlines".' },
      { line: 5, column: 'distance', value: '-5', reason: 'new row for relation "flights" violates check constraint "flights_distance_check"' },
      { line: 6, column: 'delay', value: null, reason: 'missing data for column "delay"' },
      { line: 7, column: null, value: '6,AA,1,1,9', reason: 'extra data after last expected column' },
      { line: 8, column: 'id', value: '1', reason: 'duplicate key value violates unique constraint "flights_pkey": Key (id)=(1) already exists.' },
      { line: 9, column: 'airline', value: 'A\nA', reason: expect.stringContaining('foreign key') as unknown as string },
      { line: 11, column: 'delay', value: '99999999999', reason: 'value "99999999999" is out of range for type integer' },
      { line: 12, column: 'id', value: '', reason: 'null value in column "id" of relation "flights" violates not-null constraint' },
    ];

    it.each([['by COPY', service], ['through a stage', member]])('are set aside with line, column, value and reason: %s', async (_, as) => {
      if (as === member) await test.admin.rows('alter table public.flights enable row level security; create policy everyone on public.flights using (true)');
      try {
        const shown = await importFile('flights', file, { as });
        // Under row policies PostgreSQL keeps the details of a constraint to itself.
        const shorter = ({ reason }: { reason: string }) => (typeof reason === 'string' ? expect.stringContaining(reason.replace(/: Key .*/, '')) : reason);
        expect(await rejectsOf(shown.id, as)).toEqual(as === service ? rejects : rejects.map((reject) => ({ ...reject, reason: shorter(reject) })));
        expect(shown).toMatchObject({ state: 'done', rows_read: 11, rows_written: 2, rows_rejected: 9, percent: 100, error: null });
        expect(await rowsOf('select id, airline from public.flights order by id')).toEqual([{ id: 1, airline: 'AA' }, { id: 11, airline: 'UA' }]);
      } finally {
        if (as === member) await test.admin.rows('drop policy everyone on public.flights; alter table public.flights disable row level security');
      }
    });

    it('of a foreign owner are refused by the row policy', async () => {
      const shown = await importFile('notes', `id,owner,body\n1,${memberId},a\n2,${otherId},b\n3,${memberId},c\n`);
      expect(shown).toMatchObject({ state: 'done', rows_written: 2, rows_rejected: 1 });
      expect(await rejectsOf(shown.id)).toEqual([{ line: 3, column: null, value: `2,${otherId},b`, reason: 'new row violates row-level security policy for table "notes"' }]);
    });

    it('with bytes that are no UTF-8, or a NUL, are set aside', async () => {
      const bytes = Buffer.concat([Buffer.from('id,note\n1,a\n2,'), Buffer.from([0xff, 0x41]), Buffer.from('\n3,c\n4,d\0e\n5,f\n')]);
      for (const as of [member, service]) {
        await empty('flights');
        const shown = await importFile('flights', bytes, { as });
        expect(await rejectsOf(shown.id, as)).toEqual([
          { line: 3, column: null, value: '2,\ufffdA', reason: expect.stringContaining('invalid byte sequence for encoding "UTF8": 0xff') },
          { line: 5, column: null, value: '4,d\u2400e', reason: 'invalid byte sequence for encoding "UTF8": 0x00' },
        ]);
        expect(await rowsOf('select id from public.flights order by id')).toEqual([{ id: 1 }, { id: 3 }, { id: 5 }]);
      }
    });

    it('are found among many, in every part of every chunk', async () => {
      const bad = new Set([0, 1, 77, 1500, 1501, 2222, 2999]);
      const lines = Array.from({ length: 3000 }, (_, i) => `${i},${bad.has(i) ? 'x' : i % 50},${'y'.repeat(2000)}`);
      for (const as of [member, service]) {
        await empty('flights');
        const shown = await importFile('flights', `id,delay,note\n${lines.join('\n')}\n`, { as });
        expect(shown).toMatchObject({ state: 'done', rows_read: 3000, rows_written: 3000 - bad.size, rows_rejected: bad.size });
        expect((await rejectsOf(shown.id, as)).map(({ line }) => line)).toEqual([...bad].map((i) => i + 2));
      }
    });

    it('beyond max_errors end the import, which says what stays', async () => {
      const shown = await importFile('flights', 'id,delay\n1,1\n2,x\n3,3\n4,x\n5,5\n', { query: 'max_errors=1' });
      expect(shown).toMatchObject({
        state: 'failed', rows_read: 4, rows_written: 2, rows_rejected: 2,
        error: { code: 'too_many_rejects', message: '2 rows were refused; max_errors allows 1', details: '2 of the first 4 rows were written and stay; the rows after them were not read.' },
      });
      expect(await rowsOf('select id from public.flights order by id')).toEqual([{ id: 1 }, { id: 3 }]);
    });

    it('beyond max_errors through a stage: refusals of both passes count in the order of the file', async () => {
      const file = `id,owner\n1,${memberId}\n1,${memberId}\n3,no uuid\n4,${memberId}\n5,no uuid\n6,${memberId}\n`;
      const shown = await importFile('notes', file, { query: `max_errors=1` });
      expect(shown).toMatchObject({ state: 'failed', rows_read: 3, rows_written: 1, rows_rejected: 2 });
      expect((await rejectsOf(shown.id)).map(({ line }) => line)).toEqual([3, 4]);
      expect(await rowsOf('select id from public.notes')).toEqual([{ id: 1 }]);
    });

    it('cannot pass as part of another row: a stray quote, a lone backslash and dot', async () => {
      for (const as of [member, service]) {
        await empty('flights');
        const shown = await importFile('flights', 'id,note\n1,a\n\\.\n2,b\n3,"c\n4,d\n', { as });
        expect(await rowsOf('select id from public.flights order by id')).toEqual([{ id: 1 }, { id: 2 }]);
        expect((await rejectsOf(shown.id, as)).map(({ line }) => line)).toEqual([3, 5]);
      }
    });
  });

  describe('lines of JSON', () => {
    beforeEach(() => empty('flights', 'notes'));
    const type = 'application/x-ndjson';

    it('become rows', async () => {
      const shown = await importFile('flights', '{"id":1,"delay":5,"note":"a\\nb"}\n\n{"note":null,"id":2}\r\n{"id":"3","delay":"7"}', { type });
      expect(shown).toMatchObject({ state: 'done', format: 'ndjson', rows_read: 3, rows_written: 3 });
      expect(await rowsOf('select id, delay, note from public.flights order by id')).toEqual([{ id: 1, delay: 5, note: 'a\nb' }, { id: 2, delay: null, note: null }, { id: 3, delay: 7, note: null }]);
    });

    it('are set aside when they are no objects, no JSON, of other keys or wrong values', async () => {
      const lines = ['{"id":1,"delay":1}', '{"id":2,"delay":"x"}', '[1]', '{"id":', '{"id":5,"extra":1}', '{"id":12345678901234567890}', '5', '{"id":8,"delay":8}', '{"id":1}'];
      const shown = await importFile('flights', lines.join('\n'), { type });
      expect(await rejectsOf(shown.id)).toEqual([
        { line: 2, column: 'delay', value: 'x', reason: 'invalid input syntax for type integer: "x"' },
        { line: 3, column: null, value: '[1]', reason: expect.any(String) },
        { line: 4, column: null, value: '{"id":', reason: expect.stringContaining('invalid input syntax for type json') },
        { line: 5, column: 'extra', value: '1', reason: expect.stringContaining('"extra" is no key of the first line') },
        { line: 6, column: 'id', value: '12345678901234567890', reason: 'value "12345678901234567890" is out of range for type integer' },
        { line: 7, column: null, value: '5', reason: expect.any(String) },
        { line: 9, column: 'id', value: '1', reason: expect.stringContaining('duplicate key') },
      ]);
      expect(await rowsOf('select id from public.flights order by id')).toEqual([{ id: 1 }, { id: 8 }]);
    });

    it('pass over other keys where the columns are named', async () => {
      expect(await importFile('flights', '{"other":[1]}\n{"id":2,"delay":"not looked at"}', { type, query: 'columns=id,note' })).toMatchObject({ rows_written: 1, rows_rejected: 1 });
    });
  });

  describe('keys that are there already', () => {
    beforeEach(async () => {
      await empty('wanted');
      await test.admin.rows(`insert into public.wanted values (1, 'old', 10), (2, 'old', 20)`);
    });
    const file = 'id,name\n1,new\n3,new\n3,newer\n';

    it.each([
      ['on_conflict=id', 3, 0, [{ id: 1, name: 'new', n: 10 }, { id: 2, name: 'old', n: 20 }, { id: 3, name: 'newer', n: null }]],
      ['on_conflict=id&resolution=merge', 3, 0, [{ id: 1, name: 'new', n: 10 }, { id: 2, name: 'old', n: 20 }, { id: 3, name: 'newer', n: null }]],
      ['resolution=ignore', 1, 0, [{ id: 1, name: 'old', n: 10 }, { id: 2, name: 'old', n: 20 }, { id: 3, name: 'new', n: null }]],
      ['', 1, 2, [{ id: 1, name: 'old', n: 10 }, { id: 2, name: 'old', n: 20 }, { id: 3, name: 'new', n: null }]],
    ])('%s', async (query, written, rejected, rows) => {
      for (const as of [member, service]) {
        await empty('wanted');
        await test.admin.rows(`insert into public.wanted values (1, 'old', 10), (2, 'old', 20)`);
        expect(await importFile('wanted', file, { query, as })).toMatchObject({ state: 'done', rows_read: 3, rows_written: written, rows_rejected: rejected });
        expect(await rowsOf('select * from public.wanted order by id')).toEqual(rows);
      }
    });

    it('merged rows that are bad are set aside, and the good ones of the same key stay', async () => {
      const shown = await importFile('wanted', 'id,name,n\n5,a,1\n5,,2\n6,b,10\n7,c,3\n', { query: 'on_conflict=id' });
      expect(shown).toMatchObject({ rows_written: 2, rows_rejected: 2 });
      expect(await rowsOf('select * from public.wanted where id > 2 order by id')).toEqual([{ id: 5, name: 'a', n: 1 }, { id: 7, name: 'c', n: 3 }]);
    });
  });

  describe('all or nothing', () => {
    beforeEach(() => empty('flights', 'notes', 'wanted'));

    it('writes every row of a clean file in one go', async () => {
      const lines = Array.from({ length: 3000 }, (_, i) => `${i},${'x'.repeat(2000)}`);
      for (const [as, collection] of [[service, 'flights'], [member, 'flights']] as const) {
        await empty('flights');
        expect(await importFile(collection, `id,note\n${lines.join('\n')}\n`, { as, query: 'mode=all' })).toMatchObject({ state: 'done', mode: 'all', rows_read: 3000, rows_written: 3000, percent: 100 });
      }
      expect(await rowsOf('select count(*)::int from public.flights')).toEqual([{ count: 3000 }]);
    });

    it.each([
      ['a wrong value', 'id,delay\n1,1\n2,x\n3,3\n4,y\n', [3, 5]],
      ['a broken constraint', 'id,distance\n1,1\n2,-1\n1,2\n', [3, 4]],
      ['both', 'id,delay,distance\n1,x,1\n2,2,-1\n3,3,3\n', [2, 3]],
    ])('with %s writes nothing and says which rows are refused', async (_, file, lines) => {
      for (const as of [member, service]) {
        const shown = await importFile('flights', file, { as, query: 'mode=all' });
        expect(shown).toMatchObject({ state: 'failed', rows_read: 0, rows_written: 0, rows_rejected: lines.length, error: { code: 'nothing_written', message: `${lines.length === 1 ? '1 row was' : `${lines.length} rows were`} refused, so none was written (mode=all)` } });
        expect((await rejectsOf(shown.id, as)).map(({ line }) => line)).toEqual(lines);
        expect(await rowsOf('select count(*)::int from public.flights')).toEqual([{ count: 0 }]);
      }
    });

    it('of JSON is the same', async () => {
      const type = 'application/x-ndjson';
      expect(await importFile('flights', '{"id":1}\n{"id":2}\n', { type, query: 'mode=all' })).toMatchObject({ state: 'done', rows_written: 2 });
      const shown = await importFile('flights', '{"id":3}\n{"id":"x"}\n', { type, query: 'mode=all' });
      expect(shown).toMatchObject({ state: 'failed', rows_written: 0, rows_rejected: 1 });
    });

    it('merges', async () => {
      await test.admin.rows(`insert into public.wanted values (1, 'old', 10)`);
      expect(await importFile('wanted', 'id,name\n1,new\n1,newer\n', { query: 'mode=all&on_conflict=id' })).toMatchObject({ state: 'done', rows_written: 2 });
      expect(await rowsOf('select * from public.wanted')).toEqual([{ id: 1, name: 'newer', n: 10 }]);
    });
  });

  describe('what is refused at once', () => {
    const left = async () => (await test.admin.rows<{ n: number }>('select count(*)::int as n from mainstay_internal.imports'))[0]!.n;

    it.each<[string, string, string, Sent, number, string, string]>([
      ['a guest', 'flights', 'id\n1\n', { as: guest }, 401, 'import_needs_caller', 'Sign in, or use the service key, to import'],
      ['an unknown collection', 'flihgts', 'id\n1\n', {}, 404, 'collection_not_found', 'There is no collection "public.flihgts"; did you mean "flights"?'],
      ['a collection of a schema that is not exposed', 'auth.users', 'id\n1\n', { as: service }, 404, 'collection_not_found', 'There is no collection "auth.users"'],
      ['a schema that is not exposed', 'users', 'id\n1\n', { as: service, schema: 'auth' }, 404, 'collection_not_found', 'Schema "auth" is not exposed'],
      ['a name with a NUL', 'fl\0ights', 'id\n1\n', {}, 404, 'collection_not_found', expect.stringContaining('There is no collection') as unknown as string],
      ['a collection without a grant', 'locked', 'id\n1\n', {}, 403, 'collection_not_writable', 'Role authenticated may not add rows to public.locked'],
      ['a role that the worker cannot act as', 'flights', 'id\n1\n', { as: makeCaller('user', { sub: memberId, role: 'postgres' }) }, 403, 'role_cannot_import', 'Role postgres cannot import'],
      ['an unknown column', 'flights', 'id,dealy\n1,1\n', {}, 400, 'column_unknown', '"dealy" is no field of public.flights; did you mean "delay"?'],
      ['a column named __proto__', 'flights', 'id,__proto__\n1,1\n', {}, 400, 'column_unknown', '"__proto__" is no field of public.flights'],
      ['a column named constructor', 'flights', 'constructor\n1\n', {}, 400, 'column_unknown', '"constructor" is no field of public.flights'],
      ['a wrong delimiter', 'flights', 'id;delay\n1;1\n', {}, 400, 'column_unknown', '"id;delay" is no field of public.flights'],
      ['a computed column', 'Odd "things', 'n,twice\n1,2\n', {}, 400, 'column_not_writable', '"twice" of public.Odd "things is computed by PostgreSQL'],
      ['more names than columns', 'flights', 'id,delay\n1,1\n', { query: 'columns=id' }, 400, 'option_not_valid', 'The option "columns" names 1 columns, and the header of the file 2'],
      ['no unique key', 'flights', 'id,delay\n1,1\n', { query: 'on_conflict=delay' }, 400, 'conflict_key_unknown', 'public.flights has no unique key of exactly delay'],
      ['no primary key', 'one', 'value\n1\n', { query: 'resolution=merge' }, 400, 'conflict_key_unknown', 'public.one has no primary key'],
      ['a key that is not in the file', 'flights', 'delay\n1\n', { query: 'on_conflict=id' }, 400, 'conflict_key_unknown', 'The key column "id" is not in the file, so no row can be matched by it'],
      ['a row without end', 'flights', `id,note\n1,a\n2,${'x'.repeat(70_000)}\n`, {}, 400, 'row_too_long', 'The row that begins on line 3 is longer than 65536 bytes'],
      ['a quote that nobody closes', 'flights', `id,note\n1,"a\n${'2,b\n'.repeat(20_000)}`, {}, 400, 'row_too_long', 'The row that begins on line 2 is longer than 65536 bytes'],
      ['a million columns', 'flights', `${'a,'.repeat(30_000)}\n`, {}, 400, 'too_many_columns', 'The file has 30001 columns; a collection has at most 1600'],
      ['an empty file', 'flights', '', {}, 400, 'file_is_empty', 'The file is empty'],
      ['a wrong option', 'flights', 'id\n1\n', { query: 'mod=all' }, 400, 'option_unknown', '"mod" is no option of an import; did you mean "mode"?'],
      ['no gzip', 'flights', 'id\n1\n', { encoding: 'gzip' }, 400, 'gzip_not_valid', 'The body is not valid gzip'],
    ])('%s', async (_, collection, file, sent, status, code, message) => {
      const before = await left();
      await expect(upload(collection, file, sent)).rejects.toMatchObject({ status, code, message });
      expect(await left()).toBe(before);
    });

    it('an upload over the quota, announced or not, and nothing of it stays', async () => {
      const small = make(test.as('mainstay_api', 2), { importQuotaBytes: 3 * 1024 * 1024 });
      const before = await left();
      await expect(upload('flights', 'id\n1\n', { through: small, length: 4e6 })).rejects.toMatchObject({ status: 413, code: 'quota_used_up' });
      await expect(upload('flights', `id\n${'1234567890\n'.repeat(3e5)}`, { through: small })).rejects.toMatchObject({ status: 413, code: 'quota_used_up' });
      expect(await left()).toBe(before);
    });

    it('a second file that does not fit beside the first, until that is read', async () => {
      await empty('flights');
      const small = make(test.as('mainstay_api', 2), { importQuotaBytes: 1024 * 1024 });
      const file = `note,id\n${Array.from({ length: 6000 }, (_, i) => `${'x'.repeat(100)},${i}`).join('\n')}\n`;
      const { id } = await upload('flights', file, { through: small, as: other });
      await expect(upload('flights', file, { through: small, as: other })).rejects.toMatchObject({ status: 413 });
      await upload('flights', file, { through: small, as: service });
      await runJob(id);
      await upload('flights', file, { through: small, as: other });
    });

    it('a gzip bomb, within bounded memory', async () => {
      const small = make(test.as('mainstay_api', 2), { importQuotaBytes: 2 * 1024 * 1024 });
      const bomb = gzipSync(Buffer.concat([Buffer.from('note\n'), Buffer.alloc(256 * 1024 * 1024, 'x\n')]));
      const before = process.memoryUsage.rss();
      let most = 0;
      const timer = setInterval(() => (most = Math.max(most, process.memoryUsage.rss() - before)), 5);
      await expect(upload('flights', bomb, { through: small, encoding: 'gzip' })).rejects.toMatchObject({ status: 413, code: 'quota_used_up' });
      clearInterval(timer);
      expect(most).toBeLessThan(150 * 1024 * 1024);
    });

    it('an upload that breaks off', async () => {
      const before = await left();
      const body = Readable.from((async function* () {
        yield Buffer.from('id\n1\n');
        throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
      })());
      await expect(upload('flights', body)).rejects.toMatchObject({ code: 'upload_broken_off' });
      expect(await left()).toBe(before);
    });

    it('and the next good import works', async () => {
      await empty('flights');
      expect(await importFile('flights', 'id\n1\n')).toMatchObject({ state: 'done', rows_written: 1 });
    });
  });

  describe('whose it is', () => {
    let id: string;
    beforeAll(async () => {
      await empty('flights');
      ({ id } = await importFile('flights', 'id,delay\n1,1\n2,x\n'));
    });

    it.each([['guest', guest, 401], ['member', member, 200], ['other member', other, 404], ['service', service, 200]] as const)('%s looks at an import of the member', async (_, caller, status) => {
      const answers = [() => api.find(caller, id), () => rejectsOf(id, caller), () => api.cancel(caller, id)];
      const outcomes = await Promise.all(answers.map((ask) => ask().then(() => 200, (error: Fault) => error.status)));
      expect(outcomes).toEqual([status, status, status === 200 ? 409 : status]);
    });

    it('lists hold one’s own, newest first', async () => {
      const second = await importFile('flights', 'id\n3\n');
      const mine = await api.list(member, { limit: '2' });
      expect(mine.map((shown) => shown.id)).toEqual([second.id, id]);
      expect((await api.list(member, { before: second.id, limit: '1' })).map((shown) => shown.id)).toEqual([id]);
      expect((await api.list(other, {})).map((shown) => shown.id)).not.toContain(id);
      expect((await api.list(service, { limit: '500' })).map((shown) => shown.id)).toContain(id);
      await expect(api.list(guest, {})).rejects.toMatchObject({ status: 401 });
      await expect(api.list(member, { limit: '0' })).rejects.toMatchObject({ status: 400 });
    });

    it('an id that is none, or is nobody’s', async () => {
      await expect(api.find(service, 'x')).rejects.toMatchObject({ status: 404 });
      await expect(api.find(service, randomUUID())).rejects.toMatchObject({ status: 404 });
    });

    it('the api’s login sees nothing without a caller', async () => {
      const login = test.as('mainstay_api', 1);
      expect(await login.rows('select * from mainstay_internal.imports')).toEqual([]);
      expect(await login.rows('select * from mainstay_internal.import_rejects')).toEqual([]);
      await expect(login.rows('select * from mainstay_internal.import_chunks')).rejects.toThrow('permission denied');
    });

    it.each(['anon', 'authenticated', 'service_role'])('role %s may not even look into our tables', async (role) => {
      for (const table of ['imports', 'import_chunks', 'import_rejects']) {
        await expect(workerDatabase.transaction({ role, settings: {} }, (tx) => tx.rows(`select * from mainstay_internal.${table}`))).rejects.toThrow('permission denied');
      }
    });
  });

  describe('a repeated upload', () => {
    const keyed = (key: string, path = '/imports/v1/flights') => (digest: Uint8Array) => ({ owner: memberId, key, method: 'POST', path, bodyHash: digest });

    it('under the same key is the same import', async () => {
      await empty('flights');
      const first = await upload('flights', 'id\n1\n', { keyed: keyed('k1') });
      const [again, third] = [await upload('flights', 'id\n1\n', { keyed: keyed('k1') }), await upload('flights', 'id\n1\n', { keyed: keyed('k1') })];
      expect([first.isReplayed, again, third]).toEqual([false, { id: first.id, isReplayed: true }, { id: first.id, isReplayed: true }]);
    });

    it('with another body is refused', async () => {
      await upload('flights', 'id\n1\n', { keyed: keyed('k2') });
      await expect(upload('flights', 'id\n2\n', { keyed: keyed('k2') })).rejects.toMatchObject({ status: 422, code: 'idempotency_key_reused' });
    });

    it('many at once are one', async () => {
      const before = await test.admin.rows('select id from mainstay_internal.imports');
      const answers = await Promise.allSettled(Array.from({ length: 10 }, () => upload('flights', 'id\n1\n', { keyed: keyed('k3') })));
      const ids = new Set(answers.filter((answer) => answer.status === 'fulfilled').map(({ value }) => value.id));
      expect(ids.size).toBe(1);
      for (const answer of answers) if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ status: 409 });
      expect(await test.admin.rows('select id from mainstay_internal.imports')).toHaveLength(before.length + 1);
    });
  });

  describe('each row once', () => {
    const rows = 4000;
    const file = `id,delay,note\n${Array.from({ length: rows }, (_, i) => `${i},${i % 1000 === 7 ? 'x' : 1},${'y'.repeat(2000)}`).join('\n')}\n`;
    const checkAll = async (id: string, as: Caller) => {
      expect(await api.find(as, id)).toMatchObject({ state: 'done', rows_read: rows, rows_written: rows - rows / 1000, rows_rejected: rows / 1000, percent: 100 });
      expect(await rowsOf('select count(*)::int, count(distinct id)::int as ids from public.flights')).toEqual([{ count: rows - rows / 1000, ids: rows - rows / 1000 }]);
      expect(await rejectsOf(id, as)).toHaveLength(rows / 1000);
    };
    /** Lets a worker die when it asserts its lease for the nth time: before its transaction commits. */
    const dieAt = (nth: number) => {
      let asked = 0;
      return async (_: Transaction, assert: () => Promise<void>) => {
        await assert();
        if ((asked += 1) === nth) throw new Error('killed');
      };
    };
    const giveBack = (id: string) =>
      test.admin.rows(`update mainstay_internal.jobs set state = 'queued', lease_token = null, lease_until = null, max_attempts = attempts + 5 where id = (select job_id from mainstay_internal.imports where id = $1)`, [id]);

    it.each([['by COPY', service], ['through a stage', member]] as const)('though workers die before each commit: %s', async (_, as) => {
      await empty('flights');
      if (as === member) await test.admin.rows('alter table public.flights enable row level security; create policy everyone on public.flights using (true)');
      try {
        const { id } = await upload('flights', file, { as });
        for (const nth of [1, 2, 1, 3]) {
          await expect(runJob(id, { assertLease: dieAt(nth) })).rejects.toThrow('killed');
          await giveBack(id);
        }
        await runJob(id);
        await checkAll(id, as);
      } finally {
        if (as === member) await test.admin.rows('drop policy everyone on public.flights; alter table public.flights disable row level security');
      }
    });

    it.each([
      ['by its lease', (_: Transaction, assert: () => Promise<void>) => assert(), 'no longer held'],
      ['by the cursor alone', (tx: Transaction) => tx.become({ role: 'none', settings: {} }), 'does not stand at row 0'],
    ])('though a worker that was given up wakes beside its successor: fenced %s', async (_, assertAnyhow, words) => {
      await empty('one');
      const { id } = await upload('one', 'value\na\nb\n', { as: service });
      let wake = (): void => {};
      const paused = new Promise<void>((resolve) => (wake = resolve));
      let arrived = (): void => {};
      const hasArrived = new Promise<void>((resolve) => (arrived = resolve));
      // It holds its rows uncommitted, as a process does that is stopped and later continued.
      const stale = runJob(id, {
        assertLease: async (tx, assert) => {
          arrived();
          await paused;
          await assertAnyhow(tx, assert);
        },
      });
      const staleEnd = expect(stale).rejects.toThrow(words);
      await hasArrived;
      await giveBack(id);
      await runJob(id);
      wake();
      await staleEnd;
      expect(await api.find(service, id)).toMatchObject({ state: 'done', rows_written: 2 });
      expect(await rowsOf('select value from public.one')).toEqual([{ value: 'a' }, { value: 'b' }]);
    });

    it('or not at all, when its lease is lost', async () => {
      await empty('flights');
      const { id } = await upload('flights', 'id\n1\n', { as: service });
      await expect(runJob(id, { assertLease: async (tx) => assertLease(tx, { jobId: (await api.find(service, id)).job_id!, token: randomUUID() }, 15) })).rejects.toThrow('no longer held');
      expect(await rowsOf('select id from public.flights')).toEqual([]);
    });
  });

  describe('cancelling', () => {
    it('a waiting import lets its file go at once', async () => {
      const { id } = await upload('flights', 'id\n1\n');
      const shown = await api.cancel(member, id);
      expect(shown).toMatchObject({ state: 'cancelled', rows_written: 0, error: { code: 'import_cancelled', message: 'The import was cancelled', details: 'Nothing was written.' } });
      expect(await api.cancel(member, id)).toMatchObject({ state: 'cancelled' });
      expect(await test.admin.rows('select 1 from mainstay_internal.import_chunks where import_id = $1', [id])).toEqual([]);
    });

    it('a running one stops a statement in its middle; what was written stays and the answer says so', async () => {
      await test.admin.rows(`create table public.slow (id int);
        create function public.be_slow() returns trigger language plpgsql as $$ begin if new.id >= 100000 then perform pg_sleep(20); end if; return new; end $$;
        create trigger be_slow before insert on public.slow for each row execute function public.be_slow();
        grant insert, select on public.slow to authenticated`);
      const { id } = await upload('slow', `id\n${Array.from({ length: 200_000 }, (_, i) => 1 + i).join('\n')}\n`);
      const aborter = new AbortController();
      const running = runJob(id, { signal: aborter.signal });
      const ended = expect(running).rejects.toThrow('cancelled');
      while ((await test.admin.rows(`select 1 from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`)).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      const before = performance.now();
      const shown = await api.cancel(member, id);
      aborter.abort(new Error('cancelled'));
      await ended;
      expect(performance.now() - before).toBeLessThan(5000);
      const [written] = await test.admin.rows<{ n: number }>('select count(*)::int as n from public.slow');
      expect(await api.find(member, id)).toMatchObject({ state: 'cancelled', rows_written: written!.n });
      expect(shown.error?.details).toBe(written!.n === 0 ? 'Nothing was written.' : `${written!.n.toLocaleString('en')} of the first ${written!.n.toLocaleString('en')} rows were written and stay; the rows after them were not read.`);
    });

    it('by its job is the same', async () => {
      const { id } = await upload('flights', 'id\n1\n');
      const { job_id: jobId } = await api.find(member, id);
      await test.admin.rows(`update mainstay_internal.jobs set state = 'cancelled', finished_at = now() where id = $1`, [jobId]);
      expect(await api.find(member, id)).toMatchObject({ state: 'cancelled', finished_at: expect.stringMatching(/Z$/) });
    });
  });

  describe('on the way', () => {
    it('a statement that takes too long is tried with fewer rows', async () => {
      await test.admin.rows(`create table public.sluggish (id int);
        create function public.dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(0.01); return new; end $$;
        create trigger dawdle after insert on public.sluggish for each row execute function public.dawdle();
        grant insert, select on public.sluggish to authenticated`);
      const { id } = await upload('sluggish', `id\n${'1\n'.repeat(120)}`);
      await runJob(id, { statementTimeout: '800ms' });
      expect(await api.find(member, id)).toMatchObject({ state: 'done', rows_written: 120 });
      expect((await test.admin.rows('select from public.sluggish group by xmin')).length).toBeGreaterThan(2);
    });

    it('a collection that is gone fails the import, in words', async () => {
      await test.admin.rows('create table public.passing (id int); grant insert on public.passing to authenticated');
      const { id } = await upload('passing', 'id\n1\n');
      await test.admin.rows('drop table public.passing');
      await runJob(id);
      expect(await api.find(member, id)).toMatchObject({ state: 'failed', error: { code: 'collection_not_found', message: 'public.passing is no longer there' } });
    });

    it('a grant that was taken back fails it too', async () => {
      await test.admin.rows('create table public.granted (id int); grant insert on public.granted to authenticated');
      const { id } = await upload('granted', 'id\n1\n');
      await test.admin.rows('revoke all on public.granted from authenticated');
      await runJob(id);
      expect(await api.find(member, id)).toMatchObject({ state: 'failed', error: { code: 'collection_not_writable' } });
    });

    it('a trigger that cannot work fails it with PostgreSQL’s words', async () => {
      await test.admin.rows(`create table public.broken (id int); grant insert on public.broken to authenticated;
        create function public.break() returns trigger language plpgsql as $$ begin perform no_such_function(); return new; end $$;
        create trigger break before insert on public.broken for each row execute function public.break()`);
      const shown = await importFile('broken', 'id\n1\n');
      expect(shown).toMatchObject({ state: 'failed', error: { code: 'statement_refused', message: 'function no_such_function() does not exist', details: 'Nothing was written.' } });
    });

    it('an account that was banned meanwhile writes nothing', async () => {
      await empty('notes');
      await test.admin.rows(`insert into auth.users (id, email) values ($1, 'm@example.org') on conflict do nothing`, [memberId]);
      const { id } = await upload('notes', 'id\n1\n');
      await test.admin.rows(`update auth.users set banned_until = now() + interval '1 day' where id = $1`, [memberId]);
      await runJob(id);
      await test.admin.rows('delete from auth.users where id = $1', [memberId]);
      expect(await api.find(member, id)).toMatchObject({ state: 'failed', error: { code: 'caller_banned' } });
      expect(await rowsOf('select id from public.notes')).toEqual([]);
    });
  });

  describe('the sweep', () => {
    it('takes old imports with their rejects, and uploads that nobody continues; no others', async () => {
      await empty('flights');
      const old = await importFile('flights', 'id\nx\n');
      const fresh = await importFile('flights', 'id\ny\n');
      await test.admin.rows(`update mainstay_internal.imports set finished_at = now() - interval '2 hours' where id = $1`, [old.id]);
      const [lost, moving] = await test.admin.rows<{ id: string }>(
        `insert into mainstay_internal.imports (owner, collection_schema, collection_name, format, mode, max_errors, terms, touched_at)
         select 'x', 'public', 'flights', 'csv', 'rows', 0, '{}', now() - age * interval '1 minute' from unnest(array[61, 59]) as age returning id`);
      await worker.sweep();
      const kept = (await test.admin.rows<{ id: string }>('select id from mainstay_internal.imports')).map((row) => row.id);
      expect(kept).toEqual(expect.arrayContaining([fresh.id, moving!.id]));
      expect(kept).not.toContain(old.id);
      expect(kept).not.toContain(lost!.id);
      expect(await test.admin.rows('select 1 from mainstay_internal.import_rejects where import_id = $1', [old.id])).toEqual([]);
    });
  });
});

function* chunksOf(bytes: Buffer, size = 64 * 1024): Generator<Buffer> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}
