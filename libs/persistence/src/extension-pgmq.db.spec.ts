import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import pg from 'pg';
import { connectionOf } from './logins.ts';

interface Message {
  readonly msg_id: string;
  readonly read_ct: number;
  readonly message: unknown;
  readonly headers: unknown;
}

let db: TestDatabase;
let owner: pg.Client;
let other: pg.Client;

async function loginAs(user: string): Promise<pg.Client> {
  const url = new URL(db.settings.databaseUrl!);
  Object.assign(url, { username: user, password: db.settings.postgresPassword });
  const client = new pg.Client(connectionOf({ ...db.settings, databaseUrl: url.href }, null));
  await client.connect();
  return client;
}

const rows = async <R extends object = Message>(sql: string, values: unknown[] = [], client = owner): Promise<R[]> => (await client.query(sql, values)).rows as R[];
const value = async (sql: string, values: unknown[] = []): Promise<unknown> => Object.values((await rows<Record<string, unknown>>(sql, values))[0] ?? {})[0];
const ids = async (sql: string): Promise<number[]> => (await rows<{ id: string }>(sql)).map(({ id }) => Number(id));

beforeAll(async () => {
  db = await makeTestDatabase();
  [owner, other] = [await loginAs('postgres'), await loginAs('postgres')];
  await owner.query('create extension if not exists pgmq');
});
afterAll(async () => {
  await Promise.all([owner.end(), other.end()]);
  await db.close();
});

/** An empty queue of a test's own. */
let count = 0;
async function queue(): Promise<string> {
  const name = `queue_${(count += 1)}`;
  await owner.query('select pgmq.create($1)', [name]);
  return name;
}

describe('queues', () => {
  it('are tables that belong to whoever makes them, and making one again changes nothing', async () => {
    await owner.query(`select pgmq.create('orders'); select pgmq.send('orders', '{}'); select pgmq.create('orders')`);
    expect(await rows(`select tablename, tableowner from pg_tables where schemaname = 'pgmq' and tablename ~ '^[aq]_' order by 1`)).toEqual([
      { tablename: 'a_orders', tableowner: 'postgres' },
      { tablename: 'q_orders', tableowner: 'postgres' },
    ]);
    expect(await rows(`select queue_name, is_partitioned, is_unlogged, created_at > now() - interval '1 minute' as fresh from pgmq.list_queues()`)).toEqual([{ queue_name: 'orders', is_partitioned: false, is_unlogged: false, fresh: true }]);
    expect(await value(`select count(*)::int from pgmq.q_orders`)).toBe(1);
  });

  it.each([
    ['create_non_partitioned', 'p', false],
    ['create_unlogged', 'u', true],
  ])('%s', async (make, persistence, isUnlogged) => {
    await owner.query(`select pgmq.${make}($1)`, [`q${make}`]);
    expect(await value(`select relpersistence from pg_class where oid = 'pgmq.q_q${make}'::regclass`)).toBe(persistence);
    expect(await value(`select is_unlogged from pgmq.meta where queue_name = 'q${make}'`)).toBe(isUnlogged);
  });

  it('with partitions are made without, and say so; an archive is not converted', async () => {
    const notices: string[] = [];
    owner.on('notice', ({ message }) => notices.push(message!));
    await owner.query(`select pgmq.create_partitioned('parts', '100', '1000'); select pgmq.convert_archive_partitioned('parts'); select pgmq.detach_archive('parts')`);
    expect(notices).toEqual([expect.stringContaining('queue "parts" is made without partitions'), expect.stringContaining('stays without partitions'), expect.stringContaining('deprecated')]);
    expect(await rows(`select * from pgmq.send('parts', '{"a": 1}')`)).toEqual([{ send: '1' }]);
  });

  it('are dropped with both tables; what is not there is no mistake', async () => {
    const name = await queue();
    expect(await value('select pgmq.drop_queue($1)', [name])).toBe(true);
    expect(await value('select pgmq.drop_queue($1)', [name])).toBe(false);
    expect(await value(`select count(*)::int from pg_tables where schemaname = 'pgmq' and tablename like '%' || $1`, [name])).toBe(0);
    expect(await value(`select pgmq.drop_queue($1, false)`, [await queue()])).toBe(true);
  });

  it.each([
    ['a$b', /invalid characters/],
    ['a;b', /invalid characters/],
    [`a'b`, /invalid characters/],
    ['a--b', /invalid characters/],
    ['', /empty/],
    ['x'.repeat(48), /too long, maximum length is 47 characters/],
  ])('a name like %s is refused', async (name, message) => {
    await expect(owner.query('select pgmq.create($1)', [name])).rejects.toMatchObject({ code: '22023', message: expect.stringMatching(message) });
    if (name.length !== 0 && name.length < 48) await expect(owner.query('select pgmq.read($1, 1, 1)', [name])).rejects.toMatchObject({ code: '22023' });
  });

  it('the longest name, capitals, blanks and quotes are good', async () => {
    for (const name of ['x'.repeat(47), 'My-Queue', 'two words', 'with"quote']) {
      await owner.query('select pgmq.validate_queue_name($1), pgmq.create($1)', [name]);
      expect(await rows('select * from pgmq.send($1, $2)', [name, '{}'])).toEqual([{ send: '1' }]);
      expect(await value('select total_messages::int from pgmq.metrics($1)', [name])).toBe(1);
    }
    expect(await value(`select pgmq.format_table_name('My-Queue', 'q')`)).toBe('q_my-queue');
  });

  it('a queue that is not there is an unknown table', () => expect(owner.query(`select pgmq.send('nowhere', '{}')`)).rejects.toMatchObject({ code: '42P01', message: 'relation "pgmq.q_nowhere" does not exist' }));
});

describe('sending', () => {
  it.each([
    ['a message', `'{"n":1}'::jsonb`, null, true],
    ['with headers', `'{"n":1}'::jsonb, '{"h":1}'::jsonb`, { h: 1 }, true],
    ['later by seconds', `'{"n":1}'::jsonb, 60`, null, false],
    ['at a time', `'{"n":1}'::jsonb, clock_timestamp() + interval '1 minute'`, null, false],
    ['with headers, later', `'{"n":1}'::jsonb, '{"h":1}'::jsonb, 60`, { h: 1 }, false],
    ['with headers, at a time', `'{"n":1}'::jsonb, '{"h":1}'::jsonb, clock_timestamp() + interval '1 minute'`, { h: 1 }, false],
  ])('%s', async (_, args, headers, isVisible) => {
    const name = await queue();
    expect(await ids(`select send as id from pgmq.send('${name}', ${args})`)).toEqual([1]);
    expect(await rows(`select message, headers, vt <= clock_timestamp() as visible, vt between clock_timestamp() + interval '50 seconds' and clock_timestamp() + interval '61 seconds' as later from pgmq.q_${name}`)).toEqual([{ message: { n: 1 }, headers, visible: isVisible, later: !isVisible }]);
  });

  const batch = `array['{"n":1}','{"n":2}']::jsonb[]`;
  const heads = `array['{"h":1}',null]::jsonb[]`;
  it.each([
    ['a batch', batch, [null, null], 2],
    ['a batch with headers', `${batch}, ${heads}`, [{ h: 1 }, null], 2],
    ['a batch later', `${batch}, 60`, [null, null], 0],
    ['a batch at a time', `${batch}, now() + interval '1 minute'`, [null, null], 0],
    ['a batch with headers, later', `${batch}, ${heads}, 60`, [{ h: 1 }, null], 0],
    ['a batch with headers, at a time', `${batch}, ${heads}, now() + interval '1 minute'`, [{ h: 1 }, null], 0],
  ])('%s', async (_, args, headers, visible) => {
    const name = await queue();
    expect(await ids(`select send_batch as id from pgmq.send_batch('${name}', ${args})`)).toEqual([1, 2]);
    expect(await rows(`select message, headers from pgmq.q_${name} order by msg_id`)).toEqual(headers.map((header, i) => ({ message: { n: i + 1 }, headers: header })));
    expect(await value(`select queue_visible_length::int from pgmq.metrics('${name}')`)).toBe(visible);
  });

  it('as many headers as messages', async () => {
    const name = await queue();
    await expect(owner.query(`select pgmq.send_batch('${name}', ${batch}, array['{}']::jsonb[])`)).rejects.toMatchObject({ code: '22023' });
  });
});

describe('reading', () => {
  it('hides what was read for a while, counts, and keeps the order', async () => {
    const name = await queue();
    await owner.query(`select pgmq.send_batch('${name}', array['1','2','3']::jsonb[])`);
    expect(await rows(`select msg_id, read_ct, message from pgmq.read('${name}', 30, 2)`)).toEqual([{ msg_id: '1', read_ct: 1, message: 1 }, { msg_id: '2', read_ct: 1, message: 2 }]);
    expect(await rows(`select msg_id, read_ct from pgmq.read('${name}', vt => 0, qty => 5)`)).toEqual([{ msg_id: '3', read_ct: 1 }]);
    expect(await rows(`select msg_id, read_ct from pgmq.read('${name}', 30, 5)`)).toEqual([{ msg_id: '3', read_ct: 2 }]);
    expect(Object.keys((await rows(`select * from pgmq.set_vt('${name}', 1, 0)`))[0]!)).toEqual(['msg_id', 'read_ct', 'enqueued_at', 'vt', 'message', 'headers']);
    expect(await ids(`select msg_id as id from pgmq.read('${name}', 30, 5)`)).toEqual([1]);
  });

  it('takes only what a condition holds for', async () => {
    const name = await queue();
    await owner.query(`select pgmq.send_batch('${name}', array['{"k":"a","n":1}','{"k":"b"}','{"k":"a"}']::jsonb[])`);
    expect(await ids(`select msg_id as id from pgmq.read('${name}', 30, 5, '{"k":"a"}')`)).toEqual([1, 3]);
    expect(await ids(`select msg_id as id from pgmq.read_with_poll('${name}', 30, 5, 1, 50, '{"k":"b"}')`)).toEqual([2]);
  });

  it('never gives one message to two readers', async () => {
    const name = await queue();
    await owner.query(`select pgmq.send_batch('${name}', (select array_agg(to_jsonb(n)) from generate_series(1, 300) n))`);
    const take = async (client: pg.Client): Promise<string[]> => {
      const taken: string[] = [];
      for (;;) {
        const some = await rows(`select msg_id from pgmq.read('${name}', 30, 7)`, [], client);
        if (some.length === 0) return taken;
        taken.push(...some.map(({ msg_id }) => msg_id));
      }
    };
    const third = await loginAs('postgres');
    const taken = (await Promise.all([owner, other, third].map(take))).flat();
    await third.end();
    expect(taken).toHaveLength(300);
    expect(new Set(taken).size).toBe(300);
  });

  it('passes over what another transaction is reading, and does not wait for it', async () => {
    const name = await queue();
    await owner.query(`select pgmq.send_batch('${name}', array['1','2']::jsonb[])`);
    await other.query('begin');
    await other.query(`select pgmq.read('${name}', 30, 1)`);
    expect(await ids(`select msg_id as id from pgmq.read('${name}', 30, 5)`)).toEqual([2]);
    await other.query('rollback');
    expect(await ids(`select msg_id as id from pgmq.pop('${name}')`)).toEqual([1]);
  });

  it('with polling ends as soon as something is there, and else when its time is up', async () => {
    const name = await queue();
    let began = performance.now();
    const waiting = rows(`select msg_id from pgmq.read_with_poll('${name}', 30, 5, 5, 20)`, [], other);
    await owner.query(`select pg_sleep(0.1), pgmq.send('${name}', '1')`);
    expect(await waiting).toEqual([{ msg_id: '1' }]);
    expect(performance.now() - began).toBeLessThan(3000);
    began = performance.now();
    expect(await rows(`select * from pgmq.read_with_poll('${name}', 30, 5, 1, 100)`)).toEqual([]);
    expect(performance.now() - began).toBeGreaterThan(950);
  });
});

describe('what becomes of a message', () => {
  it('popped, it is gone', async () => {
    const name = await queue();
    await owner.query(`select pgmq.send_batch('${name}', array['1','2','3']::jsonb[])`);
    expect(await ids(`select msg_id as id from pgmq.pop('${name}')`)).toEqual([1]);
    expect(await ids(`select msg_id as id from pgmq.pop('${name}', 5)`)).toEqual([2, 3]);
    expect(await rows(`select * from pgmq.pop('${name}')`)).toEqual([]);
  });

  it('archived, it stands in the archive', async () => {
    const name = await queue();
    await owner.query(`select pgmq.send_batch('${name}', array['1','2','3']::jsonb[], array['{"h":1}','{}','{}']::jsonb[])`);
    expect(await value(`select pgmq.archive('${name}', 1)`)).toBe(true);
    expect(await value(`select pgmq.archive('${name}', 1)`)).toBe(false);
    expect(await ids(`select archive as id from pgmq.archive('${name}', array[2, 3, 99])`)).toEqual([2, 3]);
    expect(await rows(`select msg_id, message, headers, archived_at > now() - interval '1 minute' as fresh from pgmq.a_${name} where msg_id = 1`)).toEqual([{ msg_id: '1', message: 1, headers: { h: 1 }, fresh: true }]);
    expect(await rows(`select * from pgmq.q_${name}`)).toEqual([]);
  });

  it('deleted, it is nowhere', async () => {
    const name = await queue();
    await owner.query(`select pgmq.send_batch('${name}', array['1','2','3']::jsonb[])`);
    expect(await value(`select pgmq.delete('${name}', 1)`)).toBe(true);
    expect(await value(`select pgmq.delete('${name}', 1)`)).toBe(false);
    expect(await ids(`select delete as id from pgmq.delete('${name}', array[2, 99])`)).toEqual([2]);
    expect(await value(`select count(*)::int from pgmq.a_${name}`)).toBe(0);
  });

  it('its time can be set, for one and for many, in seconds and to a time', async () => {
    const name = await queue();
    await owner.query(`select pgmq.send_batch('${name}', array['1','2']::jsonb[], 60)`);
    expect(await ids(`select msg_id as id from pgmq.set_vt('${name}', 1, 0)`)).toEqual([1]);
    expect(await ids(`select msg_id as id from pgmq.set_vt('${name}', 1, now() + interval '1 hour')`)).toEqual([1]);
    expect(await rows(`select * from pgmq.read('${name}', 1, 5)`)).toEqual([]);
    expect(await ids(`select msg_id as id from pgmq.set_vt('${name}', array[1, 2], 0) order by 1`)).toEqual([1, 2]);
    expect(await ids(`select msg_id as id from pgmq.set_vt('${name}', array[1, 2], now() - interval '1 hour') order by 1`)).toEqual([1, 2]);
    expect(await ids(`select msg_id as id from pgmq.read('${name}', 1, 5)`)).toEqual([1, 2]);
  });

  it('purged, the queue is empty', async () => {
    const name = await queue();
    await owner.query(`select pgmq.send_batch('${name}', array['1','2']::jsonb[])`);
    expect(await value(`select pgmq.purge_queue('${name}')`)).toBe('2');
    expect(await rows(`select queue_length::int, total_messages::int, newest_msg_age_sec from pgmq.metrics('${name}')`)).toEqual([{ queue_length: 0, total_messages: 2, newest_msg_age_sec: null }]);
  });
});

describe('watching', () => {
  it('metrics count what waits, what is visible and what ever was', async () => {
    const name = await queue();
    await owner.query(`select pgmq.send('${name}', '1'), pgmq.send('${name}', '2', 60), pgmq.send('${name}', '3'); update pgmq.q_${name} set enqueued_at = now() - interval '1 minute' where msg_id = 1; select pgmq.pop('${name}', 0)`);
    const [found] = await rows<Record<string, unknown>>(`select * from pgmq.metrics('${name}')`);
    expect(found).toMatchObject({ queue_name: name, queue_length: '3', queue_visible_length: '2', total_messages: '3', newest_msg_age_sec: 0, oldest_msg_age_sec: 60 });
    expect(await value(`select count(*)::int - (select count(*)::int from pgmq.meta) from pgmq.metrics_all()`)).toBe(0);
  });

  it('an insert can be heard, and not any more', async () => {
    const name = await queue();
    const heard: string[] = [];
    other.on('notification', ({ channel }) => heard.push(channel));
    await other.query(`listen "pgmq.q_${name}.INSERT"`);
    await owner.query(`select pgmq.enable_notify_insert('${name}'); select pgmq.enable_notify_insert('${name}', 100); select pgmq.send_batch('${name}', array['1','2']::jsonb[])`);
    await other.query('select 1');
    await owner.query(`select pgmq.disable_notify_insert('${name}'); select pgmq.send('${name}', '1')`);
    await other.query('select 1');
    expect(heard).toEqual([`pgmq.q_${name}.INSERT`]);
  });
});

describe('who may', () => {
  const asRole = (role: string, sql: string): Promise<unknown[]> => db.admin.transaction({ role, settings: {} }, (tx) => tx.rows(sql));

  it('guests reach nothing of a queue until its owner lets them, and then only what policies give', async () => {
    const name = await queue();
    await expect(asRole('anon', `select * from pgmq_public.send('${name}', '{}')`)).rejects.toMatchObject({ code: '42501' });
    await expect(asRole('anon', `select * from pgmq.list_queues()`)).rejects.toMatchObject({ code: '42501' });
    await expect(asRole('anon', `select pgmq.create('mine')`)).rejects.toMatchObject({ code: '42501' });
    await owner.query(`alter table pgmq.q_${name} enable row level security; grant select, insert on pgmq.q_${name} to authenticated; create policy sends on pgmq.q_${name} for insert to authenticated with check (message ->> 'ok' = 'yes'); create policy sees on pgmq.q_${name} for select to authenticated using (true)`);
    expect(await asRole('authenticated', `select * from pgmq_public.send('${name}', '{"ok": "yes"}')`)).toEqual([{ send: '1' }]);
    await expect(asRole('authenticated', `select * from pgmq_public.send('${name}', '{"ok": "no"}')`)).rejects.toMatchObject({ code: '42501' });
    await expect(asRole('authenticated', `select * from pgmq_public.delete('${name}', 1)`)).rejects.toMatchObject({ code: '42501' });
  });

  it('the service sends, reads, pops, archives and deletes', async () => {
    const name = await queue();
    expect(await asRole('service_role', `select * from pgmq_public.send(queue_name => '${name}', message => '{"n": 1}', sleep_seconds => 0)`)).toEqual([{ send: '1' }]);
    expect(await asRole('service_role', `select * from pgmq_public.send_batch('${name}', array['2','3']::jsonb[])`)).toEqual([{ send_batch: '2' }, { send_batch: '3' }]);
    expect(await asRole('service_role', `select msg_id, message from pgmq_public.read(queue_name => '${name}', sleep_seconds => 0, n => 2)`)).toEqual([{ msg_id: '1', message: { n: 1 } }, { msg_id: '2', message: 2 }]);
    expect(await asRole('service_role', `select msg_id from pgmq_public.pop('${name}')`)).toEqual([{ msg_id: '1' }]);
    expect(await asRole('service_role', `select pgmq_public.archive('${name}', 2) as is_done, pgmq_public.delete('${name}', 3) as is_gone`)).toEqual([{ is_done: true, is_gone: true }]);
    expect(await asRole('service_role', `select queue_length::int from pgmq.metrics('${name}')`)).toEqual([{ queue_length: 0 }]);
  });

  it('a project may write the exposed functions anew, as Supabase’s own pages do, and pass rights on', async () => {
    await owner.query(`create schema if not exists pgmq_public; grant usage on schema pgmq_public to postgres, anon, authenticated, service_role;
      create or replace function pgmq_public.pop(queue_name text) returns setof pgmq.message_record language plpgsql set search_path = '' as $$ begin return query select * from pgmq.pop(queue_name := queue_name); end; $$;
      comment on function pgmq_public.pop(queue_name text) is 'Retrieves and locks the next message';
      revoke execute on function pgmq.pop from public; grant execute on function pgmq.pop to service_role;
      grant all privileges on all tables in schema pgmq to postgres, service_role`);
    const name = await queue();
    await owner.query(`select pgmq.send('${name}', '1')`);
    expect(await asRole('service_role', `select msg_id from pgmq_public.pop('${name}')`)).toEqual([{ msg_id: '1' }]);
    await expect(asRole('authenticated', `select pgmq.pop('${name}')`)).rejects.toMatchObject({ code: '42501' });
  });

  it('dropped and made anew, the queues are still there', async () => {
    const name = await queue();
    await owner.query(`select pgmq.send('${name}', '1'); drop extension pgmq; create extension pgmq; select pgmq.create('${name}')`);
    expect(await rows(`select msg_id from pgmq.pop('${name}')`)).toEqual([{ msg_id: '1' }]);
  });
});
