import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { Database, Session, Transaction } from '@mainstay/persistence';
import { makeTestDatabase, testRedis, type TestDatabase } from '@mainstay/testing';
import { WorkerModule } from './worker.module.ts';
import { Worker } from './worker.ts';

let test: TestDatabase;
let admin: Database;
let callers: Database;
let stop: () => Promise<void>;
const ada = randomUUID();
const bob = randomUUID();
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const functions = `
  create table marks (id bigint generated always as identity primary key, what text, by text default current_user, uid uuid default auth.uid());
  alter table marks enable row level security;
  create policy own on marks for all to authenticated using (uid = auth.uid()) with check (uid = auth.uid());
  create function mark(what text, times integer default 1) returns integer language plpgsql as $$
    begin
      insert into marks (what) select mark.what from generate_series(1, times);
      return times;
    end $$;
  create function tell_all(prefix text) returns table (name text, n integer) language sql as $$ select prefix || i, i from generate_series(1, 2) as i $$;
  create function sum_of(variadic numbers integer[]) returns integer language sql as $$ select sum(n)::int from unnest(numbers) as n $$;
  create function whole(jsonb) returns jsonb language sql as $$ select $1 $$;
  create function nothing() returns void language sql as $$ select $$;
  create function due(day date, state text default 'open') returns text language sql as $$ select day::text || ' ' || state $$;
  create function twice(a integer) returns integer language sql as $$ select a $$;
  create function twice(a text) returns text language sql as $$ select a $$;
  create function hidden() returns integer language sql as $$ select 1 $$;
  revoke execute on function hidden from public, anon, authenticated, service_role;
  create procedure act() language plpgsql as $$ begin end $$;
  create function on_row() returns trigger language plpgsql as $$ begin perform mainstay.enqueue('mark', jsonb_build_object('what', 'row ' || new.id)); return null; end $$;
  create function broken(what text) returns void language plpgsql as $$ begin perform mark(what); raise exception 'the shelf is empty' using detail = 'shelf 7', hint = 'fill it'; end $$;
  create function refused() returns void language plpgsql as $$ begin raise sqlstate 'PT422' using message = 'there is no such shelf'; end $$;
  create function late_check(what text) returns void language plpgsql as $$ begin insert into parts (whole) values (99); perform mark(what); end $$;
  create table wholes (id integer primary key);
  create table parts (whole integer references wholes deferrable initially deferred);
  grant all on parts to authenticated;
  create function slow(seconds float) returns void language plpgsql as $$
    begin perform mainstay.progress(1, 3, 'begun'); perform pg_sleep(seconds); perform mainstay.progress(3, 3); end $$;
  create function more(n integer) returns uuid language plpgsql as $$
    begin
      perform mark('more ' || n);
      return case when n > 0 then mainstay.enqueue('more', jsonb_build_object('n', n - 1)) end;
    end $$;
  create table orders (id integer primary key);
  grant all on orders to anon, authenticated;
  create function on_order() returns trigger language plpgsql security definer set search_path = '' as $$
    begin perform mainstay.enqueue('public.hidden'); return null; end $$;
  create trigger on_order after insert on orders for each row execute function on_order();
  create table notes (id integer primary key);
  grant all on notes to anon, authenticated;
  create trigger on_note after insert on notes for each row execute function on_row();
  alter table marks add foreign key (uid) references auth.users on delete cascade not valid;
  create function leave_behind() returns text language sql as $$ select set_config('app.secret', 'ada''s', false) $$;
  create function find_left() returns text language sql as $$ select coalesce(current_setting('app.secret', true), '') $$;
  create function who() returns text language sql as $$ select session_user || ' ' || current_user $$;
`;

beforeAll(async () => {
  test = await makeTestDatabase({ MAINSTAY_QUEUE_PREFIX: testRedis().prefix, MAINSTAY_JOB_LEASE: '5' });
  admin = test.admin;
  callers = test.as('authenticator');
  await admin.transaction({ role: 'postgres', settings: {} }, (tx) => tx.rows(functions));
  await admin.rows(`insert into auth.users (id, email) values ($1, 'ada@example.org'), ($2, 'bob@example.org')`, [ada, bob]);
  const app = await NestFactory.createApplicationContext(WorkerModule.with(test.settings, log), { logger: false });
  const worker = app.get(Worker);
  await worker.start();
  stop = async () => {
    await worker.stop();
    await app.close();
  };
}, 60_000);
afterAll(async () => {
  await stop();
  await test.close();
});

describe('what cannot be changed', () => {
  it.each([
    ['delete from mainstay.jobs', '42501'], ['insert into mainstay.requests (id) values (gen_random_uuid())', '42501'], ['delete from mainstay.requests', '42501'], ['update mainstay.exports set state = $$done$$', '42501'],
    ['delete from mainstay.exports', '42501'], ['insert into mainstay.schedule_runs (id) values (1)', '42501'], ['update mainstay.schedule_runs set state = $$done$$', '42501'], ['delete from mainstay.schedule_runs', '42501'],
    ['select mainstay.cancel(gen_random_uuid())', 'PT404'], ['select mainstay.unschedule($$nope$$)', 'PT404'], ['select mainstay.run_schedule($$nope$$)', 'PT404'], ['select mainstay.pause_schedule($$nope$$)', 'PT404'],
  ])('%s is refused with %s, which is no error of the server', async (statement, code) => {
    await expect(callers.transaction(as(ada), (tx) => tx.rows(statement))).rejects.toMatchObject({ code });
  });
});

describe('a job of one’s own', () => {
  it('is a function that runs after the commit, as who asked, and what it returns is kept', async () => {
    const job = await ended(await enqueue(as(ada), 'mark', { what: 'hello', times: 2 }));
    expect(job).toMatchObject({ state: 'done', attempts: 1, result: 2, owner: ada, role: 'authenticated', kind: 'call-function', queue: 'functions' });
    expect(await marks('hello')).toEqual([{ by: 'authenticated', uid: ada }, { by: 'authenticated', uid: ada }]);
  });

  it('never runs for a transaction that rolled back', async () => {
    await callers.transaction(as(ada), async (tx) => {
      await tx.rows(`select mainstay.enqueue('mark', '{"what": "never"}')`);
      throw new Error('no');
    }).catch(() => {});
    await ended(await enqueue(as(ada), 'mark', { what: 'later' }));
    expect(await marks('never')).toEqual([]);
  });

  it.each<[string, object, unknown]>([
    ['mark', { what: 'x' }, 1],
    ['public.mark', { what: 'x', times: 0 }, 0],
    ['"public"."due"', { day: '2026-02-01' }, '2026-02-01 open'],
    ['due', { day: '2026-02-01', state: 'shut' }, '2026-02-01 shut'],
    ['tell_all', { prefix: 'n' }, [{ name: 'n1', n: 1 }, { name: 'n2', n: 2 }]],
    ['sum_of', { numbers: [1, 2, 3] }, 6],
    ['whole', { any: ['thing'] }, { any: ['thing'] }],
    ['nothing', {}, null],
  ])('%s(%j) gives %j', async (name, args, result) => {
    expect(await ended(await enqueue(as(ada), name, args))).toMatchObject({ state: 'done', result });
  });

  it.each<[string, string, object, string, RegExp]>([
    ['an unknown function', 'no_such', {}, '42883', /function public\.no_such does not exist/],
    ['no name at all', 'mark(text)', {}, '22023', /'mark\(text\)' is no name of a function/],
    ['an unknown argument', 'mark', { what: 'x', size: 1 }, '22023', /public\.mark has no parameter size; it takes what, times/],
    ['a missing one', 'mark', { times: 1 }, '22023', /public\.mark needs what/],
    ['a value that is none of its type', 'due', { day: 'soon' }, '22023', /argument day is no date: invalid input syntax/],
    ['what is ambiguous', 'twice', { a: 1 }, '42725', /more than one function public\.twice takes these arguments/],
    ['what the caller may not execute', 'hidden', {}, '42501', /role authenticated may not execute function public\.hidden\(\)/],
    ['a procedure', 'act', {}, '22023', /public\.act is a procedure/],
    ['a trigger function', 'on_row', {}, '22023', /public\.on_row is a trigger function/],
    ['a schema that it may not enter', 'mainstay_internal.owns', { owner: 'x' }, '42501', /role authenticated may not use schema mainstay_internal/],
  ])('%s is refused when it is asked for', async (_, name, args, code, message) => {
    await expect(enqueue(as(ada), name, args)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it.each<[string, RegExp]>([
    [`run_at => 'infinity'`, /run_at must be a time within the next ten years/],
    [`run_at => now() + interval '11 years'`, /run_at must be/],
    [`key => ''`, /key must have 1 to 255 characters/],
    [`max_attempts => 0`, /max_attempts must be from 1 to 100, not 0/],
    [`priority => 1001`, /priority must be from -1000 to 1000/],
    [`queue => 'nowhere'`, /there is no queue nowhere/],
    [`queue => 'mail'`, /there is no queue mail/],
    [`after => array['${randomUUID()}'::uuid]`, /there is no job .* of yours to run after/],
  ])('%s is refused', async (terms, message) => {
    await expect(callers.transaction(as(ada), (tx) => tx.rows(`select mainstay.enqueue('nothing', ${terms})`))).rejects.toMatchObject({ code: '22023', message: expect.stringMatching(message) });
  });

  it('with a key is one job of its owner and function while it is open', async () => {
    const later = new Date(Date.now() + 3_600_000);
    const one = await enqueue(as(ada), 'nothing', {}, { key: 'k', run_at: later });
    expect(await enqueue(as(ada), 'nothing', {}, { key: 'k', run_at: later })).toBe(one);
    expect(await enqueue(as(ada), 'mark', { what: 'x' }, { key: 'k', run_at: later })).not.toBe(one);
    expect(await enqueue(as(bob), 'nothing', {}, { key: 'k', run_at: later })).not.toBe(one);
  });

  it('enqueues more jobs, whose owner is the same', async () => {
    const id = await enqueue(as(ada), 'more', { n: 2 });
    const follower = String((await ended(id))['result']);
    expect(await ended(follower)).toMatchObject({ owner: ada, role: 'authenticated' });
    await until(async () => (await marks('more 0')).length === 1);
  });

  it('keeps the trace of the request that asked for it, and its followers do too', async () => {
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const id = await enqueue({ ...as(ada), settings: { ...as(ada).settings, 'request.headers': JSON.stringify({ traceparent: trace }) } }, 'more', { n: 1 });
    expect((await ended(id))['trace']).toBe(trace);
    expect((await job(String((await job(id))['result'])))['trace']).toBe(trace);
  });
});

describe('whoever enqueues', () => {
  it('by a trigger does so as who runs it: a guest too', async () => {
    await callers.transaction(guest, (tx) => tx.rows('insert into notes values (1)'));
    const [found] = await admin.rows<{ id: string }>(`select id from mainstay_internal.jobs where payload -> 'arguments' ->> 'what' = 'row 1'`);
    // A guest may not write into marks: that is the function's own failure. It was called as the guest.
    await until(async () => (await job(found!.id))['error'] !== null);
    expect(await job(found!.id)).toMatchObject({ owner: 'role anon', role: 'anon', error: { code: '42501' } });
    expect(await seen(guest)).toEqual([]);
  });

  it('is the owner of a SECURITY DEFINER function where that asks: the job is no caller’s, and runs as postgres', async () => {
    await callers.transaction(as(ada), (tx) => tx.rows('insert into orders values (1)'));
    const [found] = await admin.rows<{ id: string }>(`select id from mainstay_internal.jobs where payload ->> 'name' = 'hidden'`);
    expect(await ended(found!.id)).toMatchObject({ state: 'done', role: 'postgres', owner: 'service_role', result: 1, claims: { sub: ada } });
    expect((await seen(as(ada))).map(({ id }) => id)).not.toContain(found!.id);
    await expect(callers.transaction(as(ada), (tx) => tx.rows('select mainstay.cancel($1)', [found!.id]))).rejects.toMatchObject({ code: 'PT404' });
  });

  it('as postgres has it run by a login of its own', async () => {
    const id = await enqueue({ role: 'postgres', settings: {} }, 'who', {}, {}, admin);
    expect(await ended(id)).toMatchObject({ state: 'done', result: 'mainstay_commands postgres' });
    const asUser = await enqueue(as(ada), 'who', {});
    expect(await ended(asUser)).toMatchObject({ result: 'mainstay_worker authenticated' });
  });

  it('cannot say that it is somebody else', async () => {
    await expect(callers.transaction(as(ada), (tx) => tx.rows(`insert into mainstay.jobs (function, role) values ('nothing', 'service_role')`))).rejects.toMatchObject({ code: '42501' });
    await expect(callers.transaction(as(ada), (tx) => tx.rows(`select mainstay_internal.enqueue_function('public', 'hidden', '{}', 'x', 'postgres', '{}')`))).rejects.toMatchObject({ code: '42501' });
  });

  it('as a role that no worker may become is told how to let it', async () => {
    await admin.rows(`do $$ begin create role clerk; exception when duplicate_object then null; end $$; grant usage on schema mainstay to clerk; grant execute on all functions in schema mainstay to clerk; grant select, insert on mainstay.jobs to clerk`);
    await expect(enqueue({ role: 'clerk', settings: {} }, 'nothing', {}, {}, admin)).rejects.toMatchObject({ code: '42501', message: 'a worker cannot act as role clerk', hint: expect.stringContaining('GRANT clerk TO mainstay_worker') });
  });
});

describe('a function that', () => {
  it('raises an error leaves nothing behind, is tried again, and is dead after its attempts', async () => {
    const id = await enqueue(as(ada), 'broken', { what: 'broken' }, { max_attempts: 2 });
    await soon(id);
    expect(await ended(id)).toMatchObject({ state: 'dead', attempts: 2, error: { code: 'P0001', message: 'the shelf is empty', details: 'shelf 7', hint: 'fill it' } });
    expect(await marks('broken')).toEqual([]);
  });

  it('raises PT4xx is refused for good', async () => {
    expect(await ended(await enqueue(as(ada), 'refused', {}))).toMatchObject({ state: 'failed', attempts: 1, error: { code: 'PT422', message: 'there is no such shelf' } });
  });

  it('leaves a constraint to the commit fails by it, and leaves nothing behind', async () => {
    const id = await enqueue(as(ada), 'late_check', { what: 'late' }, { max_attempts: 1 });
    expect(await ended(id)).toMatchObject({ state: 'dead', error: { code: '23503' } });
    expect(await marks('late')).toEqual([]);
  });

  it('is dropped before its time, or taken away from its role, fails with the reason', async () => {
    await admin.transaction({ role: 'postgres', settings: {} }, (tx) => tx.rows('create function fleeting() returns int language sql as $$ select 1 $$'));
    const first = await enqueue(as(ada), 'fleeting', {});
    expect(await ended(first)).toMatchObject({ state: 'done' });
    const taken = await enqueue(as(ada), 'fleeting', {}, { run_at: new Date(Date.now() + 3_600_000) });
    await admin.rows('revoke execute on function fleeting from public, authenticated');
    await admin.rows('update mainstay_internal.jobs set run_at = now() where id = $1', [taken]);
    await admin.rows(`notify mainstay_outbox, 'functions'`);
    expect(await ended(taken)).toMatchObject({ state: 'failed', error: { code: 'function_not_callable', message: 'role authenticated may not execute function public.fleeting()' } });
    await admin.rows('grant execute on function fleeting to authenticated');
    const gone = await enqueue(as(ada), 'fleeting', {}, { run_at: new Date(Date.now() + 3_600_000) });
    await admin.rows('drop function fleeting');
    await admin.rows('update mainstay_internal.jobs set run_at = now() where id = $1', [gone]);
    await admin.rows(`notify mainstay_outbox, 'functions'`);
    expect(await ended(gone)).toMatchObject({ state: 'failed', error: { code: 'function_not_callable', message: 'function public.fleeting does not exist' } });
  });

  it('is made anew with other types in between is called as it is now', async () => {
    await admin.transaction({ role: 'postgres', settings: {} }, (tx) => tx.rows('create function shifting(a integer) returns int language sql as $$ select a $$'));
    expect(await ended(await enqueue(as(ada), 'shifting', { a: 1 }))).toMatchObject({ result: 1 });
    await admin.transaction({ role: 'postgres', settings: {} }, (tx) => tx.rows('drop function shifting; create function shifting(a text[]) returns int language sql as $$ select 7 $$'));
    expect(await ended(await enqueue(as(ada), 'shifting', { a: ['x'] }))).toMatchObject({ state: 'done', result: 7 });
  });

  it('sets something for the whole session leaves it to nobody', async () => {
    await ended(await enqueue(as(ada), 'leave_behind', {}));
    const ids = await Promise.all(Array.from({ length: 10 }, () => enqueue(as(bob), 'find_left', {})));
    for (const id of ids) expect(await ended(id)).toMatchObject({ state: 'done', result: '' });
  });

  it('tells its progress is seen while it runs', async () => {
    const id = await enqueue(as(ada), 'slow', { seconds: 1.5 });
    await until(async () => (await job(id))['progress'] !== null);
    expect(await job(id)).toMatchObject({ state: 'running', progress: { done: 1, total: 3, note: 'begun' } });
    expect(await ended(id)).toMatchObject({ state: 'done', progress: { done: 3, total: 3, note: null } });
  });

  it('runs is cancelled at once, and nothing of it stays', async () => {
    const id = await enqueue(as(ada), 'slow', { seconds: 30 });
    await until(async () => (await job(id))['state'] === 'running');
    expect(await callers.transaction(as(ada), (tx) => tx.rows('select mainstay.cancel($1) as cancelled', [id]))).toEqual([{ cancelled: true }]);
    expect(await ended(id)).toMatchObject({ state: 'cancelled' });
    await until(async () => (await admin.rows(`select 1 from pg_stat_activity where query like '%pg_sleep%' and state = 'active' and pid <> pg_backend_pid()`)).length === 0);
    expect(await callers.transaction(as(ada), (tx) => tx.rows('select mainstay.cancel($1) as cancelled', [id]))).toEqual([{ cancelled: false }]);
  });

  it('was asked for by an account that is banned meanwhile is not called', async () => {
    const eve = randomUUID();
    await admin.rows(`insert into auth.users (id, email) values ($1, $2)`, [eve, `${eve}@example.org`]);
    const id = await enqueue(as(eve), 'mark', { what: 'eve' }, { run_at: new Date(Date.now() + 500) });
    await admin.rows(`update auth.users set banned_until = now() + interval '1 day' where id = $1`, [eve]);
    expect(await ended(id)).toMatchObject({ state: 'failed', error: { code: 'caller_banned' } });
  });
});

describe('after', () => {
  it('waits until all the others are done', async () => {
    const slow = await enqueue(as(ada), 'slow', { seconds: 0.6 });
    const quick = await enqueue(as(ada), 'nothing', {});
    const last = await enqueue(as(ada), 'mark', { what: 'last' }, { after: [slow, quick] });
    await ended(quick);
    expect(await job(last)).toMatchObject({ state: 'queued' });
    expect(await ended(last)).toMatchObject({ state: 'done' });
    const [row] = await admin.rows<{ isAfter: boolean }>(`select a.started_at > b.finished_at as "isAfter" from mainstay_internal.jobs a, mainstay_internal.jobs b where a.id = $1 and b.id = $2`, [last, slow]);
    expect(row!.isAfter).toBe(true);
  });

  it('fails with the reason when one of them never will be, and so do those who wait for it in turn', async () => {
    const bad = await enqueue(as(ada), 'refused', {}, { run_at: new Date(Date.now() + 300) });
    const next = await enqueue(as(ada), 'nothing', {}, { after: [bad] });
    const last = await enqueue(as(ada), 'nothing', {}, { after: [next] });
    expect(await ended(last)).toMatchObject({ state: 'failed', error: { code: 'awaited_job_not_done', details: { job_id: next, state: 'failed' } } });
    const late = await enqueue(as(ada), 'nothing', {}, { after: [bad] });
    expect(await ended(late)).toMatchObject({ state: 'failed', error: { code: 'awaited_job_not_done', details: { job_id: bad, state: 'failed' } } });
  });

  it('knows no job of somebody else', async () => {
    const his = await enqueue(as(bob), 'nothing', {});
    await expect(enqueue(as(ada), 'nothing', {}, { after: [his] })).rejects.toMatchObject({ message: `there is no job ${his} of yours to run after` });
  });

  it('finds those who ended before the wait was committed', async () => {
    const first = await enqueue(as(ada), 'nothing', {}, { run_at: new Date(Date.now() + 200) });
    let last = '';
    await callers.transaction(as(ada), async (tx) => {
      last = await put(tx, 'nothing', {}, { after: [first] });
      await ended(first);
    });
    expect(await ended(last)).toMatchObject({ state: 'done' });
  });
});

describe('a queue of one’s own', () => {
  it('has no more jobs running at once than it may, of one key and over all', async () => {
    await admin.rows(`insert into mainstay_internal.queues (name, concurrency, per_turn_concurrency, turn_from) values ('narrow', 3, 1, 'shelf')`);
    await admin.transaction({ role: 'postgres', settings: {} }, (tx) => tx.rows('create function fill(shelf text) returns void language sql as $$ select pg_sleep(0.15) $$'));
    for (const shelf of ['a', 'a', 'a', 'b', 'b', 'c', 'd', 'e']) await enqueue(as(ada), 'fill', { shelf }, { queue: 'narrow' });
    const all = `select turn, started_at as s, finished_at as f from mainstay_internal.jobs where queue = 'narrow' and state = 'done'`;
    await until(async () => (await admin.rows(all)).length === 8);
    const overlaps = async (same: string): Promise<number> => {
      const [row] = await admin.rows<{ most: number }>(`with j as (${all}) select max((select count(*)::int from j other where other.s <= j.s and other.f > j.s ${same})) as most from j`);
      return row!.most;
    };
    expect(await overlaps('and other.turn = j.turn')).toBe(1);
    expect(await overlaps('')).toBeLessThanOrEqual(3);
  });
});

describe('the view', () => {
  it('shows one’s own, and all of them to the service key and to postgres', async () => {
    const mine = await enqueue(as(ada), 'due', { day: '2026-01-01' }, { key: 'shown', priority: 3 });
    await ended(mine);
    const [shown] = (await seen(as(ada))).filter(({ id }) => id === mine);
    expect(shown).toMatchObject({ function: 'public.due', arguments: { day: '2026-01-01' }, state: 'done', result: '2026-01-01 open', key: 'shown', priority: 3, after: [], owner: ada });
    expect((await seen(as(bob))).every(({ owner }) => owner === bob)).toBe(true);
    expect((await seen(service)).map(({ id }) => id)).toContain(mine);
    expect((await seen({ role: 'postgres', settings: {} }, admin)).map(({ id }) => id)).toContain(mine);
  });

  it('sends a dead one again, and says why it does not send another', async () => {
    const id = await enqueue(as(ada), 'broken', { what: 'again' }, { max_attempts: 1 });
    await ended(id);
    await callers.transaction(as(ada), (tx) => tx.rows('select mainstay.retry($1)', [id]));
    await until(async () => (await job(id))['attempts'] === 2);
    const done = await enqueue(as(ada), 'nothing', {});
    await ended(done);
    await expect(callers.transaction(as(ada), (tx) => tx.rows('select mainstay.retry($1)', [done]))).rejects.toMatchObject({ message: expect.stringMatching(/is done: only what is dead/) });
    await expect(callers.transaction(as(bob), (tx) => tx.rows('select mainstay.retry($1)', [id]))).rejects.toMatchObject({ code: 'PT404' });
  });
});

const guest: Session = { role: 'anon', settings: { 'request.jwt.claims': '{"role":"anon"}' } };
const service: Session = { role: 'service_role', settings: { 'request.jwt.claims': '{"role":"service_role"}' } };

function as(sub: string): Session {
  return { role: 'authenticated', settings: { 'request.jwt.claims': JSON.stringify({ sub, role: 'authenticated' }), 'request.jwt.claim.sub': sub } };
}

type Terms = Readonly<Record<string, unknown>>;

async function put(tx: Transaction, name: string, args: object, terms: Terms = {}): Promise<string> {
  const more = Object.keys(terms).map((term, i) => `, ${term} => $${i + 3}`).join('');
  const [row] = await tx.rows<{ id: string }>(`select mainstay.enqueue($1::text, $2${more}) as id`, [name, JSON.stringify(args), ...Object.values(terms)]);
  return row!.id;
}

function enqueue(session: Session, name: string, args: object, terms: Terms = {}, database = callers): Promise<string> {
  return database.transaction(session, (tx) => put(tx, name, args, terms));
}

function seen(session: Session, database = callers): Promise<Record<string, unknown>[]> {
  return database.transaction(session, (tx) => tx.rows('select * from mainstay.jobs'));
}

async function marks(what: string): Promise<unknown[]> {
  return admin.rows('select by, uid from public.marks where what = $1', [what]);
}

async function job(id: string): Promise<Record<string, unknown>> {
  return (await admin.rows('select * from mainstay_internal.jobs where id = $1', [id]))[0]!;
}

async function ended(id: string): Promise<Record<string, unknown>> {
  await until(async () => !['queued', 'running'].includes(String((await job(id))['state'])));
  return job(id);
}

/** Once an attempt has failed, the next comes at once instead of after its back-off. */
async function soon(id: string): Promise<void> {
  await until(async () => (await job(id))['error'] !== null);
  await admin.rows(`update mainstay_internal.jobs set run_at = now() where id = $1 and state = 'queued'`, [id]);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 15_000; !(await isSo()); await pause(10)) if (Date.now() > end) throw new Error('it did not come to pass within 15 s');
}
