import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { ada, ben, guest, openShop, type Shop } from './shop-database.ts';

const sql = `
create table papers (id int primary key, title text, version int default 1);
insert into papers values (1, 'One'), (2, 'Two'), (3, 'Three');
create table diary (id int primary key, owner uuid, page text);
alter table diary enable row level security;
create policy own on diary using (owner = auth.uid());
insert into diary values (1, '00000000-0000-0000-0000-00000000000a', 'x'), (2, '00000000-0000-0000-0000-00000000000b', 'y');
create function count_papers() returns int language sql stable as $$ select count(*)::int from public.papers $$;
create function tagged() returns text language plpgsql stable as $$ begin perform set_config('response.headers', '[{"ETag":"\\"mine\\""}]', true); return 'ok'; end $$;
grant all on all tables in schema public to anon, authenticated, service_role;
`;

let database: TestDatabase;
let shop: Shop;
beforeAll(async () => {
  database = await makeTestDatabase();
  shop = await openShop(database, { sql });
});
afterAll(async () => {
  await shop.keeper.close();
  await database.close();
});

const object = { accept: 'application/vnd.pgrst.object+json' };
const tagOf = async (line: string, headers: Record<string, string> = {}): Promise<string> => (await shop.ask(line, { headers })).headers['etag']!;

describe('a read', () => {
  it.each(['/papers?id=eq.1', '/papers?order=id&limit=2', '/rpc/count_papers', '/papers?id=eq.99'])('%s has a strong tag, the same for the same answer', async (line) => {
    const tag = await tagOf(line);
    expect(tag).toMatch(/^"[\w-]{27}"$/);
    expect(await tagOf(line)).toBe(tag);
  });

  it.each<[string, (tag: string) => string, number]>([
    ['the tag', (tag) => tag, 304],
    ['the tag made weak on its way', (tag) => `W/${tag}`, 304],
    ['one of several', (tag) => `"a", ${tag},W/"b"`, 304],
    ['any', () => '*', 304],
    ['another', () => '"a"', 200],
  ])('with %s in If-None-Match', async (_what, header, status) => {
    const tag = await tagOf('/papers?id=eq.1');
    const answer = await shop.ask('/papers?id=eq.1', { headers: { 'if-none-match': header(tag) } });
    expect(answer).toMatchObject({ status, headers: { etag: tag, vary: 'Accept, Prefer, Range' } });
    if (status === 304) expect({ body: answer.body, type: answer.headers['content-type'] }).toEqual({ body: null, type: undefined });
  });

  it('is whole again once the row has changed', async () => {
    const tag = await tagOf('/papers?id=eq.2');
    await database.admin.rows(`update papers set title = 'Zwei' where id = 2`);
    expect(await shop.ask('/papers?id=eq.2', { headers: { 'if-none-match': tag } })).toMatchObject({ status: 200, body: [{ title: 'Zwei' }] });
  });

  it('has the tag of what the caller sees, not of what another saw', async () => {
    const tag = (await shop.ask('/diary?order=id', { as: ada })).headers['etag']!;
    expect(await shop.ask('/diary?order=id', { as: ada, headers: { 'if-none-match': tag } })).toMatchObject({ status: 304 });
    expect(await shop.ask('/diary?order=id', { as: ben, headers: { 'if-none-match': tag } })).toMatchObject({ status: 200, body: [{ id: 2 }] });
    expect(await shop.ask('/diary?order=id', { as: guest, headers: { 'if-none-match': tag } })).toMatchObject({ status: 200, body: [] });
  });

  it('keeps the tag that SQL gives it', async () => {
    expect(await shop.ask('/rpc/tagged')).toMatchObject({ status: 200, headers: { etag: '"mine"' } });
    expect(await shop.ask('/rpc/tagged', { headers: { 'if-none-match': '"mine"' } })).toMatchObject({ status: 304 });
  });

  it('a refusal has none', async () => {
    expect((await shop.ask('/papers?nonsense=eq.1')).headers['etag']).toBeUndefined();
  });
});

describe('a write with If-Match', () => {
  const write = (headers: Record<string, string>, line = 'PATCH /papers?id=eq.3') => shop.ask(line, { headers, body: line.startsWith('DELETE') ? undefined : { title: 'Drei' } });
  const refused = { status: 412, body: { code: 'PGRSTX40' } };
  afterEach(() => database.admin.rows(`insert into papers values (3, 'Three') on conflict (id) do update set title = 'Three', version = 1`));

  it.each<[string, string, Record<string, string>, string]>([
    ['as an array', '/papers?id=eq.3', {}, 'PATCH /papers?id=eq.3'],
    ['as an object', '/papers?id=eq.3', object, 'PATCH /papers?id=eq.3'],
    ['with select=*', '/papers?id=eq.3&select=*', object, 'PATCH /papers?id=eq.3&select=id'],
    ['with the select of the write', '/papers?select=title&id=eq.3', {}, 'PATCH /papers?id=eq.3&select=title'],
    ['found by another filter', '/papers?title=eq.Three', {}, 'DELETE /papers?id=eq.3'],
  ])('is done if the row was read %s', async (_what, line, headers, writeLine) => {
    expect(await write({ 'if-match': await tagOf(line, headers) }, writeLine)).toMatchObject({ status: 204 });
  });

  it.each<[string, string]>([
    ['another tag', '"a"'],
    ['no tag at all', ''],
  ])('is refused with %s', async (_what, header) => {
    expect(await write({ 'if-match': header })).toMatchObject(refused);
  });

  it('is refused with a weak tag, with that of a changed row and of one that is gone', async () => {
    const tag = await tagOf('/papers?id=eq.3');
    expect(await write({ 'if-match': `W/${tag}` })).toMatchObject(refused);
    await database.admin.rows('update papers set version = 2 where id = 3');
    expect(await write({ 'if-match': tag })).toMatchObject({ status: 412, body: { details: 'The row has changed, or was read with another select.' } });
    expect(await shop.ask('/papers?id=eq.3&select=title')).toMatchObject({ body: [{ title: 'Three' }] });
    await database.admin.rows('delete from papers where id = 3');
    expect(await write({ 'if-match': tag }, 'DELETE /papers?id=eq.3')).toMatchObject({ status: 412, body: { details: 'No row matches the filters.' } });
  });

  it('is refused where the filters match several rows', async () => {
    expect(await write({ 'if-match': await tagOf('/papers?id=lt.3') }, 'PATCH /papers?id=lt.3')).toMatchObject({ status: 412, body: { details: '2 rows match the filters; a tag names one.' } });
  });

  it('gives the tag of what it wrote, so that the next write needs no read', async () => {
    const first = await shop.ask('PATCH /papers?id=eq.3', { headers: { ...object, prefer: 'return=representation', 'if-match': await tagOf('/papers?id=eq.3') }, body: { version: 5 } });
    expect(await write({ 'if-match': first.headers['etag']! })).toMatchObject({ status: 204 });
  });

  it('is done once, however many try at the same time', async () => {
    const tag = await tagOf('/papers?id=eq.3');
    const tries = await Promise.all(Array.from({ length: 8 }, (_, i) => shop.ask('PATCH /papers?id=eq.3', { headers: { 'if-match': tag }, body: { title: `by ${i}` } })));
    expect(tries.map(({ status }) => status).sort()).toEqual([204, 412, 412, 412, 412, 412, 412, 412]);
  });

  it('PUT makes a row only where none is, or only where one is', async () => {
    const put = (headers: Record<string, string>, id: number) => shop.ask(`PUT /papers?id=eq.${id}`, { headers, body: { id, title: 'Put', version: 1 } });
    expect(await put({ 'if-none-match': '*' }, 3)).toMatchObject(refused);
    expect(await put({ 'if-match': '*' }, 44)).toMatchObject(refused);
    const both = await Promise.all([put({ 'if-none-match': '*' }, 44), put({ 'if-none-match': '*' }, 44)]);
    expect(both.map(({ status }) => status).sort()).toEqual([204, 412]);
    expect(await put({ 'if-match': '*' }, 44)).toMatchObject({ status: 204 });
  });

  it('shows nobody whether a row of another is there', async () => {
    expect(await shop.ask('PATCH /diary?id=eq.1', { as: ben, headers: { 'if-match': '*' }, body: { page: 'mine' } })).toMatchObject({ status: 412, body: { details: 'No row matches the filters.' } });
  });
});
