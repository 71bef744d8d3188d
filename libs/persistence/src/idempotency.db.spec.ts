import { makeCaller, type Caller } from '@mainstay/domain';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { Database } from './database.ts';
import { withIdempotency, type KeptAnswer, type KeyedRequest } from './idempotency.ts';
import { ownSessionOf } from './session.ts';

let test: TestDatabase;
let api: Database;
const caller = makeCaller('user', { sub: '6a1f4c1e-7a55-4c1b-9d7b-0d9f6b1c2a33', role: 'authenticated' });
const other = makeCaller('user', { sub: '0b9d1c35-0f44-4a55-8d43-8d4f5b8c7e21', role: 'authenticated' });

beforeAll(async () => {
  test = await makeTestDatabase();
  api = test.as('mainstay_api', 20);
  await test.admin.rows('create table public.effects (n int); grant insert on public.effects to mainstay_api; grant usage on schema public to mainstay_api');
});
afterAll(() => test.close());
beforeEach(() => test.admin.rows('truncate mainstay_internal.idempotency_keys, public.effects'));

describe('a repeated request', () => {
  it('is given the same answer, byte for byte, and has no second effect', async () => {
    const first = await ask(request());
    const second = await ask(request());
    expect(first).toMatchObject({ status: 202, isReplayed: false });
    expect(second).toEqual({ ...first, isReplayed: true });
    expect(await effects()).toBe(1);
  });

  it('is one of 50 that come at once: one effect, and each is answered 202 or told to wait', async () => {
    const answers = await Promise.allSettled(Array.from({ length: 50 }, () => ask(request())));
    const codes = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.status : (answer.reason as { status: number }).status));
    expect(codes.filter((code) => code !== 202 && code !== 409)).toEqual([]);
    expect(codes).toContain(202);
    expect(await effects()).toBe(1);
  });

  it('is told at once that the first is still in flight', async () => {
    const release = Promise.withResolvers<void>();
    const first = ask(request(), () => release.promise);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const began = Date.now();
    await expect(ask(request())).rejects.toMatchObject({ code: 'idempotency_key_in_flight', status: 409, headers: { 'retry-after': '1' } });
    expect(Date.now() - began).toBeLessThan(1000);
    release.resolve();
    await first;
  });

  it.each([
    ['body', { bodyHash: Buffer.from('other') }],
    ['path', { path: '/elsewhere' }],
    ['method', { method: 'PUT' }],
  ])('with another %s is refused', async (_, difference) => {
    await ask(request());
    await expect(ask({ ...request(), ...difference })).rejects.toMatchObject({ code: 'idempotency_key_reused', status: 422 });
    expect(await effects()).toBe(1);
  });

  it('of another owner with the same key is another request', async () => {
    await ask(request());
    expect(await ask({ ...request(), owner: other.subject! }, undefined, other)).toMatchObject({ isReplayed: false });
    expect(await effects()).toBe(2);
  });

  it('may be tried again when the first had no effect', async () => {
    await expect(ask(request(), () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await effects()).toBe(0);
    expect(await ask(request())).toMatchObject({ isReplayed: false });
    expect(await effects()).toBe(1);
  });

  it('is a new one after 24 hours', async () => {
    await ask(request());
    await test.admin.rows(`update mainstay_internal.idempotency_keys set created_at = created_at - interval '24 hours 1 second'`);
    expect(await ask(request())).toMatchObject({ isReplayed: false });
    expect(await ask(request())).toMatchObject({ isReplayed: true });
    expect(await effects()).toBe(2);
  });
});

function request(): KeyedRequest {
  return { owner: caller.subject!, key: 'key-1', method: 'POST', path: '/imports/v1/flights', bodyHash: Buffer.from('hash') };
}

function ask(keyed: KeyedRequest, before: () => Promise<void> = () => Promise.resolve(), as: Caller = caller): Promise<KeptAnswer & { isReplayed: boolean }> {
  return api.transaction(ownSessionOf(as), (tx) =>
    withIdempotency(tx, keyed, async () => {
      await tx.rows('insert into public.effects values (1)');
      await before();
      return { status: 202, headers: { location: '/imports/v1/1' }, body: '{"b":1,  "a":2}' };
    }),
  );
}

async function effects(): Promise<number> {
  return (await test.admin.rows('select 1 from public.effects')).length;
}
