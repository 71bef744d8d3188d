import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import pg from 'pg';
import { connectionOf } from './logins.ts';

let db: TestDatabase;
let postgres: pg.Client;

beforeAll(async () => {
  db = await makeTestDatabase();
  postgres = await loginAs('postgres', db.settings.postgresPassword!);
  await postgres.query('create extension if not exists pg_cron with schema extensions');
});
afterAll(async () => {
  await postgres.end();
  await db.close();
});
beforeEach(() => postgres.query('delete from cron.job; delete from cron.job_run_details'));

async function loginAs(user: string, password: string): Promise<pg.Client> {
  const url = new URL(db.settings.databaseUrl!);
  Object.assign(url, { username: user, password });
  const client = new pg.Client(connectionOf({ ...db.settings, databaseUrl: url.href }, null));
  await client.connect();
  return client;
}

async function one<T = Record<string, unknown>>(sql: string, values: unknown[] = []): Promise<T> {
  return (await postgres.query(sql, values)).rows[0] as T;
}

describe('making it', () => {
  it.each(['pg_catalog', 'extensions', 'cron'])('with schema %s gives schema cron', async (schema) => {
    await postgres.query(`drop extension pg_cron cascade; create schema if not exists cron; create extension if not exists pg_cron with schema ${schema}`);
    expect(await one(`select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = 'cron.job'::regclass`)).toEqual({ nspname: 'cron' });
    await postgres.query('drop extension pg_cron cascade; drop schema if exists cron; create extension pg_cron');
  });

  it('takes the grants that migrations give', async () => {
    await postgres.query(`grant usage on schema cron to postgres; grant all privileges on all tables in schema cron to postgres; grant usage on schema cron to service_role`);
    expect(await one(`select extversion from pg_extension where extname = 'pg_cron'`)).toEqual({ extversion: '1.6.4' });
  });
});

describe('its functions', () => {
  it('schedule gives an id, and the row is what pg_cron writes', async () => {
    const { id } = await one<{ id: string }>(`select cron.schedule('0 10 * * *', 'VACUUM') as id`);
    expect(await one('select * from cron.job where jobid = $1', [id])).toEqual({
      jobid: id, schedule: '0 10 * * *', command: 'VACUUM', nodename: 'localhost', nodeport: expect.any(Number), database: db.name, username: 'postgres', active: true, jobname: null,
    });
  });

  it('schedule by name changes the job of that name, and of that user only', async () => {
    const first = await one(`select cron.schedule('nightly', '0 3 * * *', 'select 1')`);
    const second = await one(`select cron.schedule(job_name := 'nightly', schedule := '30 seconds', command := $$ select 2 $$)`);
    expect(second).toEqual(first);
    expect(await one(`select schedule, command, active from cron.job where jobname = 'nightly'`)).toEqual({ schedule: '30 seconds', command: ' select 2 ', active: true });
    await one(`select cron.schedule_in_database('nightly', '0 3 * * *', 'select 1', current_database(), 'service_role')`);
    expect(await one(`select count(*)::int from cron.job where jobname = 'nightly'`)).toEqual({ count: 2 });
  });

  it('schedule_in_database takes database, user and whether it is active', async () => {
    const { id } = await one<{ id: string }>(`select cron.schedule_in_database('weekly-vacuum', '0 4 * * 0', 'VACUUM', 'postgres', null, false) as id`);
    expect(await one('select jobname, database, username, active from cron.job where jobid = $1', [id])).toEqual({ jobname: 'weekly-vacuum', database: 'postgres', username: 'postgres', active: false });
  });

  it('alter_job changes what is given', async () => {
    const { id } = await one<{ id: string }>(`select cron.schedule('0 10 * * *', 'select 1') as id`);
    await postgres.query(`select cron.alter_job(job_id := $1, schedule := '5 4 * * *')`, [id]);
    await postgres.query(`select cron.alter_job($1, active := false)`, [id]);
    await postgres.query(`select cron.alter_job($1, command => 'select 2', database => 'postgres', username => 'service_role')`, [id]);
    expect(await one('select schedule, command, database, username, active from cron.job where jobid = $1', [id])).toEqual({ schedule: '5 4 * * *', command: 'select 2', database: 'postgres', username: 'service_role', active: false });
  });

  it('unschedule ends a job by id and by name', async () => {
    const { id } = await one<{ id: string }>(`select cron.schedule('@daily', 'select 1') as id`);
    await one(`select cron.schedule('named', '@hourly', 'select 1')`);
    expect(await one('select cron.unschedule($1::bigint)', [id])).toEqual({ unschedule: true });
    expect(await one(`select cron.unschedule('named')`)).toEqual({ unschedule: true });
    expect(await one('select count(*)::int from cron.job')).toEqual({ count: 0 });
  });

  it('tables take what migrations write to them', async () => {
    await one(`select cron.schedule('one', '* * * * *', 'select 1'), cron.schedule('two', '* * * * *', 'select 1')`);
    await postgres.query(`update cron.job set active = false where jobname = 'one'; select cron.unschedule(jobid) from cron.job where jobname = 'two'; select cron.unschedule(jobname) from cron.job where jobname like 'o%';
      delete from cron.job_run_details where end_time < now() - interval '7 days'`);
    expect(await one('select count(*)::int from cron.job')).toEqual({ count: 0 });
  });

  it.each([
    ['0 10 * * *', true], ['@hourly', true], ['@reboot', true], ['* * * * *', true], ['*/5 * * * *', true], ['0 11 $ * *', true], ['1 second', true], ['59 seconds', true], ['30 SECONDS', true], ['0 0 * JAN,feb Mon-Fri', true], ['23 0-20/2 * * *', true],
    ['60 seconds', false], ['0 seconds', false], ['5 minutes', false], ['0 11 $foo * *', false], ['61 * * * *', false], ['* * * *', false], ['* * * * * *', false], ['', false], ['bogus', false], ['0 0 L * *', false],
  ])('schedule "%s" is valid: %s', async (schedule, isValid) => {
    const asked = postgres.query('select cron.schedule($1, $2)', [schedule, 'select 1']);
    if (isValid) await expect(asked).resolves.toBeDefined();
    else await expect(asked).rejects.toMatchObject({ code: '22023', message: `invalid schedule: ${schedule}`, hint: `Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'` });
  });

  it.each([
    ['unscheduling a name that is none', `select cron.unschedule('nobody')`, `could not find valid entry for job 'nobody'`],
    ['unscheduling an id that is none', 'select cron.unschedule(424242)', `could not find valid entry for job '424242'`],
    ['altering what is not there', `select cron.alter_job(424242, schedule := '* * * * *')`, `Job 424242 does not exist or you don't own it`],
    ['a direct row with a wrong schedule', `insert into cron.job (schedule, command) values ('nope', 'select 1')`, 'invalid schedule: nope'],
    ['a database that is none', `select cron.schedule_in_database('x', '* * * * *', 'select 1', 'nowhere')`, 'database "nowhere" does not exist'],
    ['a user that is none', `select cron.schedule_in_database('x', '* * * * *', 'select 1', current_database(), 'nobody')`, 'role "nobody" does not exist'],
    ['a user that one is no member of', `select cron.schedule_in_database('x', '* * * * *', 'select 1', current_database(), 'supabase_admin')`, 'must be superuser to create a job for another role'],
    ['no schedule', `select cron.schedule('x', null, 'select 1')`, 'schedule can not be NULL'],
  ])('%s is refused', async (_, sql, message) => {
    await expect(postgres.query(sql)).rejects.toMatchObject({ message });
  });
});

describe('who may', () => {
  const as = async (role: string, sql: string) => {
    await postgres.query(`begin; set local role ${role}`);
    try {
      return (await postgres.query(sql)).rows as Record<string, unknown>[];
    } finally {
      await postgres.query('rollback');
    }
  };

  it('nobody who was not let into the schema', async () => {
    await postgres.query('revoke usage on schema cron from service_role');
    await expect(as('service_role', `select cron.schedule('* * * * *', 'select 1')`)).rejects.toMatchObject({ code: '42501' });
  });

  it('whoever was let in has jobs of their own, sees no others and acts as nobody else', async () => {
    await one(`select cron.schedule('of postgres', '* * * * *', 'select 1')`);
    await postgres.query('grant usage on schema cron to authenticated');
    expect(await as('authenticated', `select cron.schedule('mine', '* * * * *', 'select 1') is not null as made`)).toEqual([{ made: true }]);
    expect(await as('authenticated', 'select * from cron.job')).toEqual([]);
    await expect(as('authenticated', `select cron.unschedule('of postgres')`)).rejects.toMatchObject({ message: `could not find valid entry for job 'of postgres'` });
    await expect(as('authenticated', `insert into cron.job (schedule, command, username) values ('* * * * *', 'select 1', 'postgres')`)).rejects.toMatchObject({ code: '42501' });
    await expect(as('authenticated', `select cron.schedule_in_database('x', '* * * * *', 'select 1', current_database(), 'service_role')`)).rejects.toMatchObject({ code: '42501' });
    await postgres.query('revoke usage on schema cron from authenticated');
  });
});
