import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { makeTestDatabase, testRedis, type Database, type TestDatabase } from '@mainstay/testing';

const root = join(import.meta.dirname, '../../..');
/** Beside the packages that it imports; a name of its own, since other specs build too. */
const folder = join(root, `node_modules/.cache/mainstay/schedules-spec-${process.pid}`);
const file = join(folder, 'main.js');
let test: TestDatabase;
let admin: Database;
const workers: ChildProcess[] = [];

beforeAll(async () => {
  execFileSync(process.execPath, ['node_modules/rolldown/bin/cli.mjs', '-c', '--logLevel', 'silent', '--dir', folder], { cwd: root, env: { ...process.env, APP: 'worker', NODE_OPTIONS: '' } });
  test = await makeTestDatabase({ MAINSTAY_QUEUE_PREFIX: testRedis().prefix, MAINSTAY_JOB_LEASE: '5', LOG_LEVEL: process.env['SPEC_LOG'] ?? 'silent', PGRST_APP_SETTINGS_SITE: 'https://site.test' });
  admin = test.admin;
  await rows(`alter role postgres set app.settings.of_role = 'of the role'`);
  await asPostgres(`create extension pg_cron; create table public.marks (id bigint generated always as identity, mark text, role text default current_user, at timestamptz default clock_timestamp())`);
  await Promise.all([startWorker(), startWorker()]);
}, 60_000);
afterAll(async () => {
  await Promise.all([...workers].map(kill));
  await rows('alter role postgres reset app.settings.of_role');
  await test.close();
  rmSync(folder, { recursive: true, force: true });
});

async function startWorker(): Promise<ChildProcess> {
  const child = fork(file, { env: { ...test.environment, NODE_ENV: 'production' }, execPath: process.execPath, execArgv: [], stdio: ['ignore', process.env['SPEC_LOG'] === undefined ? 'ignore' : 'inherit', 'inherit', 'ipc'] });
  workers.push(child);
  await new Promise((resolve, reject) => child.once('message', resolve).once('exit', () => reject(new Error('the worker ended'))));
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  workers.splice(workers.indexOf(child), 1);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

/** As a project's migrations run. */
async function asPostgres(sql: string): Promise<void> {
  await admin.transaction({ role: 'postgres', settings: { search_path: 'public' } }, (tx) => tx.rows(sql));
}

async function rows<R extends object = Record<string, unknown>>(sql: string, values: unknown[] = []): Promise<R[]> {
  return admin.rows<R>(sql, values);
}

async function until<R extends object>(sql: string, isIt: (rows: R[]) => boolean, seconds = 20): Promise<R[]> {
  for (const end = Date.now() + seconds * 1000; ; await pause(50)) {
    const found = await rows<R>(sql);
    if (isIt(found)) return found;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${sql}: ${JSON.stringify(found).slice(0, 1000)}`);
  }
}

async function empty(): Promise<void> {
  await asPostgres(`delete from cron.job; delete from mainstay.schedules where origin = 'own'; truncate public.marks`);
  await until(`select 1 from mainstay_internal.jobs where state in ('queued', 'running') and kind = 'run-command'`, (open) => open.length === 0, 20);
  await rows('delete from cron.job_run_details');
}

interface RunDetails {
  readonly command: string;
  readonly status: string;
  readonly return_message: string;
  readonly job_pid: number | null;
  readonly username: string;
  readonly start_time: Date | null;
  readonly end_time: Date | null;
}

const runs = (isIt: (found: RunDetails[]) => boolean, seconds?: number) => until<RunDetails>('select * from cron.job_run_details order by runid', isIt, seconds);
const cronJob = (schedule: string, command: string, more = '{}') =>
  rows<{ jobid: string }>(
    `insert into cron.job (schedule, command, username, database, jobname) select $1, $2, coalesce(more ->> 'username', 'postgres'), coalesce(more ->> 'database', current_database()), more ->> 'jobname'
     from (select $3::jsonb as more) as given returning jobid`,
    [schedule, command, more],
  ).then(([job]) => job!.jobid);
/** A schedule of SQL, as the service key makes it. */
const scheduleSql = (name: string, cron: string, sql: string, more: Record<string, string> = {}) =>
  rows<{ id: string }>(
    `select mainstay_internal.put_schedule(name => $1, owner => 'service_role', role => 'postgres', claims => '{"role": "postgres"}', cron => $2, time_zone => 'UTC', target => jsonb_build_object('kind', 'sql', 'sql', $3::text),
       missed => $4, overlap => $5, max_attempts => $6, queue => null, priority => 0, is_paused => false) as id`,
    [name, cron, sql, more['missed'] ?? 'once', more['overlap'] ?? 'skip', more['max_attempts'] ?? null],
  ).then(([made]) => made!.id);

interface Slot {
  readonly slot: Date;
  readonly state: string;
  readonly reason: string | null;
  readonly skipped_count: number | null;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
}
const slotsOf = (id: string) => rows<Slot>('select * from mainstay_internal.schedule_slots where schedule_id = $1 order by slot', [id]);
const untilSlots = (id: string, isIt: (slots: Slot[]) => boolean, seconds?: number) => until<Slot>(`select * from mainstay_internal.schedule_slots where schedule_id = '${id}' order by slot`, isIt, seconds);

/** What needs time runs beside the rest of its kind, from the start; each test looks at its own. */
describe('commands of pg_cron', () => {
  const commands: readonly (readonly [string, string, string, unknown])[] = [
    ['an insert', `insert into marks (mark) values ('x')`, 'succeeded', 'INSERT 0 1'],
    ['a query', 'select 1', 'succeeded', '1 row'],
    ['a query of several rows', 'select generate_series(1, 3)', 'succeeded', '3 rows'],
    ['several statements', `insert into marks (mark) values ('a'), ('b'); select 1 where false; delete from marks where mark = 'nothing'; -- done`, 'succeeded', 'DELETE 0'],
    ['a statement that must stand alone', 'VACUUM late', 'succeeded', 'VACUUM'],
    ['a procedure that commits', 'call commits()', 'succeeded', 'CALL'],
    ['its own transactions', `begin; insert into marks (mark) values ('x'); commit; insert into marks (mark) values ('y')`, 'succeeded', 'INSERT 0 1'],
    ['an error', 'select 1;\nselect * from nowhere', 'failed', `ERROR:  relation "nowhere" does not exist\nLINE 2: select * from nowhere\n                      ^\n`],
    ['no SQL', 'this is none', 'failed', 'ERROR:  syntax error at or near "this"\nLINE 1: this is none\n        ^\n'],
    ['a raised error', `do $$ begin raise exception 'no' using detail = 'really', hint = 'go'; end $$`, 'failed', expect.stringMatching(/^ERROR: {2}no\nDETAIL: {2}really\nHINT: {2}go\nCONTEXT: {2}PL\/pgSQL/)],
    ['a constraint that waits for the commit', `insert into late values (1), (1)`, 'failed', expect.stringContaining('duplicate key value')],
    ['settings of its role and ours', `insert into marks (mark) select concat_ws(' ', 'settings', current_setting('app.settings.site'), current_setting('search_path'), current_setting('app.settings.of_role'), current_user, session_user)`, 'succeeded', 'INSERT 0 1'],
    ['an attempt to become more', `set role mainstay_worker`, 'failed', expect.stringContaining('permission denied to set role "mainstay_worker"')],
  ];
  const leaving = ['reset role', 'set role postgres', `select set_config('role', 'postgres', false)`, 'set session authorization default', `do $$ begin execute 'reset role'; end $$`];
  const ids = new Map<string, string>();

  beforeAll(async () => {
    await asPostgres(`create procedure commits() language plpgsql as $$ begin insert into marks (mark) values ('before'); commit; insert into marks (mark) values ('after'); end $$;
      create table late (id int unique deferrable initially deferred); grant insert on marks to service_role; grant usage on sequence marks_id_seq to service_role`);
    for (const [what, command] of commands) ids.set(what, await cronJob('@yearly', command));
    ids.set('elsewhere', await cronJob('@yearly', 'create temporary table t as select current_database() as name', '{"database": "postgres"}'));
    ids.set('confined', await cronJob('@yearly', `insert into marks (mark) values ('confined')`, '{"username": "service_role"}'));
    for (const command of leaving) ids.set(command, await cronJob('@yearly', command, '{"username": "service_role"}'));
    // Those of the block before may still be going.
    const ours = `from mainstay_internal.schedules where cron_job_id in (${[...ids.values()].join(', ')})`;
    await until(`select 1 ${ours}`, (found) => found.length === ids.size);
    await rows(`select mainstay_internal.start_slot(id, clock_timestamp(), true) ${ours}`);
    ids.set('slow', await cronJob('1 second', 'select pg_sleep(1.2)'));
    await until('select distinct jobid from cron.job_run_details where end_time is not null', (found) => found.length === ids.size, 40);
  }, 60_000);
  afterAll(empty);

  const firstRun = async (what: string): Promise<RunDetails> => (await rows<RunDetails>('select * from cron.job_run_details where jobid = $1 and end_time is not null order by runid limit 1', [ids.get(what)]))[0]!;

  it.each(commands)('%s', async (what, command, status, message) => {
    expect(await firstRun(what)).toMatchObject({ command, status, return_message: message, username: 'postgres', job_pid: expect.any(Number), start_time: expect.any(Date) });
    if (what.startsWith('settings')) {
      expect(await rows(`select distinct mark, role from marks where mark like 'settings%'`)).toEqual([{ mark: 'settings https://site.test "$user", public, extensions of the role postgres mainstay_commands', role: 'postgres' }]);
    }
  });

  it('run in another database of the server', async () => {
    expect(await firstRun('elsewhere')).toMatchObject({ status: 'succeeded', return_message: 'SELECT 1', database: 'postgres' });
  });

  it('of another role run as that role, which they cannot leave', async () => {
    expect(await firstRun('confined')).toMatchObject({ status: 'succeeded', username: 'service_role' });
    expect(await rows(`select distinct role from marks where mark = 'confined'`)).toEqual([{ role: 'service_role' }]);
    for (const command of leaving) expect(await firstRun(command)).toMatchObject({ status: 'failed', return_message: expect.stringContaining('within security-definer function') });
  });

  it('of one job run one at a time: the next waits for the one before', async () => {
    const found = await until<RunDetails>(`select * from cron.job_run_details where jobid = ${ids.get('slow')!} and end_time is not null order by runid`, (all) => all.length >= 3);
    const [first, second, third] = found as [RunDetails, RunDetails, RunDetails];
    expect(second.start_time!.getTime()).toBeGreaterThanOrEqual(first.end_time!.getTime());
    expect(third.start_time!.getTime()).toBeGreaterThanOrEqual(second.end_time!.getTime());
  });

  it('follow what is written to cron.job, at once', async () => {
    await rows('delete from cron.job');
    const id = await cronJob('1 second', `insert into marks (mark) values ('first')`);
    await until(`select 1 from marks where mark = 'first'`, (found) => found.length > 0);
    await rows('select cron.alter_job($1::bigint, command := $2)', [id, `insert into marks (mark) values ('second')`]);
    await until(`select 1 from marks where mark = 'second'`, (found) => found.length > 0);
    await rows('update cron.job set active = false where jobid = $1', [id]);
    await until('select 1 from mainstay_internal.schedules where is_paused', (found) => found.length === 1);
    await rows('delete from cron.job where jobid = $1', [id]);
    await until(`select 1 from mainstay_internal.schedules where origin = 'pg_cron'`, (found) => found.length === 0);
  });

  it('at a start of the database run once', async () => {
    await cronJob('@reboot', `insert into marks (mark) values ('booted')`);
    await until(`select 1 from mainstay_internal.schedules where cron = '@reboot' and next_at is not null`, (found) => found.length === 1);
    expect(await rows(`select 1 from marks where mark = 'booted'`)).toEqual([]);
    // As if the server had started after it was last seen to, twice over.
    for (let again = 0; again < 2; again += 1) {
      await rows(`update mainstay_internal.schedules set after_at = '2020-01-01', next_at = null where cron = '@reboot'`);
      await until(`select 1 from mainstay_internal.schedules where cron = '@reboot' and next_at is not null`, (found) => found.length === 1);
    }
    await until(`select 1 from marks where mark = 'booted'`, (all) => all.length === 1);
  });

  it('are not those of a table that somebody else named so', async () => {
    await asPostgres('drop extension pg_cron');
    try {
      await rows(`create schema cron; create table cron.job as select 1::bigint as jobid, null::text as jobname, '1 second'::text as schedule, $$insert into public.marks (mark) values ('trap')$$::text as command,
        current_database()::text as database, 'postgres'::text as username, true as active; alter table cron.job owner to authenticated`);
      await rows(`select pg_notify('mainstay_schedules', 'cron')`);
      await until(`select 1 from mainstay_internal.schedules where origin = 'pg_cron'`, (all) => all.length === 0);
      await pause(500);
      expect(await rows(`select 1 from mainstay_internal.schedules where origin = 'pg_cron'`)).toEqual([]);
    } finally {
      await rows('drop schema cron cascade');
      await asPostgres('create extension pg_cron');
    }
  });
});

describe('slots', () => {
  const ids = new Map<string, string>();
  beforeAll(async () => {
    ids.set('each second', await scheduleSql('each second', '* * * * * *', `insert into marks (mark) values ('each second')`, { overlap: 'allow', missed: 'all' }));
    for (const overlap of ['skip', 'queue', 'allow']) ids.set(overlap, await scheduleSql(overlap, '1 second', 'select pg_sleep(1.5)', { overlap, missed: overlap === 'skip' ? 'once' : 'all' }));
    await asPostgres(`select mainstay.schedule_sql('paused', '1 second', 'select 1', missed => 'all'); select mainstay.pause_schedule('paused')`);
    for (const missed of ['skip', 'once', 'all']) {
      const id = await scheduleSql(`missed ${missed}`, '0 0 1 1 *', 'select pg_sleep(0.1)', { missed });
      ids.set(`missed ${missed}`, id);
      await rows(`update mainstay_internal.schedules set cron = to_char(clock_timestamp() at time zone 'UTC' - interval '30 minutes', 'MI') || ' * * * *', after_at = clock_timestamp() - interval '3 hours', next_at = null where id = $1`, [id]);
    }
    await pause(4200);
    await rows('update mainstay_internal.schedules set is_paused = true');
  }, 30_000);
  afterAll(empty);

  const ended = (what: string) => untilSlots(ids.get(what)!, (all) => all.length > 0 && all.every(({ state }) => ['done', 'skipped'].includes(state)));

  it('run once each under two workers, soon after their time', async () => {
    const slots = await ended('each second');
    expect(slots.length).toBeGreaterThanOrEqual(3);
    expect(await rows(`select count(*)::int from marks where mark = 'each second'`)).toEqual([{ count: slots.length }]);
    const seconds = slots.map(({ slot }) => slot.getTime() / 1000);
    expect(seconds).toEqual(seconds.map((_, i) => seconds[0]! + i));
    const lateness = slots.map(({ slot, created_at }) => created_at.getTime() - slot.getTime());
    // Never early; the soonest of them as soon as a machine that does much else at the time allows.
    expect(Math.min(...lateness)).toBeGreaterThanOrEqual(0);
    expect(Math.min(...lateness)).toBeLessThan(1000);
  });

  it.each([
    ['skip', ['done', 'skipped'], 1],
    ['queue', ['done'], 1],
    ['allow', ['done'], 2],
  ] as const)('that come while the one before runs: %s', async (overlap, states, atOnce) => {
    const slots = await ended(overlap);
    expect([...new Set(slots.map(({ state }) => state))].sort()).toEqual(states);
    expect(slots.some(({ reason }) => reason === 'overlap')).toBe(overlap === 'skip');
    const ran = slots.filter(({ state }) => state === 'done');
    const most = Math.max(...ran.map((one) => ran.filter((other) => other.started_at! < one.finished_at! && one.started_at! < other.finished_at!).length));
    expect(Math.min(most, 2)).toBe(atOnce);
  });

  it.each([
    ['skip', 0, 3],
    ['once', 1, 2],
    ['all', 3, null],
  ] as const)('that fell into a time without workers: %s', async (missed, ran, skipped) => {
    const slots = await ended(`missed ${missed}`);
    expect(slots.filter(({ state }) => state === 'done')).toHaveLength(ran);
    expect(slots.find(({ reason }) => reason === 'missed')?.skipped_count ?? null).toBe(skipped);
    const starts = slots.filter(({ state }) => state === 'done').map(({ started_at }) => started_at!.getTime());
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
  });

  it('of a pause are not made up for', async () => {
    const [schedule] = await rows<{ id: string }>(`select id from mainstay_internal.schedules where name = 'paused'`);
    const before = (await slotsOf(schedule!.id)).length;
    const [{ resumed }] = (await rows<{ resumed: Date }>('select clock_timestamp() as resumed')) as [{ resumed: Date }];
    await asPostgres(`select mainstay.resume_schedule('paused')`);
    const slots = await untilSlots(schedule!.id, (all) => all.length > before && all.some(({ state }) => state === 'done'));
    expect(slots.slice(before).every(({ slot }) => slot >= resumed)).toBe(true);
    await asPostgres(`select mainstay.unschedule('paused')`);
  });

  it('of a function run it as who made the schedule, and a run by hand comes beside them', async () => {
    const [user] = await rows<{ id: string }>(`insert into auth.users (id, email, aud, role) values (gen_random_uuid(), 'clock@example.test', 'authenticated', 'authenticated') returning id`);
    await asPostgres(`create function leave_mark(what text) returns text language sql as $$ insert into public.marks (mark) values (what || ' ' || coalesce(auth.uid()::text, 'nobody')) returning mark $$;
      grant insert, select on marks to authenticated; grant usage on sequence marks_id_seq to authenticated`);
    const session = { role: 'authenticated', settings: { 'request.jwt.claims': JSON.stringify({ sub: user!.id, role: 'authenticated' }) } };
    await test.as('authenticator').transaction(session, async (tx) => {
      await tx.rows(`select mainstay.schedule('mine', '@yearly', 'public.leave_mark', '{"what": "by"}')`);
      await tx.rows(`select mainstay.run_schedule('mine')`);
      expect(await tx.rows('select name, function, is_own from mainstay.schedules')).toEqual([{ name: 'mine', function: 'public.leave_mark', is_own: true }]);
      await expect(tx.savepoint(() => tx.rows(`select mainstay.schedule_sql('x', '@yearly', 'select 1')`))).rejects.toMatchObject({ code: '42501' });
      await expect(tx.savepoint(() => tx.rows(`select mainstay.schedule('x', '@yearly', 'public.nothing')`))).rejects.toMatchObject({ message: 'function public.nothing does not exist' });
      await expect(tx.savepoint(() => tx.rows(`select mainstay.schedule('x', '0 25 * * *', 'public.leave_mark', '{"what": "by"}')`))).rejects.toMatchObject({ message: 'invalid schedule "0 25 * * *": "25" is no hour (0 to 23), at character 3' });
      await expect(tx.savepoint(() => tx.rows(`select mainstay.unschedule('x')`))).rejects.toMatchObject({ message: 'there is no schedule "x" of yours' });
    });
    expect(await until(`select mark, role from marks where mark like 'by%'`, (all) => all.length > 0)).toEqual([{ mark: `by ${user!.id}`, role: 'authenticated' }]);
    await rows('delete from mainstay_internal.schedules where owner = $1', [user!.id]);
  });
});

it('a schedule of mainstay.export makes a file at each slot, as whoever made it', async () => {
  await asPostgres(`insert into public.marks (mark) values ('exported by the clock'); grant select on public.marks to service_role`);
  await admin.transaction({ role: 'service_role', settings: { 'request.jwt.claims': '{"role":"service_role"}' } }, (tx) =>
    tx.rows(`select mainstay.schedule('files', '1 second', 'mainstay.export', '{"collection": "marks", "query": "select=mark&mark=eq.exported%20by%20the%20clock", "format": "csv"}')`));
  const made = await until<{ id: string; owner: string; rows: string; state: string }>(`select id, owner, rows_written::text as rows, state from mainstay_internal.exports where state = 'done' order by id`, (found) => found.length >= 2);
  await asPostgres(`select mainstay.unschedule('files')`);
  expect(made.slice(0, 2)).toEqual([expect.objectContaining({ owner: 'service_role', rows: '1' }), expect.objectContaining({ owner: 'service_role', rows: '1' })]);
  expect(await rows(`select distinct state from mainstay.schedule_runs where schedule = 'files' and state in ('failed', 'dead')`)).toEqual([]);
});

describe('a worker that is killed while it runs a command', () => {
  beforeAll(empty);
  afterAll(empty);

  it('which can be taken back: it runs again and takes effect once; which cannot: it is not run again, and says so', async () => {
    const id = await scheduleSql('slow', '@yearly', `insert into marks (mark) values ('own'); select pg_sleep(2)`);
    await cronJob('1 second', `insert into marks (mark) values ('cron'); select pg_sleep(2)`, '{"jobname": "whole"}');
    await cronJob('1 second', `begin; insert into marks (mark) values ('sent'); commit; select pg_sleep(30)`, '{"jobname": "parts"}');
    await asPostgres(`select mainstay.run_schedule('slow')`);
    await runs((all) => all.filter(({ status }) => status === 'running').length === 2);
    await until(`select 1 from marks where mark = 'sent'`, (all) => all.length === 1);
    await until(`select 1 from pg_stat_activity where datname = current_database() and query like '%''own''%pg_sleep%' and application_name like '%command'`, (all) => all.length === 1);
    await Promise.all([...workers].map(kill));
    await rows(`update cron.job set schedule = '0 0 1 1 *'; delete from mainstay_internal.schedule_slots where state = 'waiting'`);
    await Promise.all([startWorker(), startWorker()]);

    await untilSlots(id, (all) => all[0]?.state === 'done', 30);
    const found = await runs((all) => all.length >= 3 && all.every(({ end_time }) => end_time !== null), 30);
    expect(found.filter(({ command }) => command.includes('cron')).map(({ status, return_message }) => [status, return_message])).toEqual([
      ['failed', 'the worker that ran this command was lost; nothing of it took effect, and it runs again'],
      ['succeeded', '1 row'],
    ]);
    expect(found.filter(({ command }) => command.includes('sent'))).toMatchObject([{ status: 'failed', return_message: 'the worker that ran this command was lost' }]);
    expect(await rows('select mark, count(*)::int from marks group by mark order by mark')).toEqual([{ mark: 'cron', count: 1 }, { mark: 'own', count: 1 }, { mark: 'sent', count: 1 }]);
    // Nobody is left to be told, so PostgreSQL ends it.
    await until(`select 1 from pg_stat_activity where application_name = 'mainstay_worker command' and query like '%pg_sleep(30)%' and datname = current_database()`, (all) => all.length === 0);
  }, 60_000);
});
