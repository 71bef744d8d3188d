import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { ada, openShop, type Shop } from './shop-database.ts';

const sql = `
create table clubs (id int primary key, name text);
insert into clubs values (1, 'Blue'), (2, 'Amber'), (3, null);
create table runs (id int primary key, club_id int references clubs, day date not null, seconds numeric, note jsonb, tag text);
insert into runs select g, nullif(g % 4, 0), date '2026-01-01' + g % 5, nullif(g % 7, 3) / 2.0, case g % 3 when 0 then null else jsonb_build_object('rank', g % 6, 'who', 'x' || g % 2) end, case when g % 2 = 0 then 'ä,"' || g % 4 end
  from generate_series(1, 61) g;
create index on runs (day, id);
create table pairs (a int, b text, note text, primary key (a, b));
insert into pairs select g / 3, 'b' || g % 3, case when g % 2 = 0 then 'n' end from generate_series(0, 17) g;
create table coded (code text not null unique, loose int unique, label text);
insert into coded select 'c' || g, null, 'l' || g % 3 from generate_series(1, 9) g;
create table heap (a int, b int unique);
create view fast_runs as select id as number, seconds from runs where seconds < 2;
create table diary (id int primary key, owner uuid, page int);
alter table diary enable row level security;
create policy own on diary using (owner = auth.uid());
insert into diary select g, case when g % 2 = 0 then '00000000-0000-0000-0000-00000000000a'::uuid end, g % 3 from generate_series(1, 20) g;
create function runs_of(day date) returns setof runs language sql stable as $$ select * from public.runs r where r.day = $1 $$;
grant all on all tables in schema public to anon, authenticated, service_role;
`;

let database: TestDatabase;
let shop: Shop;
beforeAll(async () => {
  database = await makeTestDatabase();
  shop = await openShop(database, { sql, arePlansAllowed: true, house: { cursorKey: new Uint8Array(32).fill(7) } });
});
afterAll(async () => {
  await shop.keeper.close();
  await database.close();
});

const keyset = { prefer: 'paging=keyset' };
type Rows = Record<string, unknown>[];

function nextOf(headers: Readonly<Record<string, string>>): string | null {
  return headers['link'] === undefined ? null : /^<([^>]+)>; rel="next"$/.exec(headers['link'])![1]!;
}

/** All rows, page by page; `meanwhile` is done between the pages. */
async function walk(line: string, { headers = keyset, as, meanwhile }: { headers?: Record<string, string>; as?: typeof ada; meanwhile?: () => Promise<unknown> } = {}): Promise<{ rows: Rows; pages: number }> {
  const rows: Rows = [];
  let pages = 0;
  for (let next: string | null = line; next !== null; pages += 1) {
    const answer = await shop.ask(next, { headers, ...(as === undefined ? {} : { as }) });
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
    rows.push(...(answer.body as Rows));
    next = nextOf(answer.headers);
    if (pages > 100) throw new Error('no end');
    await meanwhile?.();
  }
  return { rows, pages };
}

describe('pages that follow each other by a cursor', () => {
  const ids = (rows: Rows) => rows.map(({ id }) => id);
  it.each<[string, string]>([
    ['', 'id'],
    ['order=id.desc', 'id desc'],
    ['order=day', 'day, id'],
    ['order=day.desc', 'day desc, id desc'],
    ['order=day,id.desc', 'day, id desc'],
    ['order=day.desc,tag,id', 'day desc, tag, id'],
    ['order=seconds', 'seconds, id'],
    ['order=seconds.desc', 'seconds desc, id desc'],
    ['order=seconds.nullsfirst', 'seconds nulls first, id'],
    ['order=seconds.desc.nullslast', 'seconds desc nulls last, id desc'],
    ['order=seconds.desc.nullslast,tag.asc.nullsfirst', 'seconds desc nulls last, tag nulls first, id'],
    ['order=tag.desc,seconds,day.desc', 'tag desc, seconds, day desc, id desc'],
    ['order=note->rank.desc,note->>who', `note->'rank' desc, note->>'who', id`],
    ['order=clubs(name)', '(select name from clubs c where c.id = club_id), id'],
    ['order=clubs(name).desc.nullslast,seconds', '(select name from clubs c where c.id = club_id) desc nulls last, seconds, id'],
  ])('%s', async (order, same) => {
    const all = (await database.admin.rows<{ id: number }>(`select id from runs order by ${same}`)).map(({ id }) => id);
    const embed = order.includes('clubs') ? ',clubs()' : '';
    for (const limit of [1, 7, 60, 61, 62]) {
      const { rows, pages } = await walk(`/runs?select=id${embed}${order === '' ? '' : `&${order}`}&limit=${limit}`);
      expect({ limit, pages, ids: ids(rows) }).toEqual({ limit, pages: Math.ceil(61 / limit), ids: all });
    }
  });

  it('have their filters, embeds and forms', async () => {
    const { rows } = await walk('/runs?select=id,who:note->>who,...clubs(club:name),c:clubs(id)&or=(seconds.gt.1,tag.is.null)&order=day.desc,id&limit=5&day=gte.2026-01-02&day=lte.2026-01-04');
    const all = await database.admin.rows(`select r.id, note->>'who' as who, c.name as club, case when c.id is not null then json_build_object('id', c.id) end as c from runs r left join clubs c on c.id = club_id
      where (seconds > 1 or tag is null) and day between '2026-01-02' and '2026-01-04' order by day desc, r.id`);
    expect(rows).toEqual(all);
    expect(await shop.ask('/runs?select=id&order=id&limit=2', { headers: { ...keyset, accept: 'text/csv' } })).toMatchObject({ body: 'id\n1\n2', headers: { link: expect.any(String) } });
    expect((await walk('/runs?limit=30')).rows[0]).toEqual((await shop.ask('/runs?order=id&limit=1')).body instanceof Array ? ((await shop.ask('/runs?order=id&limit=1')).body as Rows)[0] : null);
  });

  it.each<[string, string, string]>([
    ['a key of two columns', '/pairs?select=a,b&order=note&limit=4', 'select a, b from pairs order by note, a, b'],
    ['a unique key', '/coded?select=code&order=label.desc&limit=2', 'select code from coded order by label desc, code desc'],
    ['a view that shows the key', '/fast_runs?select=number&order=seconds&limit=3', 'select number from fast_runs order by seconds, number'],
  ])('tell rows apart by %s', async (_what, line, all) => {
    expect((await walk(line)).rows).toEqual(await database.admin.rows(all));
  });

  it('neither repeat nor miss a row while others come and go', async () => {
    await database.admin.rows('create table if not exists moving (id int primary key, rank int); grant all on moving to service_role; insert into moving select g, g % 5 from generate_series(1, 40) g');
    await shop.keeper.reload();
    let turn = 0;
    const { rows } = await walk('/moving?select=id&order=rank.desc&limit=3', { meanwhile: async () => (turn += 1, database.admin.rows(`delete from moving where id = (select max(id) from moving where id <= 40 and rank = 4); insert into moving values (${100 + turn}, 9)`)) });
    const kept = (await database.admin.rows<{ id: number }>('select id from moving where id <= 40')).map(({ id }) => id);
    const given = rows.map(({ id }) => id as number);
    expect({ repeated: given.length - new Set(given).size, missed: kept.filter((id) => !given.includes(id)), added: given.filter((id) => id > 100) }).toEqual({ repeated: 0, missed: [], added: [] });
  });

  it('show a caller only rows of theirs', async () => {
    expect((await walk('/diary?select=id&order=page&limit=2', { as: ada })).rows).toHaveLength(10);
  });

  it('tell what was applied, and the total where it was asked', async () => {
    const first = await shop.ask('/runs?select=id&limit=20', { headers: { prefer: 'paging=keyset, count=exact' } });
    expect(first).toMatchObject({ status: 206, headers: { 'preference-applied': 'count=exact, paging=keyset', 'content-range': '0-19/61' } });
    const second = await shop.ask(nextOf(first.headers)!, { headers: { prefer: 'count=exact' } });
    expect(second).toMatchObject({ status: 206, body: expect.arrayContaining([{ id: 21 }]), headers: { 'content-range': '*/61', 'preference-applied': 'count=exact, paging=keyset', 'content-location': expect.stringContaining('cursor=~') } });
    expect((await shop.ask('/runs?limit=2')).headers['link']).toBeUndefined();
  });

  it('may have another size', async () => {
    const { headers } = await shop.ask('/runs?select=id&limit=2', { headers: keyset });
    expect(await shop.ask(nextOf(headers)!.replace('limit=2', 'limit=3'))).toMatchObject({ status: 200, body: [{ id: 3 }, { id: 4 }, { id: 5 }] });
  });

  it('use an index to find their place', async () => {
    await database.admin.rows('create table if not exists long (id int primary key, day int not null); insert into long select g, g / 10 from generate_series(1, 20000) g; create index on long (day, id); grant all on long to service_role; analyze long');
    await shop.keeper.reload();
    const { headers } = await shop.ask('/long?order=day&limit=3&day=gte.1500', { headers: keyset });
    const cursor = nextOf(headers)!;
    const { body } = await shop.ask(cursor, { headers: { accept: 'application/vnd.pgrst.plan+json' } });
    expect(JSON.stringify(body)).toMatch(/"Index Cond":"[^"]*ROW\([\w.]*day, [\w.]*id\) > ROW\(1500, 15002\)/);
  });
});

describe('a cursor', () => {
  const cursorOf = async (line: string) => nextOf((await shop.ask(line, { headers: keyset })).headers)!;

  it.each<[string, (link: string) => string, string]>([
    ['altered', (link) => link.replace(/cursor=~(.)/, (_, first: string) => `cursor=~${first === 'W' ? 'X' : 'W'}`), 'It was not made by this server, or altered since.'],
    ['with another signature', (link) => `${link.slice(0, -1)}${link.endsWith('A') ? 'B' : 'A'}`, 'It was not made by this server, or altered since.'],
    ['cut', (link) => link.replace(/cursor=~.*/, 'cursor=~'), 'It was not made by this server, or altered since.'],
    ['of another order', (link) => link.replace('order=day', 'order=day.desc'), 'It belongs to another query: select, filters and order must be those of the page before.'],
    ['of other filters', (link) => `${link}&id=gt.1`, 'It belongs to another query: select, filters and order must be those of the page before.'],
    ['of another select', (link) => link.replace('select=id', 'select=id,day'), 'It belongs to another query: select, filters and order must be those of the page before.'],
    ['of another table', (link) => link.replace('/runs', '/fast_runs'), 'It belongs to another query: select, filters and order must be those of the page before.'],
  ])('%s is refused', async (_what, change, details) => {
    const link = change(await cursorOf('/runs?select=id&order=day&limit=2'));
    expect(await shop.ask(link)).toMatchObject({ status: 400, body: { code: 'PGRSTX51', details } });
  });

  it('is no filter, and a filter is no cursor', async () => {
    await database.admin.rows('create table if not exists marks (id int primary key, cursor text); insert into marks values (1, $$a$$), (2, $$b$$), (3, $$b$$); grant all on marks to service_role');
    await shop.keeper.reload();
    expect((await walk('/marks?select=id&cursor=eq.b&limit=1')).rows).toEqual([{ id: 2 }, { id: 3 }]);
  });
});

describe('what has no keyset', () => {
  it.each<[string, string]>([
    ['/heap', `'public.heap' has no primary key and no unique key without nulls, so two rows may be in the same place.`],
    ['/runs?select=day,id.count()', 'Groups of rows have no key.'],
    ['/runs?offset=3', 'An offset and a cursor exclude each other: follow the links from the first page.'],
    ['/rpc/runs_of?day=2026-01-01', 'The rows that a function gives have no key. Read a table or a view.'],
  ])('%s is refused', async (line, details) => {
    expect(await shop.ask(line, { headers: keyset })).toMatchObject({ status: 400, body: { code: 'PGRSTX50', details } });
  });
});
