import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import pg from 'pg';
import { connectionOf } from './logins.ts';

let db: TestDatabase;
let owner: pg.Client;
const notices: string[] = [];
beforeAll(async () => {
  db = await makeTestDatabase();
  const url = new URL(db.settings.databaseUrl!);
  Object.assign(url, { username: 'postgres', password: db.settings.postgresPassword });
  owner = new pg.Client(connectionOf({ ...db.settings, databaseUrl: url.href }, null));
  owner.on('notice', ({ message }) => notices.push(message!));
  await owner.connect();
  await owner.query('create extension vector with schema extensions');
});
afterAll(async () => {
  await owner.end();
  await db.close();
});

const rows = async <R extends object = Record<string, unknown>>(sql: string, values: unknown[] = []): Promise<R[]> => (await owner.query(sql, values)).rows as R[];
/** The one value of an expression, as text. */
const value = async (expression: string): Promise<string | null> => (await rows<{ text: string | null }>(`select (${expression})::text as text`))[0]!.text;

describe('values', () => {
  it.each([
    [`'[1,2,3]'::vector`, '[1,2,3]'],
    [`'[1, 2.0 ,3e0]'::vector(3)`, '[1,2,3]'],
    [`' [ -1.5, .5, 1. ] '::vector(3)`, '[-1.5,0.5,1]'],
    [`'[0.1,1e-3,12345678]'::vector(3)`, '[0.1,0.001,1.2345678e+07]'],
    [`array[1,2,3]::vector`, '[1,2,3]'],
    [`array[1.5,2]::real[]::vector(2)`, '[1.5,2]'],
    [`array[1.5,2]::float8[]::vector`, '[1.5,2]'],
    [`array[1.5,2]::numeric[]::vector`, '[1.5,2]'],
    [`'[1,2]'::text::vector`, '[1,2]'],
    [`('{"e": "[1,2]"}'::jsonb ->> 'e')::vector(2)`, '[1,2]'],
    [`'[1,2]'::varchar::halfvec`, '[1,2]'],
    [`'{1:1}/2'::text::sparsevec`, '{1:1}/2'],
    [`'[1,2]'::vector::real[]`, '{1,2}'],
    [`'[1,2]'::vector::text`, '[1,2]'],
    [`to_json('[1,2]'::vector)`, '"[1,2]"'],
    [`array['[1,2]'::vector, '[3]']`, '{"[1,2]",[3]}'],
    [`'[1.0001,65504,0.1]'::halfvec(3)`, '[1,65504,0.099975586]'],
    [`'[0.00001,3e-8,1e-9]'::vector::halfvec`, '[1.001358e-05,5.9604645e-08,0]'],
    [`'[1,0,2]'::vector::sparsevec`, '{1:1,3:2}/3'],
    [`'{3:2, 1:1.50}/3'::sparsevec(3)`, '{1:1.5,3:2}/3'],
    [`'{1:1.5,3:2}/3'::sparsevec::vector`, '[1.5,0,2]'],
    [`'{}/3'::sparsevec::halfvec`, '[0,0,0]'],
    [`'[1,0]'::halfvec::sparsevec`, '{1:1}/2'],
    [`'[1,2]'::halfvec::vector(2)`, '[1,2]'],
    [`array[1,2]::halfvec::real[]`, '{1,2}'],
  ])('%s is %s', async (expression, text) => expect(await value(expression)).toBe(text));

  it.each([
    [`'[1,2]'::vector(3)`, '22000', 'expected 3 dimensions, not 2'],
    [`array[1,2]::vector(3)`, '22000', 'expected 3 dimensions, not 2'],
    [`'[1,2]'::halfvec(3)`, '22000', 'expected 3 dimensions, not 2'],
    [`'{1:1}/2'::sparsevec(3)`, '22000', 'expected 3 dimensions, not 2'],
    [`'[NaN,1]'::vector`, '22000', 'NaN not allowed in vector'],
    [`'[1,-Infinity]'::vector`, '22000', 'infinite value not allowed in vector'],
    [`array['NaN']::real[]::vector`, '22000', 'NaN not allowed in vector'],
    [`array['Infinity']::real[]::vector`, '22000', 'infinite value not allowed in vector'],
    [`array[1,null]::vector`, '22004', 'array must not contain nulls'],
    [`array[[1],[2]]::vector`, '22000', 'array must be 1-D'],
    [`'{}'::real[]::vector`, '22000', 'vector must have at least 1 dimension'],
    [`'[]'::vector`, '22000', 'vector must have at least 1 dimension'],
    [`'hello'::vector`, '22P02', 'invalid input syntax for type vector: "hello"'],
    [`'[hello]'::vector`, '22P02', 'invalid input syntax for type vector: "[hello]"'],
    [`'[1,]'::vector`, '22P02', 'invalid input syntax for type vector: "[1,]"'],
    [`'{1,2}'::vector`, '22P02', 'invalid input syntax for type vector: "{1,2}"'],
    [`'[1,2'::text::vector`, '22P02', 'invalid input syntax for type vector: "[1,2"'],
    [`'[4e38]'::vector`, '22003', '"4e38" is out of range for type real'],
    [`'[65520]'::halfvec(1)`, '22003', '"65520" is out of range for type halfvec'],
    [`('[' || repeat('1,', 16000) || '1]')::vector`, '54000', 'vector cannot have more than 16000 dimensions'],
    [`'{0:1}/2'::sparsevec`, '22000', 'sparsevec index out of bounds'],
    [`'{3:1}/2'::sparsevec`, '22000', 'sparsevec index out of bounds'],
    [`'{1:1,1:2}/2'::sparsevec`, '22000', 'sparsevec indices must not contain duplicates'],
    [`'{}/0'::sparsevec`, '22000', 'sparsevec must have at least 1 dimension'],
    [`'[1]'::sparsevec`, '22P02', 'invalid input syntax for type sparsevec: "[1]"'],
    [`'{1:NaN}/2'::sparsevec`, '22000', 'NaN not allowed in sparsevec'],
    [`'[1,2]'::vector <-> '[1,2,3]'`, '22000', 'different vector dimensions 2 and 3'],
    [`'[1,2]'::halfvec <=> '[1,2,3]'`, '22000', 'different halfvec dimensions 2 and 3'],
    [`'{}/2'::sparsevec <=> '{}/3'`, '22000', 'different sparsevec dimensions 2 and 3'],
    [`'[3e38]'::vector + '[3e38]'`, '22003', 'value out of range: overflow'],
    [`B'11' <~> B'111'`, '22000', 'different bit lengths 2 and 3'],
  ])('%s is refused: %s %s', async (expression, code, message) => expect(value(expression)).rejects.toMatchObject({ code, message }));
});

describe('operators and functions', () => {
  it.each([
    [`'[0,0]'::TYPE <-> '[3,4]'`, '5'],
    [`'[1,2]'::TYPE <#> '[3,4]'`, '-11'],
    [`'[1,2]'::TYPE <=> '[2,4]'`, '0'],
    [`'[1,2]'::TYPE <=> '[0,0]'`, 'NaN'],
    [`'[1,1]'::TYPE <=> '[-1,-1]'`, '2'],
    [`'[1,2]'::TYPE <+> '[3,5]'`, '5'],
    [`'[1,2]'::TYPE + '[4,5]'`, '[5,7]'],
    [`'[1,2]'::TYPE - '[4,5]'`, '[-3,-3]'],
    [`'[1,2]'::TYPE * '[4,5]'`, '[4,10]'],
    [`'[1,2]'::TYPE || '[3]'`, '[1,2,3]'],
    [`'[1,2]'::TYPE = '[1,2.0]'`, 'true'],
    [`'[1,2]'::TYPE <> '[1,2]'`, 'false'],
    [`'[1,2]'::TYPE < '[1,3]'`, 'true'],
    [`'[1,2]'::TYPE < '[1,2,0]'`, 'true'],
    [`'[1,2]'::TYPE <= '[1,2]'`, 'true'],
    [`'[10]'::TYPE > '[9]'`, 'true'],
    [`'[1,2]'::TYPE >= '[1,3]'`, 'false'],
    [`l2_distance('[0,0]'::TYPE, '[3,4]')`, '5'],
    [`inner_product('[1,2]'::TYPE, '[3,4]')`, '11'],
    [`cosine_distance('[1,0]'::TYPE, '[0,2]')`, '1'],
    [`l1_distance('[0,0]'::TYPE, '[3,4]')`, '7'],
    [`vector_dims('[1,2,3]'::TYPE)`, '3'],
    [`l2_normalize('[3,4]'::TYPE)`, { vector: '[0.6,0.8]', halfvec: '[0.60009766,0.7998047]' }],
    [`l2_normalize('[0,0]'::TYPE)`, '[0,0]'],
    [`binary_quantize('[1,0,-1,0.5]'::TYPE)`, '1001'],
    [`subvector('[1,2,3,4,5]'::TYPE, 2, 3)`, '[2,3,4]'],
    [`subvector('[1,2,3]'::TYPE, 3, 9)`, '[3]'],
    [`TYPE_spherical_distance('[1,0]'::TYPE, '[0,1]')`, '0.5'],
    [`TYPE_l2_squared_distance('[0,0]'::TYPE, '[3,4]')`, '25'],
    [`(select avg(v::TYPE) from unnest(array['[1,2]', '[3,4]']) v)`, '[2,3]'],
    [`(select sum(v::TYPE) from unnest(array['[1,2]', null, '[3,4]']) v)`, '[4,6]'],
    [`(select avg(v::TYPE) from unnest(array[]::text[]) v)`, null],
    [`(select count(distinct v::TYPE) from unnest(array['[1,2]', '[1,2.0]', '[2]']) v)`, '2'],
    [`(select string_agg(v::text, ' ' order by v) from unnest(array['[10]', '[9]', '[1,5]']::TYPE[]) v)`, '[1,5] [9] [10]'],
  ])('%s', async (expression, expected) => {
    for (const type of ['vector', 'halfvec'] as const) {
      expect(await value(expression.replaceAll('TYPE', type))).toBe(expected !== null && typeof expected === 'object' ? expected[type] : expected);
    }
  });

  it.each([
    [`vector_norm('[3,4]'::vector)`, '5'],
    [`l2_norm('[3,4]'::halfvec)`, '5'],
    [`'{1:1,2:2}/2'::sparsevec <-> '{2:2}/2'`, '1'],
    [`'{1:1,2:2}/2'::sparsevec <#> '{1:3,2:4}/2'`, '-11'],
    [`'{1:1,2:2}/2'::sparsevec <=> '{1:2,2:4}/2'`, '0'],
    [`'{1:1}/2'::sparsevec <=> '{}/2'`, 'NaN'],
    [`'{1:1,2:2}/2'::sparsevec <+> '{1:3,2:5}/2'`, '5'],
    [`l2_norm('{1:3,3:4}/9'::sparsevec)`, '5'],
    [`l2_normalize('{1:3,3:4}/9'::sparsevec)`, '{1:0.6,3:0.8}/9'],
    [`'{1:1}/3'::sparsevec = '{1:1.0}/3'`, 'true'],
    [`'{1:1}/3'::sparsevec < '{1:1,3:1}/3'`, 'true'],
    [`'{1:1}/3'::sparsevec > '{2:9}/3'`, 'true'],
    [`'{1:1}/3'::sparsevec < '{1:1}/4'`, 'true'],
    [`l2_distance('{1:1}/1000000000'::sparsevec, '{1000000000:1}/1000000000')`, '1.4142135623730951'],
    [`hamming_distance(B'1101', B'0111')`, '2'],
    [`B'1101' <~> B'0111'`, '2'],
    [`jaccard_distance(B'1101', B'0111')`, '0.5'],
    [`B'1100' <%> B'0011'`, '1'],
    [`binary_quantize('[1,-1,1]'::vector) <~> binary_quantize('[1,1,1]'::vector)`, '1'],
    [`'[1,2]'::vector <-> array[1,4]::vector`, '2'],
  ])('%s', async (expression, expected) => expect(await value(expression)).toBe(expected));

  it('numbers are those of a machine with single precision', async () => {
    const [a, b] = [0, 1].map((salt) => Array.from({ length: 50 }, (_, i) => Math.fround(Math.sin(i * 7 + salt))));
    const sum = (f: (p: number, q: number) => number): number => a!.reduce((total, p, i) => total + f(p, b![i]!), 0);
    const [found] = await rows<Record<string, number>>('select $1::vector <-> $2 as l2, $1::vector <#> $2 as ip, $1::vector <=> $2 as cosine, $1::vector <+> $2 as l1', [`[${a!.join()}]`, `[${b!.join()}]`]);
    expect(found!['l2']).toBeCloseTo(Math.sqrt(sum((p, q) => (p - q) ** 2)), 6);
    expect(found!['ip']).toBeCloseTo(-sum((p, q) => p * q), 6);
    expect(found!['cosine']).toBeCloseTo(1 - sum((p, q) => p * q) / Math.sqrt(sum((p) => p * p) * sum((_, q) => q * q)), 6);
    expect(found!['l1']).toBeCloseTo(sum((p, q) => Math.abs(p - q)), 6);
  });
});

describe('tables', () => {
  it('as the first page of pgvector has it', async () => {
    await owner.query(`create table items (id bigserial primary key, embedding vector(3)); insert into items (embedding) values ('[1,2,3]'), ('[4,5,6]');
      insert into items (id, embedding) values (1, '[1,2,3]'), (2, '[4,5,6]') on conflict (id) do update set embedding = excluded.embedding; update items set embedding = '[1,2,3]' where id = 1`);
    expect(await rows(`select id, embedding from items order by embedding <-> '[3,1,2]' limit 5`)).toEqual([{ id: '1', embedding: '[1,2,3]' }, { id: '2', embedding: '[4,5,6]' }]);
    expect(await rows(`select id from items where embedding <-> '[3,1,2]' < 5`)).toEqual([{ id: '1' }]);
    expect(await rows(`select round((1 - (embedding <=> '[3,1,2]'))::numeric, 3) as similarity from items order by id`)).toEqual([{ similarity: '0.786' }, { similarity: '0.883' }]);
    expect(await rows('select avg(embedding) as mean from items')).toEqual([{ mean: '[2.5,3.5,4.5]' }]);
    await expect(owner.query(`insert into items (embedding) values ('[1,2]')`)).rejects.toMatchObject({ code: '22000', message: 'expected 3 dimensions, not 2' });
    expect(await rows(`select format_type(atttypid, atttypmod) as type from pg_attribute where attrelid = 'items'::regclass and attname = 'embedding'`)).toEqual([{ type: 'vector(3)' }]);
    await owner.query('alter table items alter column embedding type halfvec(3); alter table items alter column embedding type vector(3); alter table items add column other vector(2)');
  });

  it.each([
    ['hnsw', 'vector_l2_ops'], ['hnsw', 'vector_ip_ops'], ['hnsw', 'vector_cosine_ops'], ['hnsw', 'vector_l1_ops'], ['ivfflat', 'vector_l2_ops'], ['ivfflat', ''], ['ivfflat', 'vector_cosine_ops'],
  ])('an index %s %s is made, with a notice, for long vectors too', async (method, operators) => {
    await owner.query(`create table if not exists long (id int, embedding vector(1536)); truncate long; insert into long select g, (select array_agg(sin(i * g))::real[] from generate_series(1, 1536) i)::vector from generate_series(1, 20) g`);
    notices.length = 0;
    await owner.query(`create index of_long on long using ${method} (embedding ${operators})`);
    expect(notices).toEqual(['vector: index public.of_long is made, and makes no search faster: distances are exact here, and every row is looked at']);
    await owner.query(`insert into long select 21, embedding from long where id = 1; set hnsw.ef_search = 100; set ivfflat.probes = 10; set enable_seqscan = off`);
    expect(await rows(`select id from long order by embedding <=> (select embedding from long where id = 7) limit 1`)).toEqual([{ id: 7 }]);
    expect(await rows(`select id from long where embedding = (select embedding from long where id = 7)`)).toEqual([{ id: 7 }]);
    await owner.query('reindex index of_long; drop index of_long; reset enable_seqscan');
  });

  it('indexes on other types and expressions as well; options are not known in plain SQL', async () => {
    await owner.query(`create table others (h halfvec(3), s sparsevec(3), b bit(3), v vector(3));
      create index on others using hnsw (h halfvec_l2_ops); create index on others using hnsw (s sparsevec_cosine_ops); create index on others using hnsw (b bit_hamming_ops); create index on others using ivfflat (b bit_hamming_ops);
      create index on others using hnsw ((v::halfvec(3)) halfvec_cosine_ops); create index on others using hnsw ((binary_quantize(v)::bit(3)) bit_jaccard_ops); create index on others (v)`);
    await owner.query(`insert into others values ('[1,2,3]', '{1:1}/3', B'101', '[1,2,3]')`);
    await expect(owner.query('create index on others using hnsw (v vector_l2_ops) with (m = 16)')).rejects.toMatchObject({ message: 'unrecognized parameter "m"' });
  });

  it('rows that are written in other ways are checked', async () => {
    await owner.query('create table written (embedding vector(3))');
    await owner.query(`insert into written select embedding from json_populate_recordset(null::written, '[{"embedding": "[1,2,3]"}]')`);
    await expect(owner.query(`insert into written select * from json_to_recordset('[{"embedding": "x"}]') as r(embedding vector)`)).rejects.toMatchObject({ code: '22P02' });
    await expect(owner.query(`insert into written select * from json_to_recordset('[{"embedding": "[1]"}]') as r(embedding vector)`)).rejects.toMatchObject({ message: 'expected 3 dimensions, not 1' });
    await owner.query(`do $$ declare v vector(3); begin v := '[1,2,3]'; insert into written values (v); end $$; prepare p(vector) as insert into written values ($1); execute p('[4,5,6]')`);
    expect(await rows('select count(*)::int as count from written')).toEqual([{ count: 3 }]);
  });

  it('match_documents, as Supabase’s pages have it', async () => {
    await owner.query(`create table documents (id bigserial primary key, content text, metadata jsonb, embedding extensions.vector(384));
      create function match_documents (query_embedding extensions.vector(384), match_threshold float, match_count int) returns table (id bigint, content text, similarity float) language sql stable as $$
        select documents.id, documents.content, 1 - (documents.embedding <=> query_embedding) as similarity from documents
        where 1 - (documents.embedding <=> query_embedding) > match_threshold order by (documents.embedding <=> query_embedding) asc limit match_count $$;
      insert into documents (content, embedding) select 'document ' || g, (select array_agg(sin(i * g)) from generate_series(1, 384) i)::vector from generate_series(1, 300) g`);
    const [query] = await rows<{ embedding: string }>('select embedding from documents where id = 7');
    expect(await rows(`select id, round(similarity::numeric, 3)::text as similarity from documents d, lateral (select 1 - (d.embedding <=> $1) as similarity) s order by d.embedding <=> $1 limit 1`, [query!.embedding])).toEqual([{ id: '7', similarity: '1.000' }]);
    expect(await rows('select id from match_documents($1, 0.99, 1)', [query!.embedding])).toEqual([{ id: '7' }]);
  });
});

describe('who may', () => {
  it('the input functions, which believe the type that they are told, are for the types alone', async () => {
    await owner.query('create domain address as bigint');
    for (const type of ['vector', 'halfvec', 'sparsevec']) await expect(owner.query(`select extensions.${type}_in('5', 'address'::regtype, -1)`)).rejects.toMatchObject({ code: '42501' });
    expect(await rows(`select rolname from pg_roles r, pg_proc p where p.proname in ('vector_in', 'halfvec_in', 'sparsevec_in') and has_function_privilege(r.oid, p.oid, 'execute') and not rolsuper and rolname <> 'mainstay_extensions'`)).toEqual([]);
  });

  it('callers compare and insert', async () => {
    await owner.query(`create table public.shared (embedding extensions.vector(2)); grant all on public.shared to anon`);
    expect(await db.admin.transaction({ role: 'anon', settings: { search_path: 'public, extensions' } }, (tx) => tx.rows(`insert into shared values ('[1,2]') returning embedding <-> '[1,3]' as distance`))).toEqual([{ distance: 1 }]);
  });

  it('it is dropped and made anew', async () => {
    await owner.query('drop extension vector cascade; create extension vector');
    expect(await value(`'[1,2]'::public.vector <-> '[1,2]'`)).toBe('0');
  });
});
