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
  test = await makeTestDatabase({ MAINSTAY_QUEUE_PREFIX: testRedis().prefix, MAINSTAY_JOB_LEASE: '2', LOG_LEVEL: process.env['SPEC_LOG'] ?? 'silent', PGRST_APP_SETTINGS_SITE: 'https://site.test' });
  admin = test.admin;
  await rows(`alter role postgres set app.settings.of_role = 'of the role'`);
  await asPostgres(`create extension pg_cron; create table public.marks (id bigint generated always as identity, mark text, role text default current_user, at timestamptz default clock_timestamp())`);
  await Promise.all([startWorker(), startWorker()]);
}, 60_000);
afterEach(() => asPostgres(`delete from cron.job; delete from mainstay.schedules where origin = 'own'; truncate public.marks; delete from cron.job_run_details`));
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

async function until<R extends object>(sql: string, isIt: (rows: R[]) => boolean, seconds = 12): Promise<R[]> {
  for (const end = Date.now() + seconds * 1000; ; await pause(50)) {
    const found = await rows<R>(sql);
    if (isIt(found)) return found;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${sql}: ${JSON.stringify(found)} ${JSON.stringify(await rows(`select state, reason, error, message from mainstay_internal.schedule_slots`))} ${JSON.stringify(await rows('select kind, state, error from mainstay_internal.jobs'))}`);
  }
}

interface RunDetails {
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
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
}
const slotsOf = (id: string) => rows<Slot>('select * from mainstay_internal.schedule_slots where schedule_id = $1 order by slot', [id]);
const untilSlots = (id: string, isIt: (slots: Slot[]) => boolean, seconds?: number) => until<Slot>(`select * from mainstay_internal.schedule_slots where schedule_id = '${id}' order by slot`, isIt, seconds);

describe('commands of pg_cron', () => {
  const commands: readonly (readonly [string, string, string, unknown])[] = [
    ['an insert', `insert into marks (mark) values ('x')`, 'succeeded', 'INSERT 0 1'],
    ['a query', 'select 1', 'succeeded', '1 row'],
    ['a query of several rows', 'select generate_series(1, 3)', 'succeeded', '3 rows'],
    ['several statements', `insert into marks (mark) values ('a'), ('b'); update marks set mark = 'c' where mark in ('a', 'b'); -- done`, 'succeeded', 'UPDATE 2'],
    ['a statement that must stand alone', 'VACUUM', 'succeeded', 'VACUUM'],
    ['a procedure that commits', 'call commits()', 'succeeded', 'CALL'],
    ['its own transactions', `begin; insert into marks (mark) values ('x'); commit; insert into marks (mark) values ('y')`, 'succeeded', 'INSERT 0 1'],
    ['an error', 'select 1;\nselect * from nowhere', 'failed', `ERROR:  relation "nowhere" does not exist\nLINE 2: select * from nowhere\n                      ^\n`],
    ['no SQL', 'this is none', 'failed', 'ERROR:  syntax error at or near "this"\nLINE 1: this is none\n        ^\n'],
    ['a raised error', `do $$ begin raise exception 'no' using detail = 'really', hint = 'go'; end $$`, 'failed', expect.stringMatching(/^ERROR: {2}no\nDETAIL: {2}really\nHINT: {2}go\nCONTEXT: {2}PL\/pgSQL/)],
    ['a constraint that waits for the commit', `insert into late values (1), (1)`, 'failed', expect.stringContaining('duplicate key value')],
    ['settings of its role, of the database and ours', `insert into marks (mark) select concat_ws(' ', 'settings', current_setting('app.settings.site'), current_setting('search_path'), current_setting('app.settings.of_role'), current_user, session_user)`, 'succeeded', 'INSERT 0 1'],
    ['an attempt to become more', `set role mainstay_worker`, 'failed', expect.stringContaining('permission denied to set role "mainstay_worker"')],
  ];

  it('run as their user, each in a session of its own, and tell what PostgreSQL answered', async () => {
    await asPostgres(`create procedure commits() language plpgsql as $$ begin insert into marks (mark) values ('before'); commit; insert into marks (mark) values ('after'); end $$; create table late (id int unique deferrable initially deferred)`);
    const ids = await Promise.all(commands.map(([, command]) => cronJob('1 second', command)));
    const ended = await until<RunDetails & { jobid: string }>('select distinct on (jobid) * from cron.job_run_details where end_time is not null order by jobid, runid', (found) => found.length === ids.length);
    await rows('delete from cron.job');
    const byJob = new Map(ended.map((run) => [run.jobid, run]));
    for (const [i, [what, command, status, message]] of commands.entries()) {
      expect({ what, ...byJob.get(ids[i]!) }).toMatchObject({ what, command, status, return_message: message, username: 'postgres', job_pid: expect.any(Number), start_time: expect.any(Date) });
    }
    expect(await rows(`select distinct mark, role from marks where mark like 'settings%'`)).toEqual([{ mark: 'settings https://site.test "$user", public, extensions of the role postgres mainstay_commands', role: 'postgres' }]);
  });

  it('run in another database of the server, and fail where there is none', async () => {
    await cronJob('1 second', 'create temporary table t as select current_database() as name', '{"database": "postgres"}');
    expect((await runs((found) => found.some(({ end_time }) => end_time !== null)))[0]).toMatchObject({ status: 'succeeded', return_message: 'SELECT 1', database: 'postgres' });
  });

  it('of another role cannot leave it', async () => {
    await asPostgres('grant insert on marks to service_role; grant usage on sequence marks_id_seq to service_role');
    const good = await cronJob('1 second', `insert into marks (mark) values ('confined')`, '{"username": "service_role"}');
    const bad = await Promise.all(['reset role', 'set role postgres', `select set_config('role', 'postgres', false)`, 'set session authorization default', `do $$ begin execute 'reset role'; end $$`].map((command) => cronJob('1 second', command, '{"username": "service_role"}')));
    const ended = await until<RunDetails & { jobid: string }>('select distinct on (jobid) * from cron.job_run_details where end_time is not null order by jobid, runid', (found) => found.length === 6);
    for (const run of ended) {
      if (run.jobid === good) expect(run).toMatchObject({ status: 'succeeded', username: 'service_role' });
      else if (bad.includes(run.jobid)) expect(run).toMatchObject({ status: 'failed', return_message: expect.stringContaining('within security-definer function') });
    }
    expect(await rows('select distinct role from marks')).toEqual([{ role: 'service_role' }]);
  });

  it('end with their job: unscheduled, paused and altered in SQL, at once', async () => {
    const id = await cronJob('1 second', `insert into marks (mark) values ('first')`, '{"jobname": "changing"}');
    await until('select 1 from marks', (found) => found.length > 0);
    await rows(`select cron.alter_job($1::bigint, command := $2)`, [id, `insert into marks (mark) values ('second')`]);
    await until(`select 1 from marks where mark = 'second'`, (found) => found.length > 0);
    await rows(`update cron.job set active = false where jobid = $1`, [id]);
    await pause(300);
    const [{ count }] = (await rows<{ count: number }>('select count(*)::int from marks')) as [{ count: number }];
    await pause(1500);
    expect(await rows('select count(*)::int from marks')).toEqual([{ count }]);
    await rows(`update cron.job set active = true where jobid = $1`, [id]);
    await until('select 1 from marks', (found) => found.length > count);
  });

  it('of one job run one at a time: the next waits for the one before', async () => {
    await cronJob('1 second', 'select pg_sleep(1.7)');
    const found = await runs((all) => all.filter(({ end_time }) => end_time !== null).length >= 3);
    const [first, second, third] = found as [RunDetails, RunDetails, RunDetails];
    expect(second.start_time!.getTime()).toBeGreaterThanOrEqual(first.end_time!.getTime());
    expect(third.start_time!.getTime()).toBeGreaterThanOrEqual(second.end_time!.getTime());
    expect(third.start_time!.getTime() - first.end_time!.getTime()).toBeLessThan(4500);
  });

  it('at a start of the database run once', async () => {
    await cronJob('@reboot', `insert into marks (mark) values ('booted')`);
    await pause(500);
    expect(await rows('select 1 from marks')).toEqual([]);
    // As if the server had started after it was last seen to.
    await rows(`update mainstay_internal.schedules set after_at = '2020-01-01', next_at = null where cron = '@reboot'`);
    await until('select 1 from marks', (all) => all.length === 1);
    await rows(`update mainstay_internal.schedules set after_at = '2020-01-01', next_at = null where cron = '@reboot'`);
    await pause(1200);
    expect(await rows('select 1 from marks')).toHaveLength(1);
  });

  it('are not those of a table that somebody else named so', async () => {
    await asPostgres('drop extension pg_cron');
    try {
      await rows(`create schema cron authorization authenticated; set role authenticated; create table cron.job as select 1::bigint as jobid, null::text as jobname, '1 second'::text as schedule, 'insert into public.marks (mark) values (1)'::text as command,
        current_database()::text as database, 'postgres'::text as username, true as active; reset role`).catch(() => rows('reset role'));
      await rows(`alter table cron.job owner to authenticated; select pg_notify('mainstay_schedules', 'cron')`);
      await pause(2500);
      expect(await rows('select 1 from marks')).toEqual([]);
    } finally {
      await rows('drop schema cron cascade');
      await asPostgres('create extension pg_cron');
    }
  });
});

describe('slots', () => {
  it('run once each under two workers, within a second of their time', async () => {
    const id = await scheduleSql('each second', '* * * * * *', `insert into marks (mark) values (null)`, { overlap: 'allow' });
    await pause(4500);
    await rows('update mainstay_internal.schedules set is_paused = true where id = $1', [id]);
    const slots = await untilSlots(id, (all) => all.every(({ state }) => state === 'done'));
    expect(slots.length).toBeGreaterThanOrEqual(4);
    expect(await rows('select count(*)::int from marks')).toEqual([{ count: slots.length }]);
    const seconds = slots.map(({ slot }) => slot.getTime() / 1000);
    expect(seconds).toEqual(seconds.map((_, i) => seconds[0]! + i));
    expect(Math.max(...slots.map(({ slot, started_at }) => started_at!.getTime() - slot.getTime()))).toBeLessThan(1000);
  });

  it.each([
    ['skip', (states: Set<string>) => expect(states).toEqual(new Set(['done', 'skipped'])), 1],
    ['queue', (states: Set<string>) => expect(states).toEqual(new Set(['done'])), 1],
    ['allow', (states: Set<string>) => expect(states).toEqual(new Set(['done'])), 2],
  ] as const)('that come while the one before runs: %s', async (overlap, check, most) => {
    const id = await scheduleSql(`overlap ${overlap}`, '1 second', `insert into marks (mark) values ('+'); select pg_sleep(1.5)`, { overlap });
    await untilSlots(id, (all) => all.length >= 3);
    await rows('update mainstay_internal.schedules set is_paused = true where id = $1', [id]);
    const slots = await untilSlots(id, (all) => all.every(({ state }) => ['done', 'skipped'].includes(state)), 15);
    check(new Set(slots.map(({ state }) => state)));
    const ran = slots.filter(({ state }) => state === 'done');
    const atOnce = ran.map((one) => ran.filter((other) => other.started_at! < one.finished_at! && one.started_at! < other.finished_at!).length);
    expect(Math.max(...atOnce)).toBeGreaterThanOrEqual(most === 1 ? 1 : 2);
    if (most === 1) expect(Math.max(...atOnce)).toBe(1);
  });

  it.each([
    ['skip', [], 3],
    ['once', ['done'], 2],
    ['all', ['done', 'done', 'done'], null],
  ] as const)('that fell into a time without workers: %s', async (missed, ran, skipped) => {
    const id = await scheduleSql(`missed ${missed}`, '0 0 1 1 *', 'select pg_sleep(0.1)', { missed });
    await rows(`update mainstay_internal.schedules set is_paused = true, cron = to_char(clock_timestamp() at time zone 'UTC' - interval '30 minutes', 'MI') || ' * * * *',
      after_at = clock_timestamp() - interval '3 hours', next_at = null where id = $1`, [id]);
    await rows(`update mainstay_internal.schedules set is_paused = false where id = $1`, [id]);
    const slots = await untilSlots(id, (all) => all.length === (missed === 'skip' ? 1 : missed === 'once' ? 2 : 3) && all.every(({ state }) => ['done', 'skipped'].includes(state)));
    expect(slots.filter(({ state }) => state === 'done').map(({ state }) => state)).toEqual(ran);
    expect(slots.find(({ reason }) => reason === 'missed')?.skipped_count ?? null).toBe(skipped);
    const starts = slots.filter(({ state }) => state === 'done').map(({ started_at }) => started_at!.getTime());
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
  });

  it('of a pause are not made up for', async () => {
    await asPostgres(`select mainstay.schedule_sql('paused', '1 second', 'select 1', missed => 'all'); select mainstay.pause_schedule('paused')`);
    await pause(2200);
    const [schedule] = await rows<{ id: string }>(`select id from mainstay_internal.schedules where name = 'paused'`);
    const before = await slotsOf(schedule!.id);
    await asPostgres(`select mainstay.resume_schedule('paused')`);
    const slots = await untilSlots(schedule!.id, (all) => all.some(({ state }) => state === 'done'));
    expect(slots.length - before.length).toBeLessThanOrEqual(2);
    expect(slots.every(({ reason }) => reason === null)).toBe(true);
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
    expect(await until('select mark, role from marks', (all) => all.length > 0)).toEqual([{ mark: `by ${user!.id}`, role: 'authenticated' }]);
    await rows('delete from mainstay_internal.schedules where owner = $1', [user!.id]);
  });
});

describe('a worker that is killed', () => {
  const killAll = () => Promise.all([...workers].map(kill));

  it('while it runs a command that can be taken back: it runs again, and takes effect once', async () => {
    const id = await scheduleSql('slow', '@yearly', `insert into marks (mark) values ('once'); select pg_sleep(2.5)`);
    const job = await cronJob('1 second', `insert into marks (mark) values ('cron'); select pg_sleep(2.5)`);
    await asPostgres(`select mainstay.run_schedule('slow')`);
    await runs((all) => all.some(({ status }) => status === 'running'));
    await untilSlots(id, (all) => all.some(({ started_at }) => started_at !== null));
    await pause(700);
    await killAll();
    await rows(`update cron.job set schedule = '0 0 1 1 *' where jobid = $1`, [job]);
    await Promise.all([startWorker(), startWorker()]);
    await untilSlots(id, (all) => all[0]?.state === 'done', 25);
    const found = await runs((all) => all.some(({ status }) => status === 'succeeded') && all.every(({ end_time }) => end_time !== null), 25);
    expect(found[0]).toMatchObject({ status: 'failed', return_message: 'the worker that ran this command was lost; nothing of it took effect, and it runs again' });
    expect(await rows(`select mark, count(*)::int from marks where mark = 'once' group by mark`)).toEqual([{ mark: 'once', count: 1 }]);
    expect(await rows(`select count(*)::int from marks where mark = 'cron'`)).toEqual([{ count: found.filter(({ status }) => status === 'succeeded').length }]);
  }, 60_000);

  it('while it runs one that cannot: it is not run again, and says so', async () => {
    const job = await cronJob('1 second', `begin; insert into marks (mark) values ('sent'); commit; select pg_sleep(30)`);
    await until('select 1 from marks', (all) => all.length === 1);
    await killAll();
    await rows(`update cron.job set schedule = '0 0 1 1 *' where jobid = $1`, [job]);
    await rows(`delete from mainstay_internal.schedule_slots where state = 'waiting'`);
    await Promise.all([startWorker(), startWorker()]);
    const [run] = await runs((all) => all.every(({ end_time }) => end_time !== null), 25);
    expect(run).toMatchObject({ status: 'failed', return_message: 'the worker that ran this command was lost' });
    expect(await rows('select 1 from marks')).toHaveLength(1);
    // Nobody is left to be told, so PostgreSQL ends it.
    await until(`select 1 from pg_stat_activity where application_name = 'mainstay_worker command' and query like '%pg_sleep(30)%' and datname = current_database()`, (all) => all.length === 0);
  }, 60_000);
});
