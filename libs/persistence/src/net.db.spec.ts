import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';

let db: TestDatabase;
beforeAll(async () => {
  db = await makeTestDatabase();
});
afterAll(() => db.close());

/** One statement as a role; gives the first column of the first row. */
async function as(role: string, text: string, values: readonly unknown[] = []): Promise<unknown> {
  // Of several statements there are no rows.
  return db.admin.transaction({ role, settings: {} }, async (tx) => Object.values((await tx.rows<Record<string, unknown>>(text, values) ?? [])[0] ?? {})[0]);
}

const queued = (id: unknown) => db.admin.rows('select method, url, headers, convert_from(body, $2) as body, timeout_milliseconds, host from net.http_request_queue where id = $1', [id, 'utf8']);

describe('pg_net', () => {
  it('is created as migrations do it, wherever they ask for it', async () => {
    await as('postgres', 'create extension if not exists pg_net with schema extensions');
    await as('postgres', 'create extension if not exists pg_net');
    await expect(as('postgres', `select extversion from pg_extension where extname = 'pg_net'`)).resolves.toBe('0.20.0');
    await as('postgres', 'drop extension pg_net; create extension pg_net');
  });

  it.each([
    ['a GET', `net.http_get('https://example.com/a')`, { method: 'GET', url: 'https://example.com/a', headers: {}, body: null, timeout_milliseconds: 5000, host: 'example.com' }],
    ['parameters', `net.http_get('https://Example.com:8443?x=1#top', '{"a b": "c&d", "n": 1}', '{"x": "y"}', 100)`, { method: 'GET', url: 'https://Example.com:8443/?x=1&n=1&a%20b=c%26d#top', headers: { x: 'y' }, body: null, timeout_milliseconds: 100, host: 'example.com:8443' }],
    ['names of arguments', `net.http_get(url := 'http://example.com', timeout_milliseconds := 1)`, { method: 'GET', url: 'http://example.com', headers: {}, body: null, timeout_milliseconds: 1, host: 'example.com' }],
    ['a POST', `net.http_post('https://example.com')`, { method: 'POST', url: 'https://example.com', headers: { 'Content-Type': 'application/json' }, body: '{}', timeout_milliseconds: 5000, host: 'example.com' }],
    ['a POST with headers', `net.http_post(url := 'https://example.com', body := '{"a": "ä"}'::jsonb, headers := '{"Authorization": "Bearer x"}'::jsonb)`, { method: 'POST', url: 'https://example.com', headers: { Authorization: 'Bearer x', 'Content-Type': 'application/json' }, body: '{"a": "ä"}', timeout_milliseconds: 5000, host: 'example.com' }],
    ['a POST with its type', `net.http_post('https://u:p@example.com/x', '[1]', '{}', '{"content-type": "application/json"}', 2000)`, { method: 'POST', url: 'https://u:p@example.com/x', headers: { 'content-type': 'application/json' }, body: '[1]', timeout_milliseconds: 2000, host: 'example.com' }],
    ['a DELETE', `net.http_delete('https://example.com/1', '{"a": "b"}')`, { method: 'DELETE', url: 'https://example.com/1?a=b', headers: {}, body: null, timeout_milliseconds: 5000, host: 'example.com' }],
    ['a DELETE with a body', `net.http_delete('https://example.com/1', body := '{"a": 1}')`, { method: 'DELETE', url: 'https://example.com/1', headers: { 'Content-Type': 'application/json' }, body: '{"a": 1}', timeout_milliseconds: 5000, host: 'example.com' }],
    ['something that is no URL', `net.http_get('nonsense')`, { method: 'GET', url: 'nonsense', headers: {}, body: null, timeout_milliseconds: 5000, host: '' }],
  ])('%s is written down', async (_what, call, request) => {
    const id = await as('authenticated', `select ${call}`);
    await expect(queued(id)).resolves.toEqual([request]);
  });

  it('refuses a body that is no JSON', async () => {
    await expect(as('postgres', `select net.http_post('https://example.com', headers := '{"Content-Type": "text/plain"}')`)).rejects.toThrow('Content-Type header must be "application/json"');
  });

  it('gives ids that ascend, and takes a request back with its transaction', async () => {
    const first = Number(await as('anon', `select net.http_get('https://example.com/')`));
    await expect(as('anon', `select net.http_get('https://example.com/taken-back'), 1 / 0`)).rejects.toThrow('division by zero');
    expect(Number(await as('anon', `select net.http_get('https://example.com/')`))).toBeGreaterThan(first);
    await expect(as('postgres', `select count(*)::int from net.http_request_queue where url like '%taken-back'`)).resolves.toBe(0);
  });

  it.each([
    ['https://example.com', 'https%3A%2F%2Fexample.com'], ['a b~c-d_e.f', 'a%20b~c-d_e.f'], ['ä€', '%C3%A4%E2%82%AC'], ['', ''],
  ])('_urlencode_string of %j', async (text, encoded) => {
    await expect(as('postgres', 'select net._urlencode_string($1)', [text])).resolves.toBe(encoded);
  });

  it.each([
    ['http://a.example', [], 'http://a.example'], ['http://a.example', ['a=b'], 'http://a.example/?a=b'], ['http://a.example/x?', ['a=b', 'c=d'], 'http://a.example/x?a=b&c=d'], ['http://a.example/x?y=z#f', ['a=b'], 'http://a.example/x?y=z&a=b#f'],
  ])('_encode_url_with_params_array of %s and %j', async (url, params, encoded) => {
    await expect(as('postgres', 'select net._encode_url_with_params_array($1, $2)', [url, params])).resolves.toBe(encoded);
  });

  it('tells what became of a request', async () => {
    const id = await as('postgres', `select net.http_get('https://example.com/')`);
    const collect = (role = 'postgres') => as(role, `select to_jsonb(net._http_collect_response($1))`, [id]);
    await expect(collect()).resolves.toEqual({ status: 'PENDING', message: 'request is pending', response: null });
    await as('postgres', `delete from net.http_request_queue where id = $1`, [id]);
    await expect(collect()).resolves.toEqual({ status: 'ERROR', message: 'request matching request_id not found', response: null });
    await as('postgres', `insert into net._http_response (id, status_code, headers, content) values ($1, 200, '{"a": "b"}', 'ok')`, [id]);
    await expect(collect('service_role')).resolves.toEqual({ status: 'SUCCESS', message: 'ok', response: { status_code: 200, headers: { a: 'b' }, body: 'ok' } });
    await expect(as('postgres', `select (net.http_collect_response($1, async := false)).response.body`, [id])).resolves.toBe('ok');
    await as('postgres', `update net._http_response set error_msg = 'Couldn''t connect to server' where id = $1`, [id]);
    await expect(collect()).resolves.toEqual({ status: 'ERROR', message: "Couldn't connect to server", response: null });
  });

  it.each([
    ['anon', 'select * from net._http_response'], ['authenticated', 'select * from net.http_request_queue'], ['authenticated', 'select net._http_collect_response(1)'], ['anon', `insert into net.http_request_queue (method, url, headers, timeout_milliseconds) values ('GET', 'x', '{}', 1)`],
    ['authenticated', `select net._enqueue('GET', 'x', '{}', '{}', null, 1)`], ['authenticator', `select net.http_get('x')`], ['service_role', `insert into net._http_response (id) values (1)`],
  ])('%s may not: %s', async (role, text) => {
    await expect(as(role, text)).rejects.toThrow('permission denied');
  });

  it('says whether a worker runs', async () => {
    await expect(as('postgres', 'select net.check_worker_is_up()')).rejects.toThrow('the pg_net background worker is not up');
    await db.admin.rows(`insert into mainstay_internal.processes (id, kind, key_fingerprint, seen_at) values (gen_random_uuid(), 'worker', 'x', now())`);
    await as('postgres', 'select net.check_worker_is_up(), net.wait_until_running(), net.worker_restart()');
  });

  it('makes nobody mighty by a shadowed name', async () => {
    await as('postgres', `create schema shadows; create function shadows.lower(text) returns text language sql as 'select current_user::text'; grant usage on schema shadows to anon`);
    await db.admin.transaction({ role: 'anon', settings: { search_path: 'shadows, pg_catalog' } }, (tx) => tx.rows(`select net.http_post('https://example.com', headers := '{"a": "b"}')`));
    const owners = await db.admin.rows(`select distinct r.rolname, r.rolsuper from pg_proc p join pg_roles r on r.oid = p.proowner where p.pronamespace in ('net'::regnamespace, 'supabase_functions'::regnamespace)`);
    expect(owners.filter(({ rolname }: any) => rolname !== 'supabase_functions_admin')).toEqual([{ rolname: 'supabase_admin', rolsuper: true }]);
    await expect(db.admin.rows(`select proname from pg_proc where pronamespace in ('net'::regnamespace, 'supabase_functions'::regnamespace) and (proconfig is null or not 'search_path=""' = any (proconfig))`)).resolves.toEqual([]);
  });
});

describe('a database webhook', () => {
  beforeAll(() => db.admin.transaction({ role: 'postgres', settings: {} }, async (tx) => {
    await tx.rows('create table public.orders (id int primary key, note text)');
    await tx.rows('grant insert, update, delete, select on public.orders to authenticated');
    await tx.rows(`create trigger told after insert or update or delete on public.orders for each row
      execute function supabase_functions.http_request('https://example.com/hook', 'POST', '{"Content-Type":"application/json","X-Key":"k"}', '{"a":"b"}', '3000')`);
  }));

  it.each([
    ['INSERT', `insert into public.orders values (1, 'a')`, { record: { id: 1, note: 'a' }, old_record: null }],
    ['UPDATE', `update public.orders set note = 'b'`, { record: { id: 1, note: 'b' }, old_record: { id: 1, note: 'a' } }],
    ['DELETE', `delete from public.orders`, { record: null, old_record: { id: 1, note: 'b' } }],
  ])('tells of an %s', async (type, text, told) => {
    await as('authenticated', text);
    const [hook] = await db.admin.rows<{ request_id: string }>(`select hook_name, hook_table_id = 'public.orders'::regclass::oid::int as "isOfTable", request_id from supabase_functions.hooks order by id desc limit 1`);
    expect(hook).toMatchObject({ hook_name: 'told', isOfTable: true });
    const [request] = await queued(hook!.request_id) as { body: string }[];
    expect(request).toMatchObject({ method: 'POST', url: 'https://example.com/hook?a=b', headers: { 'X-Key': 'k' }, timeout_milliseconds: 3000 });
    expect(JSON.parse(request!.body)).toEqual({ type, table: 'orders', schema: 'public', ...told });
  });

  it.each([
    [`'null', 'POST'`, 'url argument is missing'], [``, 'url argument is missing'], [`'https://example.com'`, 'method argument is missing'], [`'https://example.com', 'PATCH'`, 'method argument PATCH is invalid'],
  ])('with (%s) says: %s', async (args, message) => {
    await as('postgres', `create table public.wrong (id int); create trigger told after insert on public.wrong for each row execute function supabase_functions.http_request(${args})`);
    await expect(as('postgres', 'insert into public.wrong values (1)')).rejects.toThrow(message);
    await as('postgres', 'drop table public.wrong');
  });

  it('of a GET takes its defaults', async () => {
    await as('postgres', `create table public.got (id int); create trigger told after insert on public.got for each row execute function supabase_functions.http_request('https://example.com/got', 'GET', 'null', 'null', 'null')`);
    await as('postgres', 'insert into public.got values (1)');
    const [hook] = await db.admin.rows<{ request_id: string }>('select request_id from supabase_functions.hooks order by id desc limit 1');
    await expect(queued(hook!.request_id)).resolves.toMatchObject([{ method: 'GET', url: 'https://example.com/got', timeout_milliseconds: 1000, body: null }]);
  });
});
