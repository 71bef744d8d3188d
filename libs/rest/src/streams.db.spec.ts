import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '@mainstay/domain';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { ada, guest, openShop, service, type Shop } from './shop-database.ts';

const sql = `
create table readings (id int primary key, place text, value numeric);
insert into readings select g, 'place "' || g % 7 || '", north', g / 4.0 from generate_series(1, 30000) g;
create table places (id int primary key, note json);
insert into places values (1, '{"a":\n 1}'), (2, null);
create table visits (id int primary key, place_id int references places);
insert into visits values (1, 1), (2, 1), (3, 2);
create view faulty as select id, 1 / (25000 - id) as x from readings;
create view at_once_faulty as select id, 1 / (1 - id) as x from readings;
create table diary (id int primary key, owner uuid, page text);
alter table diary enable row level security;
create policy own on diary for select using (owner = auth.uid());
insert into diary select g, case when g % 2 = 0 then '00000000-0000-0000-0000-00000000000a'::uuid end, 'x' from generate_series(1, 30000) g;
create function numbers(most int) returns setof int language sql stable as $$ select generate_series(1, most) $$;
create function some_readings(most int) returns setof readings language sql stable as $$ select * from public.readings where id <= most $$;
create function dawdle() returns setof int language sql stable set statement_timeout = '100ms' as $$ select 1 from pg_sleep(20) $$;
create function slow_rows() returns setof int language plpgsql stable as $$ begin return next 1; perform pg_sleep(20); return next 2; end $$;
create function announce() returns setof int language plpgsql stable as $$ begin perform set_config('response.headers', '[{"X-Told":"yes"}]', true); return query select generate_series(1, 100000); end $$;
grant all on all tables in schema public to anon, authenticated, service_role;
grant execute on all functions in schema public to anon, authenticated, service_role;
`;

let database: TestDatabase;
let shop: Shop;
beforeAll(async () => {
  database = await makeTestDatabase();
  shop = await openShop(database, { sql, maxRows: 10, house: { streams: { maxRows: null, isCsvLimited: false, maxOpen: 2, stillSeconds: 1, maxSeconds: 60 } } });
});
afterAll(async () => {
  await shop.keeper.close();
  await database.close();
});

const lines = { accept: 'application/x-ndjson' };
const csv = { accept: 'text/csv' };

/** The answer with its body still to be read. */
async function open(line: string, headers: Record<string, string>, as: Caller = service, signal?: AbortSignal) {
  const [path, query = ''] = line.split('?') as [string, string?];
  const answer = await shop.rest.answer({ method: 'GET', path, query, headers, body: null }, as, signal === undefined ? {} : { signal });
  return { ...answer, headers: Object.fromEntries(answer.headers.map(([name, value]) => [name.toLowerCase(), value])) };
}

async function read(line: string, headers: Record<string, string>, as?: Caller): Promise<{ status: number; headers: Record<string, string>; text: string; isStreamed: boolean }> {
  const { status, headers: told, body } = await open(line, headers, as);
  if (!(body instanceof Readable)) return { status, headers: told, text: body as string, isStreamed: false };
  return { status, headers: told, text: Buffer.concat(await body.toArray()).toString(), isStreamed: true };
}

const running = async (): Promise<number> => Number((await database.admin.rows<{ n: string }>(`select count(*) as n from pg_stat_activity where datname = current_database() and usename = 'authenticator' and state <> 'idle'`))[0]!.n);

async function untilNoneRuns(): Promise<void> {
  for (let i = 0; (await running()) > 0; i += 1) {
    if (i > 200) throw new Error('a query still runs');
    await sleep(10);
  }
}

describe('a small answer', () => {
  it.each<[string, Record<string, string>, string, string, string]>([
    ['/readings?select=id&id=lt.3&order=id', lines, '{"id":1}\n{"id":2}\n', '0-1/*', 'application/x-ndjson; charset=utf-8'],
    ['/readings?select=id&id=lt.0', lines, '', '*/*', 'application/x-ndjson; charset=utf-8'],
    ['/readings?select=id&order=id&limit=2&offset=1', { ...lines, prefer: 'count=exact' }, '{"id":2}\n{"id":3}\n', '1-2/30000', 'application/x-ndjson; charset=utf-8'],
    ['/readings?select=id,place,value&id=lt.3&order=id', csv, 'id,place,value\n1,"place ""1"", north",0.25000000000000000000\n2,"place ""2"", north",0.50000000000000000000', '0-1/*', 'text/csv; charset=utf-8'],
    ['/readings?select=id&id=lt.0', csv, '\n', '*/*', 'text/csv; charset=utf-8'],
    ['/readings?select=id&id=lt.0&limit=5', csv, '\n', '*/*', 'text/csv; charset=utf-8'],
    ['/readings?select=id&order=id&limit=2', csv, 'id\n1\n2', '0-1/*', 'text/csv; charset=utf-8'],
    ['/readings?select=id&id=lt.3&order=id', { ...csv, prefer: 'count=exact' }, 'id\n1\n2', '0-1/2', 'text/csv; charset=utf-8'],
    ['/rpc/numbers?most=3', lines, '1\n2\n3\n', '0-2/*', 'application/x-ndjson; charset=utf-8'],
    ['/rpc/some_readings?most=2&select=id', csv, 'id\n1\n2', '0-1/*', 'text/csv; charset=utf-8'],
    ['/places?select=id,note,visits(id)&order=id', lines, '{"id":1,"note":{"a":  1},"visits":[{"id":1},   {"id":2}]}\n{"id":2,"note":null,"visits":[{"id":3}]}\n', '0-1/*', 'application/x-ndjson; charset=utf-8'],
  ])('%s %j has the body and the headers of one that is no stream', async (line, headers, text, range, type) => {
    expect(await read(line, headers)).toMatchObject({ text, isStreamed: false, headers: { 'content-range': range, 'content-type': type } });
  });

  it('a write can answer in lines', async () => {
    const answer = await shop.ask('POST /places', { headers: { ...lines, prefer: 'return=representation' }, body: [{ id: 3, note: null }, { id: 4, note: { a: 1 } }] });
    expect(answer).toMatchObject({ status: 201, body: '{"id":3,"note":null}\n{"id":4,"note":{"a":1}}\n' });
    await database.admin.rows('delete from places where id > 2');
  });

  it('HEAD has the type and no body', async () => {
    expect(await shop.ask('HEAD /readings?id=lt.3', { headers: lines })).toMatchObject({ status: 200, body: null, headers: { 'content-type': 'application/x-ndjson; charset=utf-8' } });
  });
});

describe('a large answer', () => {
  it('has every row, beyond the limit of other reads, in order', async () => {
    const { status, headers, text, isStreamed } = await read('/readings?select=id,value&order=id', lines);
    const rows = text.trimEnd().split('\n').map((line) => JSON.parse(line) as { id: number });
    expect({ status, isStreamed, range: headers['content-range'], rows: rows.length, first: rows[0], last: rows.at(-1)?.id }).toEqual({ status: 200, isStreamed: true, range: undefined, rows: 30_000, first: { id: 1, value: 0.25 }, last: 30_000 });
  });

  it('is the CSV that PostgreSQL would give whole', async () => {
    const { text, isStreamed } = await read('/readings?order=id', csv);
    const [whole] = await database.admin.rows<{ text: string }>(`select 'id,place,value' || E'\\n' || string_agg(substring(r::text, 2, length(r::text) - 2), E'\\n' order by id) as text from readings r`);
    expect({ isStreamed, isSame: text === whole!.text }).toEqual({ isStreamed: true, isSame: true });
  });

  it.each<[string, string, number, string | undefined]>([
    ['/readings?select=id,place', 'count=exact', 200, '0-29999/30000'],
    ['/readings?select=id,place&limit=20000&offset=100', 'count=exact', 206, '100-20099/30000'],
    ['/readings?select=id,place&limit=29000', 'count=planned', 206, '*/30000'],
  ])('%s with %s is %i %s', async (line, prefer, status, range) => {
    await database.admin.rows('analyze readings');
    const answer = await read(line, { ...lines, prefer });
    expect({ status: answer.status, range: answer.headers['content-range'], isStreamed: answer.isStreamed }).toEqual({ status, range, isStreamed: true });
  });

  it('shows a caller only the rows of theirs', async () => {
    expect((await read('/diary?select=id,owner', lines, ada)).text.split('\n')).toHaveLength(15_001);
    expect((await read('/diary?select=id', lines, guest)).text).toBe('');
  });

  it('has the headers that SQL set before the first row', async () => {
    expect((await read('/rpc/announce', lines)).headers['x-told']).toBe('yes');
  });
});

describe('a fault', () => {
  it('before the first row is an answer', async () => {
    await expect(open('/at_once_faulty?select=x&order=id', lines)).rejects.toMatchObject({ status: 400, code: '22012' });
    await expect(open('/rpc/dawdle', lines)).rejects.toMatchObject({ status: 500, code: '57014' });
  });

  it('midway is the last line', async () => {
    const { status, text } = await read('/faulty?order=id', lines);
    const all = text.trimEnd().split('\n');
    expect({ status, last: JSON.parse(all.at(-1)!) as unknown }).toEqual({ status: 200, last: { $error: { code: '22012', message: 'division by zero', details: null, hint: null } } });
    expect(all.length).toBeLessThan(25_001);
    expect(JSON.parse(all.at(-2)!)).toMatchObject({ id: expect.any(Number) });
  });

  it('midway breaks CSV off, which has no place for it', async () => {
    await expect(read('/faulty?order=id', csv)).rejects.toThrow('division by zero');
  });
});

describe('a reader', () => {
  it('who leaves ends the query', async () => {
    const { body } = await open('/readings', lines);
    await (body as Readable).iterator({ destroyOnReturn: true }).next();
    expect(await running()).toBe(1);
    (body as Readable).destroy();
    await untilNoneRuns();
  });

  it('who leaves before the first row ends it too', async () => {
    const leaving = new AbortController();
    const asked = open('/rpc/slow_rows', lines, service, leaving.signal);
    asked.catch(() => {});
    while ((await running()) === 0) await sleep(5);
    leaving.abort();
    await expect(asked).rejects.toThrow();
    await untilNoneRuns();
  });

  it('who is slow makes nothing pile up', async () => {
    const { body } = await open('/readings?order=id', lines);
    const stream = body as Readable;
    let rows = '';
    for await (const piece of stream) {
      rows += (piece as Buffer).toString();
      expect(stream.readableLength).toBeLessThan(100_000);
      if (rows.length < 300_000) await sleep(5);
    }
    expect(rows.trimEnd().split('\n')).toHaveLength(30_000);
  });

  it('who stands still is cut', async () => {
    const { body } = await open('/readings', lines);
    const cut = new Promise((resolve) => (body as Readable).once('error', resolve));
    expect(await cut).toMatchObject({ message: 'the reader took nothing for 1 s' });
    await untilNoneRuns();
  });

  it('is refused when too many are being read, and small answers are not', async () => {
    const held = await Promise.all([open('/readings', lines), open('/readings', csv)]);
    await expect(open('/readings', lines)).rejects.toMatchObject({ status: 503, code: 'PGRSTX10', headers: { 'Retry-After': '5' } });
    expect((await read('/readings?select=id&id=eq.1', lines)).text).toBe('{"id":1}\n');
    for (const { body } of held) (body as Readable).destroy();
    await untilNoneRuns();
    expect((await read('/readings?select=id', lines)).isStreamed).toBe(true);
  });
});
