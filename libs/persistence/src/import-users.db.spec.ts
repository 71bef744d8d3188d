import { createHash, randomUUID } from 'node:crypto';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { importUsers, type UserImport } from './import-users.ts';

let source: TestDatabase;
let target: TestDatabase;

beforeAll(async () => {
  [source, target] = [await makeTestDatabase(), await makeTestDatabase()];
});

afterAll(async () => {
  await source.close();
  await target.close();
});

const run = (more: Partial<UserImport> = {}) =>
  importUsers(target.admin, { from: source.settings.databaseUrl!, withSessions: false, isDryRun: false, firesTriggers: false, tell: () => {}, ...more });
const counts = ({ tables }: Awaited<ReturnType<typeof run>>) => Object.fromEntries(tables.map(({ table, read, added, changed }) => [table, [read, added, changed]]));

async function addUser(database: TestDatabase, id = randomUUID(), email = `${id}@example.com`): Promise<string> {
  await database.admin.rows(
    `insert into auth.users (id, email, encrypted_password, raw_user_meta_data, created_at, updated_at, email_confirmed_at) values ($1, $2, '$2a$10$kept', '{"big": 12345678901234567890, "null": null}', '2024-01-02T03:04:05.678901Z', now(), now())`,
    [id, email],
  );
  await database.admin.rows(`insert into auth.identities (provider_id, user_id, identity_data, provider, created_at) values ($1::text, $1::uuid, jsonb_build_object('sub', $1::text, 'email', $2::text), 'email', now())`, [id, email]);
  await database.admin.rows(`insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at, secret) values (gen_random_uuid(), $1, 'totp', 'verified', now(), now(), 'JBSWY3DPEHPK3PXP')`, [id]);
  return id;
}

const usersOf = (database: TestDatabase) => database.admin.rows(`select to_jsonb(u) || jsonb_build_object('identities', (select jsonb_agg(to_jsonb(i)) from auth.identities i where i.user_id = u.id), 'factors', (select jsonb_agg(to_jsonb(f)) from auth.mfa_factors f where f.user_id = u.id)) as row from auth.users u order by id`);

describe('an import of accounts', () => {
  it('gives the same users here, to the last digit, and the same again the second time', async () => {
    for (let n = 0; n < 3; n += 1) await addUser(source);
    const told: unknown[] = [];
    expect(counts(await run({ tell: (progress) => told.push(progress) }))).toMatchObject({ users: [3, 3, 0], identities: [3, 3, 0], mfa_factors: [3, 3, 0] });
    expect(told[0]).toEqual({ table: 'users', done: 3, total: 3 });
    const [there, here] = [await usersOf(source), await usersOf(target)];
    expect(here).toEqual(there);
    expect(counts(await run())).toMatchObject({ users: [3, 0, 0], identities: [3, 0, 0], mfa_factors: [3, 0, 0] });
    expect(await usersOf(target)).toEqual(there);
  });

  it('takes up what has changed there, and leaves alone who is only here', async () => {
    const own = await addUser(target);
    await source.admin.rows(`update auth.users set email = 'new@example.com' where id = (select min(id::text)::uuid from auth.users)`);
    expect(counts(await run())['users']).toEqual([3, 0, 1]);
    expect(await target.admin.rows('select 1 from auth.users where id = $1', [own])).toHaveLength(1);
  });

  it('of a dry run changes nothing', async () => {
    const id = await addUser(source);
    expect(counts(await run({ isDryRun: true }))['users']).toEqual([4, 1, 0]);
    expect(await target.admin.rows('select 1 from auth.users where id = $1', [id])).toEqual([]);
    await run();
  });

  it('fires no trigger of the project unless it is asked to', async () => {
    await target.admin.rows('create table public.seen (id uuid)');
    await target.admin.rows('grant insert on public.seen to supabase_auth_admin');
    await target.admin.rows(`create function public.see() returns trigger language plpgsql as $$ begin insert into public.seen values (new.id); return new; end $$`);
    await target.admin.rows('create trigger see after insert on auth.users for each row execute function public.see()');
    await addUser(source);
    await run();
    expect(await target.admin.rows('select * from public.seen')).toEqual([]);
    const id = await addUser(source);
    await run({ firesTriggers: true });
    expect(await target.admin.rows('select * from public.seen')).toEqual([{ id }]);
  });

  it('takes sessions along, with refresh tokens by their digests, and wakes none that has lived on here', async () => {
    const [{ id: user }] = (await source.admin.rows<{ id: string }>('select id from auth.users limit 1')) as [{ id: string }];
    const session = randomUUID();
    await source.admin.rows(`insert into auth.sessions (id, user_id, created_at, updated_at, aal) values ($1, $2, now(), now(), 'aal1')`, [session, user]);
    await source.admin.rows(`insert into auth.mfa_amr_claims (id, session_id, created_at, updated_at, authentication_method) values (gen_random_uuid(), $1, now(), now(), 'password')`, [session]);
    await source.admin.rows(`insert into auth.refresh_tokens (token, user_id, revoked, created_at, updated_at, session_id, parent) values ('plain-token_1', $1, false, now(), now(), $2, 'parent')`, [user, session]);
    expect(counts(await run({ withSessions: true }))).toMatchObject({ sessions: [1, 1, 0], mfa_amr_claims: [1, 1, 0], refresh_tokens: [1, 1, 0] });
    const digest = (token: string) => createHash('sha256').update(token).digest('base64url');
    const tokens = () => target.admin.rows('select token, parent, revoked from auth.refresh_tokens where session_id = $1', [session]);
    expect(await tokens()).toEqual([{ token: digest('plain-token_1'), parent: digest('parent'), revoked: false }]);
    await target.admin.rows('update auth.refresh_tokens set revoked = true where session_id = $1', [session]);
    expect(counts(await run({ withSessions: true }))).toMatchObject({ sessions: [1, 0, 0], refresh_tokens: [1, 0, 0] });
    expect(await tokens()).toEqual([expect.objectContaining({ revoked: true })]);
  });

  it('names the row that cannot be here, and then writes none', async () => {
    const [taken, other] = [`${randomUUID()}@example.com`, randomUUID()];
    await addUser(target, randomUUID(), taken);
    const id = await addUser(source, other, taken);
    await addUser(source);
    await expect(run()).rejects.toThrow(`auth.users cannot be imported, and nothing was: Key (email)=(${taken}) already exists. It belongs to another account here`);
    await source.admin.rows('delete from auth.users where id = $1', [id]);
    expect(counts(await run())['users']![1]).toBe(1);
  });

  it('works where the source has newer columns and older ones, and says what it leaves out', async () => {
    await source.admin.rows('alter table auth.users add column favourite_colour text, drop column is_anonymous');
    await source.admin.rows(`update auth.users set favourite_colour = 'blue' where id = (select min(id::text)::uuid from auth.users)`);
    await source.admin.rows(`alter table auth.identities drop column id, drop column email`);
    await source.admin.rows(`alter table auth.identities rename column provider_id to id`);
    await target.admin.rows('delete from auth.identities');
    const first = await run();
    expect(first.notes).toEqual(['auth.users: favourite_colour of the source is not known here and left out.']);
    expect(counts(first)['identities']![1]).toBeGreaterThan(0);
    expect(counts(await run())['identities']!.slice(1)).toEqual([0, 0]);
  });

  it.each([
    ['another kind of database', 'drop schema auth cascade', /has no table auth\.users/],
  ])('refuses %s', async (_, change, message) => {
    await source.admin.rows(change);
    await expect(run()).rejects.toThrow(message);
  });
});
