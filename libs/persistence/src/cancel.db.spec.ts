import { setTimeout as sleep } from 'node:timers/promises';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { Database } from './database.ts';

describe('a client that goes away', () => {
  let test: TestDatabase;
  let database: Database;
  const guest = { role: 'anon', settings: {} };

  beforeAll(async () => {
    test = await makeTestDatabase();
    database = test.as('authenticator', 1);
    await test.admin.rows('create table public.marks (id int); grant all on public.marks to anon');
  });
  afterAll(() => test.close());

  const sleeping = async (): Promise<number> => (await test.admin.rows(`select 1 from pg_stat_activity where query like '%pg_sleep%' and state = 'active' and usename = 'authenticator'`)).length;
  const until = async (count: number): Promise<void> => {
    for (let i = 0; (await sleeping()) !== count; i += 1) {
      if (i > 200) throw new Error(`${await sleeping()} queries run, not ${count}`);
      await sleep(10);
    }
  };

  it('has its query cancelled in PostgreSQL', async () => {
    const left = new AbortController();
    const query = database.once(guest, { text: 'select pg_sleep(60)', values: [] }, { signal: left.signal });
    query.catch(() => {});
    await until(1);
    left.abort();
    await expect(query).rejects.toMatchObject({ code: '57014' });
    await until(0);
  });

  it('never has the query of the next one cancelled', async () => {
    for (let turn = 0; turn < 40; turn += 1) {
      const left = new AbortController();
      const gone = database.once(guest, { text: 'select pg_sleep(0.002)', values: [] }, { signal: left.signal });
      setTimeout(() => left.abort(), turn % 8);
      // The pool has one connection: this one waits for it.
      const next = database.once(guest, { text: 'select pg_sleep(0.02)', values: [] });
      await gone.catch(() => {});
      expect((await next).rows).toHaveLength(1);
    }
  });

  it('does not begin what had to wait', async () => {
    const left = new AbortController();
    const running = database.once(guest, { text: 'select pg_sleep(0.1)', values: [] });
    const waiting = database.once(guest, { text: 'insert into public.marks values (1)', values: [] }, { signal: left.signal });
    left.abort();
    await expect(waiting).rejects.toThrow('abort');
    await running;
    expect(await test.admin.rows('select * from public.marks')).toEqual([]);
  });

  it('leaves a transaction rolled back, whichever statement it is at', async () => {
    const left = new AbortController();
    const work = database.transaction(
      guest,
      async (tx) => {
        await tx.run({ text: 'insert into public.marks values (2)', values: [] });
        left.abort();
        await tx.run({ text: 'insert into public.marks values (3)', values: [] });
      },
      { signal: left.signal },
    );
    await expect(work).rejects.toThrow('abort');
    expect(await test.admin.rows('select * from public.marks')).toEqual([]);
    expect((await database.once(guest, { text: 'select current_user', values: [] })).rows).toEqual([['anon']]);
  });
});

describe('pages of rows', () => {
  it('come one after the other, also with bound values, and end with the transaction', async () => {
    const test = await makeTestDatabase();
    const database = test.as('authenticator', 1);
    const pages = await database.transaction({ role: 'anon', settings: {}, isReadOnly: true }, async (tx) => {
      const all: number[] = [];
      for await (const rows of tx.pages({ text: 'select n from generate_series(1, $1::int) n', values: ['25'] }, 10)) all.push(rows.length);
      return all;
    });
    expect(pages).toEqual([10, 10, 5]);
    await test.close();
  });
});
