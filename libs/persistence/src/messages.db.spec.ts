import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { sweepAccounts, takeAttempts } from './attempts.ts';
import { asWorker } from './jobs.ts';
import { listMessages, sweepMessages, writeMessage } from './messages.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await makeTestDatabase();
});
afterAll(() => database.close());

const asLogin = { role: null, settings: {} };
const draft = { channel: 'email', kind: 'recovery', subject: '', text: 'x', html: null, code: null, link: null } as const;
const write = (recipient: string) => database.as('supabase_auth_admin').transaction(asLogin, (tx) => writeMessage(tx, { ...draft, recipient }, 'mailbox'));
const inMailbox = (to: string) => database.as('mainstay_api').transaction({ role: null, settings: { 'request.jwt.claims': '{"role":"service_role"}' } }, (tx) => listMessages(tx, { to, limit: 10, before: null }));

it('a message is swept when it has been kept long enough', async () => {
  await write('a@example.com');
  const worker = database.as('mainstay_worker');
  expect(await worker.transaction(asWorker, (tx) => sweepMessages(tx, 60))).toBe(0);
  expect(await inMailbox('a@example.com')).toHaveLength(1);
  await database.admin.rows(`update mainstay_internal.messages set id = overlay(id::text placing '00000000-0000' from 1 for 13)::uuid`);
  expect(await worker.transaction(asWorker, (tx) => sweepMessages(tx, 60))).toBe(1);
  expect(await inMailbox('a@example.com')).toEqual([]);
});

it('a page of the mailbox begins after the last one', async () => {
  const ids = [await write('b@example.com'), await write('b@example.com')];
  const [newest] = await inMailbox('b@example.com');
  expect(newest!.id).toBe(ids[1]);
  const older = await database.as('mainstay_api').transaction({ role: null, settings: { 'request.jwt.claims': '{"role":"service_role"}' } }, (tx) => listMessages(tx, { to: 'b@example.com', limit: 10, before: ids[1]! }));
  expect(older.map(({ id }) => id)).toEqual([ids[0]]);
});

describe('attempts', () => {
  const bucket = (letter: string, most: number, seconds: number) => ({ digest: new Uint8Array(32).fill(letter.charCodeAt(0)), most, seconds });
  const take = (...buckets: ReturnType<typeof bucket>[]) => database.as('supabase_auth_admin').transaction(asLogin, (tx) => takeAttempts(tx, buckets));

  it('count in every bucket or in none, and tell how long to wait', async () => {
    const began = performance.now();
    const elapsed = () => (performance.now() - began) / 1000;
    /** What is left of a wait that began not before the first attempt. */
    const expectWait = (seconds: number, most: number) => {
      expect(seconds).toBeLessThanOrEqual(most);
      expect(seconds).toBeGreaterThan(most - elapsed() - 0.1);
    };
    expect(await take(bucket('a', 2, 60), bucket('b', 1, 60))).toBe(0);
    expectWait(await take(bucket('a', 2, 60), bucket('b', 1, 60)), 60);
    // The refusal of b took nothing from a.
    expect(await take(bucket('a', 2, 60))).toBe(0);
    expectWait(await take(bucket('a', 2, 60)), 30);
  });

  it('are forgotten when they are over, with codes and flows that nobody can use any more', async () => {
    await take(bucket('c', 1, 1));
    await database.admin.rows(`update mainstay_internal.attempts set ends_at = now() - interval '1 second' where bucket = $1`, [Buffer.alloc(32, 'c')]);
    await database.admin.rows(`insert into auth.users (id, email) values ('00000000-0000-4000-8000-000000000001', 'c@example.com')`);
    await database.admin.rows(`insert into auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to, created_at) values (gen_random_uuid(), '00000000-0000-4000-8000-000000000001', 'recovery_token', 'x', 'c@example.com', now() - interval '9 days')`);
    await database.admin.rows(`insert into auth.flow_state (id, provider_type, authentication_method, created_at) values (gen_random_uuid(), 'email', 'otp', now() - interval '2 days')`);
    const sweep = () => database.as('mainstay_worker').transaction(asWorker, (tx) => sweepAccounts(tx));
    expect(await sweep()).toBe(3);
    expect(await sweep()).toBe(0);
  });

  it('are counted by the auth login alone, which reads none', async () => {
    await expect(database.as('mainstay_api').transaction(asLogin, (tx) => takeAttempts(tx, [bucket('a', 1, 1)]))).rejects.toMatchObject({ code: '42501' });
    await expect(database.as('supabase_auth_admin').rows('select * from mainstay_internal.attempts')).rejects.toMatchObject({ code: '42501' });
    await expect(database.as('authenticator').rows(`select mainstay_internal.write_message('email', 'x', 'a@b.c', '', '', null, null, null)`)).rejects.toMatchObject({ code: '42501' });
  });
});
