import { makeCaller } from '@mainstay/domain';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { ConnectionLost, DatabaseError, PoolTimeout } from './database-faults.ts';
import type { Database } from './database.ts';
import { sessionOf } from './session.ts';

const user = makeCaller('user', { sub: '11111111-1111-4111-8111-111111111111', role: 'authenticated' });
const guest = makeCaller('anonymous', {});

describe('a statement as a caller', () => {
  let test: TestDatabase;
  let database: Database;

  beforeAll(async () => {
    test = await makeTestDatabase();
    database = test.as('authenticator', 2);
    await test.admin.rows(`
      create table public.notes (id int primary key, owner uuid not null default auth.uid(), body text);
      alter table public.notes enable row level security;
      create policy own on public.notes to authenticated using (owner = auth.uid()) with check (owner = auth.uid());
      grant all on public.notes to anon, authenticated, service_role;
      create table public.parents (id int primary key);
      create table public.children (id int primary key, parent int references public.parents deferrable initially deferred);
      grant all on public.parents, public.children to authenticated;`);
  });
  afterAll(() => test.close());

  const once = (text: string, values: unknown[] = [], name?: string, caller = user) =>
    database.once(sessionOf(caller), { text, values, ...(name === undefined ? {} : { name }) });

  it('runs under the role and the claims of the caller', async () => {
    const { rows, fields } = await once('select current_user as role, auth.uid()::text as uid');
    expect(fields).toEqual(['role', 'uid']);
    expect(rows).toEqual([['authenticated', user.subject]]);
  });

  it('leaves nothing of the session behind on the connection', async () => {
    await once('select 1');
    const [row] = await database.rows(`select current_user::text as role, nullif(current_setting('request.jwt.claims', true), '') as claims`);
    expect(row).toEqual({ role: 'authenticator', claims: null });
  });

  it('sees no row of another user, and the login itself sees none at all', async () => {
    await once('insert into public.notes (id, body) values (1, $1)', ['mine']);
    expect((await once('select body from public.notes')).rows).toEqual([['mine']]);
    expect((await once('select body from public.notes', [], undefined, guest)).rows).toEqual([]);
    await expect(database.rows('select body from public.notes')).rejects.toMatchObject({ code: '42501' });
  });

  it('keeps a named statement across roles and errors', async () => {
    for (let turn = 0; turn < 6; turn += 1) {
      const caller = turn % 2 === 0 ? user : guest;
      expect((await once('select current_user, $1::int', ['7'], 'named_role', caller)).rows).toEqual([[caller.role, '7']]);
    }
    await expect(once('select $1::int', ['no number'], 'named_error')).rejects.toBeInstanceOf(DatabaseError);
    expect((await once('select $1::int', ['8'], 'named_error')).rows).toEqual([['8']]);
    await expect(once('select no_such_column', [], 'named_broken')).rejects.toMatchObject({ code: '42703' });
    await expect(once('select no_such_column', [], 'named_broken')).rejects.toMatchObject({ code: '42703' });
  });

  it('rolls back what it did when it fails, also when a deferred constraint fails at the end', async () => {
    await expect(once('insert into public.children values (1, 99)')).rejects.toMatchObject({ code: '23503' });
    expect(await test.admin.rows('select * from public.children')).toEqual([]);
  });

  it('refuses to write in a read-only session', async () => {
    const session = sessionOf(user, { isReadOnly: true });
    await expect(database.once(session, { text: 'insert into public.parents values (1)', values: [] })).rejects.toMatchObject({ code: '25006' });
  });

  it('refuses a role that was not granted, and runs nothing', async () => {
    const stranger = makeCaller('user', { sub: 'x', role: 'supabase_admin' });
    await expect(once('insert into public.parents values (2)', [], undefined, stranger)).rejects.toMatchObject({ code: '42501' });
    expect(await test.admin.rows('select * from public.parents')).toEqual([]);
  });

  it('refuses a second statement in the text', async () => {
    await expect(once('select 1; drop table public.parents')).rejects.toMatchObject({ code: '42601' });
  });

  it('forgets the oldest of too many named statements', async () => {
    for (let i = 0; i < 300; i += 1) expect((await once(`select ${i}`, [], `many_${i}`)).rows).toEqual([[String(i)]]);
    expect((await once('select 0', [], 'many_0')).rows).toEqual([['0']]);
    const [row] = await database.rows<{ n: string }>(`select count(*) as n from pg_prepared_statements`);
    expect(Number(row!.n)).toBeLessThan(260);
  });

  it('says so when every connection stays busy', async () => {
    const narrow = (await import('./logins.ts')).makeDatabase({ ...test.settings, dbPoolTimeoutSeconds: 1 }, 'authenticator', { max: 1 });
    const slow = narrow.rows('select pg_sleep(1.5)');
    await expect(narrow.rows('select 1')).rejects.toBeInstanceOf(PoolTimeout);
    await slow;
    await narrow.close();
  });

  it('goes on with a new connection after the server ended the old one', async () => {
    const [row] = await database.rows<{ pid: number }>('select pg_backend_pid() as pid');
    const broken = database.rows('select pg_sleep(5)');
    await test.admin.rows(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'authenticator' and datname = current_database()`);
    await expect(broken).rejects.toMatchObject({ name: 'ConnectionLost', isOutcomeUnknown: true });
    expect((await once('select 1')).rows).toEqual([['1']]);
    expect(row!.pid).toBeGreaterThan(0);
  });
});

describe('a transaction', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await makeTestDatabase();
    await test.admin.rows('create table public.items (id int primary key, name text); grant all on public.items to authenticated');
  });
  afterAll(() => test.close());

  it('commits what returns and rolls back what throws', async () => {
    const database = test.as('authenticator');
    await database.transaction(sessionOf(user), (tx) => tx.rows('insert into public.items values (1)'));
    await expect(
      database.transaction(sessionOf(user), async (tx) => {
        await tx.rows('insert into public.items values (2)');
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await test.admin.rows('select id from public.items')).toEqual([{ id: 1 }]);
  });

  it('goes on after a savepoint was rolled back, and copies rows in', async () => {
    const database = test.as('authenticator');
    const copied = await database.transaction(sessionOf(user), async (tx) => {
      await expect(tx.savepoint(() => tx.copyIn('copy public.items (id, name) from stdin (format csv)', Buffer.from('1,twice\n')))).rejects.toMatchObject({ code: '23505' });
      return tx.savepoint(() => tx.copyIn('copy public.items (id, name) from stdin (format csv)', [Buffer.from('10,a\n11'), Buffer.from(',b\n')]));
    });
    expect(copied).toBe(2);
    expect(await test.admin.rows('select id, name from public.items where id >= 10 order by id')).toEqual([{ id: 10, name: 'a' }, { id: 11, name: 'b' }]);
  });
});

describe('a connection that the server ends', () => {
  it('between two statements of a transaction fails that transaction, and not the process', async () => {
    const test = await makeTestDatabase();
    const database = test.as('mainstay_worker', 1);
    const work = database.transaction({ role: null, settings: {} }, async (tx) => {
      const [row] = await tx.rows<{ pid: number }>('select pg_backend_pid() as pid');
      await test.admin.rows('select pg_terminate_backend($1)', [row!.pid]);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await tx.rows('select 1');
    });
    await expect(work).rejects.toBeInstanceOf(ConnectionLost);
    // The pool has let go of it: the next caller is given a sound one.
    expect(await database.rows('select 1 as one')).toEqual([{ one: 1 }]);
    await test.close();
  });
});
