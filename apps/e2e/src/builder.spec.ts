import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { runSql } from './sql.ts';
import { startStack, type Stack } from './stack.ts';

const schema = `
  create table public.bands (id int primary key, name text not null, founded date, genre text, tags text[] default '{}', active int4range, facts jsonb, about tsvector);
  create table public.albums (id int primary key, band_id int references public.bands, title text not null, price numeric(6, 2));
  insert into public.bands values
    (1, 'Kraftwerk', '1970-01-01', 'electronic', '{german,robots}', '[1970,2030)', '{"city":"Düsseldorf","members":4}', to_tsvector('english', 'robots and motorways')),
    (2, 'Can', '1968-06-01', 'krautrock', '{german}', '[1968,1979)', '{"city":"Köln"}', to_tsvector('english', 'long improvised songs')),
    (3, 'Abba', '1972-06-01', null, '{}', '[1972,1983)', null, to_tsvector('english', 'dancing queens'));
  insert into public.albums values (1, 1, 'Autobahn', 9.90), (2, 1, 'Computerwelt', 11.50), (3, 2, 'Tago Mago', 14), (4, null, 'Lost', null);
  create function public.bands_since(since date) returns setof public.bands language sql stable as 'select * from public.bands where founded >= since';
  create function public.add(a int, b int) returns int language sql immutable as 'select a + b';
  create function public.fail() returns void language plpgsql as $$ begin raise exception 'on purpose' using hint = 'try another', detail = 'as asked', errcode = 'P0001'; end $$;
  create schema other;
  create table other.things (id int primary key);
  grant all on all tables in schema public to service_role;
`;

type Answer = { data: unknown; error: unknown; count: number | null; status: number };

/** Every method of the query builder, unmodified, against a running stack: what it sends and what it makes of the answer. */
describe('the whole builder of postgrest-js', () => {
  let stack: Stack;
  let db: SupabaseClient;
  beforeAll(async () => {
    stack = await startStack();
    await runSql(stack.dbUrl, schema);
    db = createClient(stack.url, stack.secretKey, { auth: { persistSession: false, autoRefreshToken: false } });
    for (let i = 0; i < 100 && (await db.from('albums').select('id').limit(1)).error !== null; i += 1) await new Promise((resolve) => setTimeout(resolve, 50));
  });
  afterAll(() => stack.stop());

  const bands = () => db.from('bands').select('id').order('id');
  const ids = ({ data, error }: { data: { id: number }[] | null; error: unknown }): unknown => (error === null ? data!.map(({ id }) => id) : error);

  it.each<[string, () => PromiseLike<{ data: { id: number }[] | null; error: unknown }>, number[]]>([
    ['eq', () => bands().eq('name', 'Can'), [2]],
    ['neq', () => bands().neq('name', 'Can'), [1, 3]],
    ['gt and lte', () => bands().gt('id', 1).lte('id', 3), [2, 3]],
    ['gte and lt', () => bands().gte('id', 1).lt('id', 3), [1, 2]],
    ['like', () => bands().like('name', '%a%'), [1, 2, 3]],
    ['ilike', () => bands().ilike('name', 'k%'), [1]],
    ['likeAllOf', () => bands().likeAllOf('name', ['K%', '%k']), [1]],
    ['likeAnyOf', () => bands().likeAnyOf('name', ['K%', 'C%']), [1, 2]],
    ['ilikeAllOf', () => bands().ilikeAllOf('name', ['k%', '%K']), [1]],
    ['ilikeAnyOf', () => bands().ilikeAnyOf('name', ['k%', 'c%']), [1, 2]],
    ['is', () => bands().is('genre', null), [3]],
    ['in', () => bands().in('name', ['Can', 'Abba', 'a,b"c']), [2, 3]],
    ['contains of an array', () => bands().contains('tags', ['german']), [1, 2]],
    ['contains of JSON', () => bands().contains('facts', { city: 'Köln' }), [2]],
    ['contains of a range', () => bands().contains('active', '[1975,1976)'), [1, 2, 3]],
    ['containedBy', () => bands().containedBy('tags', ['german', 'x']), [2, 3]],
    ['rangeGt', () => bands().rangeGt('active', '[1900,1970)'), [1, 3]],
    ['rangeGte', () => bands().rangeGte('active', '[1970,1971)'), [1, 3]],
    ['rangeLt', () => bands().rangeLt('active', '[1980,1990)'), [2]],
    ['rangeLte', () => bands().rangeLte('active', '[1960,1983)'), [2, 3]],
    ['rangeAdjacent', () => bands().rangeAdjacent('active', '[1983,1984)'), [3]],
    ['overlaps', () => bands().overlaps('tags', ['robots', 'x']), [1]],
    ['textSearch', () => bands().textSearch('about', 'robots', { config: 'english' }), [1]],
    ['textSearch of a phrase', () => bands().textSearch('about', 'improvised songs', { type: 'phrase', config: 'english' }), [2]],
    ['textSearch of the web', () => bands().textSearch('about', 'queens or songs', { type: 'websearch', config: 'english' }), [2, 3]],
    ['match', () => bands().match({ id: 2, name: 'Can' }), [2]],
    ['not', () => bands().not('tags', 'cs', '{german}'), [3]],
    ['or', () => bands().or('id.eq.1,and(id.gt.2,genre.is.null)'), [1, 3]],
    ['or of an embed', () => db.from('bands').select('id,albums!inner()').or('title.eq.Autobahn,price.gt.13', { referencedTable: 'albums' }).order('id') as never, [1, 2]],
    ['filter', () => bands().filter('facts->>city', 'eq', 'Köln'), [2]],
    ['range', () => bands().range(1, 2), [2, 3]],
    ['limit', () => bands().limit(1), [1]],
    ['order', () => db.from('bands').select('id').order('genre', { ascending: false, nullsFirst: false }), [2, 1, 3]],
    ['order by an embed', () => db.from('albums').select('id,bands()').order('bands(name)', { ascending: true, nullsFirst: true }) as never, [4, 3, 1, 2]],
    ['rpc with filters', () => db.rpc('bands_since', { since: '1970-01-01' }).select('id').neq('id', 3).order('id') as never, [1]],
  ])('%s', async (_what, ask, expected) => {
    expect(ids(await ask())).toEqual(expected);
  });

  it('limits and orders what is embedded', async () => {
    const { data } = await db.from('bands').select('name, albums(title)').eq('id', 1).order('title', { referencedTable: 'albums', ascending: false }).limit(1, { referencedTable: 'albums' });
    expect(data).toEqual([{ name: 'Kraftwerk', albums: [{ title: 'Computerwelt' }] }]);
  });

  it.each<[string, () => PromiseLike<unknown>, Partial<Answer>]>([
    ['single', () => db.from('bands').select('name').eq('id', 1).single(), { data: { name: 'Kraftwerk' }, status: 200 }],
    ['single of none', () => db.from('bands').select('name').eq('id', 9).single(), { data: null, error: expect.objectContaining({ code: 'PGRST116' }), status: 406 }],
    ['maybeSingle of none', () => db.from('bands').select('name').eq('id', 9).maybeSingle(), { data: null, error: null }],
    ['maybeSingle of several', () => db.from('bands').select('name').maybeSingle(), { data: null, error: expect.objectContaining({ code: 'PGRST116' }) }],
    ['csv', () => db.from('bands').select('id,name').lt('id', 3).order('id').csv(), { data: 'id,name\n1,Kraftwerk\n2,Can' }],
    ['geojson without PostGIS', () => db.from('bands').select().geojson(), { data: null, error: expect.objectContaining({ code: 'PGRST107' }), status: 406 }],
    ['explain, which is off', () => db.from('bands').select().explain(), { data: null, error: expect.objectContaining({ code: 'PGRST107' }), status: 406 }],
    ['stripNulls', () => db.from('bands').select('id,genre').eq('id', 3).stripNulls(), { data: [{ id: 3 }] }],
    ['stripNulls of one', () => db.from('bands').select('id,genre').eq('id', 3).single().stripNulls(), { data: { id: 3 } }],
    ['an exact count', () => db.from('bands').select('id', { count: 'exact' }).limit(1), { data: [{ id: 1 }], count: 3, status: 206 }],
    ['a count alone', () => db.from('bands').select('*', { count: 'exact', head: true }), { data: null, count: 3, status: 200 }],
    ['a planned count', () => db.from('bands').select('id', { count: 'planned' }).limit(1), { count: expect.any(Number) }],
    ['an estimated count', () => db.from('bands').select('id', { count: 'estimated' }).limit(1), { count: 3 }],
    ['rpc', () => db.rpc('add', { a: 1, b: 2 }), { data: 3, status: 200 }],
    ['rpc by GET', () => db.rpc('add', { a: 1, b: 2 }, { get: true }), { data: 3, status: 200 }],
    ['rpc by HEAD, counted', () => db.rpc('bands_since', { since: '1970-01-01' }, { head: true, count: 'exact' }), { data: null, count: 2 }],
    ['rpc that fails', () => db.rpc('fail'), { data: null, error: expect.objectContaining({ code: 'P0001', message: 'on purpose', hint: 'try another', details: 'as asked' }), status: 400 }],
    ['another schema', () => db.schema('other').from('things').select(), { data: null, error: expect.objectContaining({ code: 'PGRST106' }), status: 406 }],
    ['an unknown table', () => db.from('nowhere').select(), { data: null, error: expect.objectContaining({ code: 'PGRST205' }), status: 404 }],
    ['an unknown column', () => db.from('bands').select('nonsense'), { data: null, error: expect.objectContaining({ code: '42703' }), status: 400 }],
  ])('%s', async (_what, ask, expected) => {
    expect(await ask()).toMatchObject(expected);
  });

  it('writes, and gives back what it wrote', async () => {
    expect(await db.from('albums').insert({ id: 10, band_id: 2, title: 'Ege Bamyasi' })).toMatchObject({ data: null, error: null, status: 201 });
    expect(await db.from('albums').insert([{ id: 11, title: 'A' }, { id: 12, title: 'B', price: 1 }], { count: 'exact' }).select('id,price')).toMatchObject({ data: [{ id: 11, price: null }, { id: 12, price: 1 }], count: 2, status: 201 });
    expect(await db.from('albums').upsert([{ id: 11, title: 'A2' }, { id: 13, title: 'C' }]).select('id,title').order('id')).toMatchObject({ data: [{ id: 11, title: 'A2' }, { id: 13, title: 'C' }] });
    expect(await db.from('albums').upsert({ id: 11, title: 'A3' }, { onConflict: 'id', ignoreDuplicates: true }).select()).toMatchObject({ data: [] });
    expect(await db.from('albums').update({ price: 2 }).in('id', [11, 12]).select('id,price').order('id')).toMatchObject({ data: [{ id: 11, price: 2 }, { id: 12, price: 2 }] });
    expect(await db.from('albums').update({ price: 3 }, { count: 'exact' }).eq('id', 11)).toMatchObject({ data: null, count: 1, status: 204 });
    expect(await db.from('albums').delete().gte('id', 10).maxAffected(1)).toMatchObject({ error: { code: 'PGRST124' }, status: 400 });
    expect(await db.from('albums').delete().gte('id', 10).rollback().select('id')).toMatchObject({ data: expect.arrayContaining([{ id: 10 }]) });
    expect(await db.from('albums').delete({ count: 'exact' }).gte('id', 10)).toMatchObject({ count: 4, status: 204 });
    expect(await db.from('albums').select('id').gte('id', 10)).toMatchObject({ data: [] });
    expect(await db.from('albums').insert({ id: 1, title: 'again' })).toMatchObject({ error: { code: '23505' }, status: 409 });
  });

  it('throws where it was asked to', async () => {
    await expect(db.from('bands').select('nonsense').throwOnError()).rejects.toMatchObject({ code: '42703' });
  });

  it('ends with its signal', async () => {
    const leaving = new AbortController();
    const asked = db.from('bands').select().abortSignal(leaving.signal);
    leaving.abort();
    expect((await asked).error).toMatchObject({ message: expect.stringContaining('AbortError') });
  });

  it('sends headers of its own', async () => {
    const { data } = await db.from('bands').select('id').setHeader('Accept', 'application/vnd.pgrst.object+json').eq('id', 1);
    expect(data).toEqual({ id: 1 });
  });
});
