import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { Accounts } from './accounts.ts';
import { ConnectionLost, isDatabaseError } from './database-faults.ts';

let database: TestDatabase;
let accounts: Accounts;

beforeAll(async () => {
  database = await makeTestDatabase();
  accounts = await Accounts.open(database.settings);
});

afterAll(async () => {
  await accounts.close();
  await database.close();
});

const device = { userAgent: 'spec', address: '192.0.2.1' };
const newUser = (email: string) => ({ id: randomUUID(), email, aud: 'authenticated', role: 'authenticated', rawAppMetaData: {}, rawUserMetaData: { full_name: 'Ada' } });
const add = (email: string) => accounts.transaction((tx) => tx.add(newUser(email)));

/** A session with a lineage of so many tokens; gives their digests, the live one last. */
async function lineage(length: number): Promise<{ sessionId: string; userId: string; digests: string[] }> {
  const user = await add(`${randomUUID()}@example.com`);
  const sessionId = randomUUID();
  const digests = Array.from({ length }, (_, i) => `${sessionId}-${i}`);
  await accounts.transaction(async (tx) => {
    const session = await tx.startSession(user.id, 'password', device, digests[0]!, sessionId);
    for (let i = 1; i < length; i += 1) await tx.rotate(session, digests[i - 1]!, digests[i]!, device);
  });
  return { sessionId, userId: user.id, digests };
}

const page = (number: number) => accounts.page({ filter: '', sort: { field: 'created_at', isAscending: false }, page: number, perPage: 1 });

it.each([0, 1, 2, 3, 4])('closing does not wait without end for a connection that has been opening for %i ms', async (ms) => {
  const closing = await Accounts.open(database.settings);
  await closing.find(randomUUID());
  const asked = Promise.allSettled([1, 2].map(() => closing.find(randomUUID())));
  await pause(ms);
  await closing.close();
  await asked;
});

describe('an account', () => {
  it('is written with its metadata in one insert, and read back as triggers left it', async () => {
    await database.admin.rows(`
      create table public.seen (operation text, name text);
      create function public.see() returns trigger language plpgsql security definer as $$
      begin
        insert into public.seen values (tg_op, new.raw_user_meta_data ->> 'full_name');
        new.raw_app_meta_data := new.raw_app_meta_data || '{"plan":"free"}';
        return new;
      end $$;
      create trigger see before insert or update on auth.users for each row execute function public.see()`);
    const user = await add('trigger@example.com');
    expect(user.rawAppMetaData).toEqual({ plan: 'free' });
    expect(await database.admin.rows('select * from public.seen')).toEqual([{ operation: 'INSERT', name: 'Ada' }]);
    await database.admin.rows('drop function public.see cascade');
  });

  it('is found by its address in any case, also one that a seed wrote with nothing but id and address', async () => {
    await database.admin.rows(`insert into auth.users (id, email) values (gen_random_uuid(), 'Seed@Example.com')`);
    expect(await accounts.findByEmail('sEED@example.COM')).toMatchObject({ email: 'Seed@Example.com', encryptedPassword: null, rawUserMetaData: null });
    expect(await accounts.findByEmail("x' or 'a'='a")).toBeNull();
  });

  it('is the same whether found by address or by id', async () => {
    await database.admin.rows(`insert into auth.users (id, email, phone, banned_until, raw_app_meta_data, created_at, email_confirmed_at) values (gen_random_uuid(), 'same@example.com', '49', 'infinity', '{"a":[1]}', now(), '2024-02-29 12:00:00.123456+00')`);
    const user = (await accounts.findByEmail('same@example.com'))!;
    expect({ ...(await accounts.find(user.id))!.user }).toEqual({ ...user });
    expect(user).toMatchObject({ rawAppMetaData: { a: [1] }, emailConfirmedAt: new Date('2024-02-29T12:00:00.123Z'), isSsoUser: false });
    expect(user.bannedUntil).toEqual(new Date('9999-12-31T23:59:59.999Z'));
  });

  it('is written only where it was changed: microseconds and infinity elsewhere stay', async () => {
    const [row] = await database.admin.rows<{ id: string }>(`insert into auth.users (id, banned_until, created_at, raw_user_meta_data) values (gen_random_uuid(), 'infinity', '2024-02-29 12:00:00.123456+00', '{"n":12345678901234567890}') returning id`);
    await accounts.transaction(async (tx) => {
      (await tx.lock(row!.id))!.user.role = 'editor';
    });
    const [after] = await database.admin.rows(`select role, banned_until::text, created_at at time zone 'utc' = '2024-02-29 12:00:00.123456' as whole, raw_user_meta_data::text as data from auth.users where id = $1`, [row!.id]);
    expect(after).toEqual({ role: 'editor', banned_until: 'infinity', whole: true, data: '{"n": 12345678901234567890}' });
  });

  it('of an address that is taken is refused as PostgreSQL says it, and nothing stays', async () => {
    await add('taken@example.com');
    const error = await accounts.transaction(async (tx) => {
      const other = await tx.add(newUser('other@example.com'));
      await tx.addIdentity(other.id, 'email', { sub: other.id, email: 'other@example.com' });
      await tx.add(newUser('taken@example.com'));
    }).catch((thrown: unknown) => thrown);
    expect(isDatabaseError(error) && { code: error.code, constraint: error.constraint }).toEqual({ code: '23505', constraint: 'users_email_partial_key' });
    expect(await accounts.findByEmail('other@example.com')).toBeNull();
  });

  it('keeps changes of two who change it at once', async () => {
    const { id } = await add('two@example.com');
    await Promise.all(['a', 'b', 'c', 'd'].map((key) => accounts.transaction(async (tx) => {
      const { user } = (await tx.lock(id))!;
      user.rawUserMetaData = { ...user.rawUserMetaData, [key]: 1 };
    })));
    expect((await accounts.find(id))!.user.rawUserMetaData).toEqual({ full_name: 'Ada', a: 1, b: 1, c: 1, d: 1 });
  });

  it('gives pages, newest first, with the ways by which each signs in', async () => {
    const before = (await page(1)).total;
    const user = await accounts.transaction(async (tx) => {
      const added = await tx.add(newUser('page@example.com'));
      await tx.addIdentity(added.id, 'email', { sub: added.id, email: 'Page@Example.com' });
      return added;
    });
    const { accounts: [first, ...rest], total } = await page(1);
    expect({ total, rest }).toEqual({ total: before + 1, rest: [] });
    expect(first).toMatchObject({ user: { id: user.id }, identities: [{ provider: 'email', email: 'page@example.com' }] });
    expect((await page(total + 1)).accounts).toEqual([]);
  });
});

describe('a family of refresh tokens', () => {
  it('has one live token, and knows its parent', async () => {
    const { digests, sessionId, userId } = await lineage(3);
    const states = await Promise.all(digests.map((digest) => accounts.transaction((tx) => tx.lockFamily(digest))));
    expect(states.map((state) => state!.isRevoked)).toEqual([true, true, false]);
    for (const state of states) {
      expect(state).toMatchObject({ session: { id: sessionId, userId, aal: 'aal1', amr: [{ method: 'password', timestamp: expect.any(Number) }] }, isSessionOver: false, active: { digest: digests[2], parent: digests[1] } });
      expect(state!.ageSeconds).toBeLessThan(20);
    }
    expect(await accounts.transaction((tx) => tx.lockFamily('unknown'))).toBeNull();
  });

  it('lets those who come at once in one after the other', async () => {
    const { digests } = await lineage(1);
    const results = await Promise.all(Array.from({ length: 50 }, () => accounts.transaction(async (tx) => {
      const family = (await tx.lockFamily(digests[0]!))!;
      if (family.isRevoked) return family.active!.digest;
      const digest = createHash('sha256').update(randomUUID()).digest('base64url');
      await tx.rotate(family.session, digests[0]!, digest, device);
      return digest;
    })));
    expect(new Set(results).size).toBe(1);
  });

  it('is revoked whole: no token is live and the session is over', async () => {
    const { digests } = await lineage(2);
    await accounts.transaction(async (tx) => tx.revokeFamily((await tx.lockFamily(digests[0]!))!.session.id));
    expect(await accounts.transaction((tx) => tx.lockFamily(digests[1]!))).toMatchObject({ isRevoked: true, isSessionOver: true, active: null });
  });

  it('goes with its session, and other sessions stay', async () => {
    const { digests, sessionId, userId } = await lineage(2);
    const kept = randomUUID();
    await accounts.transaction((tx) => tx.startSession(userId, 'password', device, `${kept}-0`, kept));
    await accounts.transaction((tx) => tx.endSessions(userId, { except: kept }));
    expect(await accounts.transaction((tx) => tx.lockFamily(digests[1]!))).toBeNull();
    expect((await accounts.findSignedIn(userId, sessionId)).session).toBeNull();
    expect((await accounts.findSignedIn(userId, kept)).session).toMatchObject({ id: kept, userAgent: 'spec', ip: '192.0.2.1' });
    await accounts.transaction((tx) => tx.endSessions(userId, { only: kept }));
    expect((await accounts.findSignedIn(userId, kept)).session).toBeNull();
  });

  it('is no session of another user', async () => {
    const { sessionId } = await lineage(1);
    const other = await add('other-user@example.com');
    expect((await accounts.findSignedIn(other.id, sessionId)).session).toBeNull();
  });
});

describe('what comes from outside', () => {
  it('is bound and never part of a statement: neither quotes, backslashes nor a second statement mean anything', async () => {
    const hostile = String.raw`\'; drop table auth.users; -- ? ?? $1 \?`;
    const user = await accounts.transaction((tx) => tx.add({ ...newUser(`${randomUUID()}@example.com`), rawUserMetaData: { [hostile]: [hostile, null, { a: 1.5 }] }, aud: hostile }));
    expect((await accounts.find(user.id))!.user).toMatchObject({ aud: hostile, rawUserMetaData: { [hostile]: [hostile, null, { a: 1.5 }] } });
    expect(await accounts.findByEmail(hostile)).toBeNull();
    await expect(accounts.transaction((tx) => tx.lockFamily(`${hostile}; select 1`))).resolves.toBeNull();
  });

  it('with a NUL is refused by PostgreSQL as what it is, and is no broken connection', async () => {
    const error = await accounts.findByEmail('a\0b').catch((thrown: unknown) => thrown);
    expect(isDatabaseError(error) && error.code).toBe('22021');
  });
});

describe('a connection that breaks', () => {
  const breakAll = () => database.admin.rows(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mainstay supabase_auth_admin' and datname = $1`, [database.name]);

  it('is told apart from a refusal, and given back: more often than the pool has places', async () => {
    for (let i = 0; i < 8; i += 1) {
      const error = await accounts.transaction(async (tx) => {
        await breakAll();
        await tx.lockFamily('any');
      }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ConnectionLost);
    }
    expect(await accounts.findByEmail('nobody@example.com')).toBeNull();
  });

  it('between two requests is noticed by neither', async () => {
    for (let i = 0; i < 8; i += 1) {
      await accounts.findByEmail('nobody@example.com');
      await breakAll();
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(await accounts.transaction((tx) => tx.lockFamily('any'))).toBeNull();
    }
  });
});
