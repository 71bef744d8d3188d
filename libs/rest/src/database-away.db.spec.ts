import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeDatabase, type Database } from '@mainstay/persistence';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { openShop, service, type Shop } from './shop-database.ts';

/** The way to PostgreSQL, which can be closed, or cut at a chosen moment. */
class Way {
  port = 0;
  /** Looks at what is sent to PostgreSQL; true lets it arrive and cuts the way before anything comes back. */
  cutAfter: (sent: Buffer) => boolean = () => false;
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();

  constructor(private readonly target: number) {}

  async open(): Promise<void> {
    this.server = createServer((client) => this.join(client));
    await new Promise<void>((resolve) => this.server!.listen(this.port, '127.0.0.1', resolve));
    this.port = (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server!.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private join(client: Socket): void {
    const database = connect(this.target, '127.0.0.1');
    let isCut = false;
    client.on('data', (sent) => {
      isCut ||= this.cutAfter(sent as Buffer);
      database.write(sent as Buffer);
      // Time enough to do what was asked.
      if (isCut) setTimeout(() => client.destroy(), 100);
    });
    database.on('data', (data) => !isCut && client.write(data as Buffer));
    for (const [socket, other] of [[client, database], [database, client]] as const) {
      this.sockets.add(socket);
      socket.on('error', () => {}).once('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
  }
}

let test: TestDatabase;
let way: Way;
let shop: Shop;
const pools: Database[] = [];
beforeAll(async () => {
  test = await makeTestDatabase();
  const url = new URL(test.settings.databaseUrl!);
  way = new Way(Number(url.port));
  await way.open();
  url.port = String(way.port);
  url.hostname = '127.0.0.1';
  const settings = { ...test.settings, databaseUrl: url.href, dbSocket: null, dbPoolTimeoutSeconds: 1 };
  const as = (login: 'authenticator'): Database => {
    const pool = makeDatabase(settings, login, { max: 2 });
    pools.push(pool);
    return pool;
  };
  shop = await openShop({ settings, admin: test.admin, as });
});
afterAll(async () => {
  await shop.keeper.close();
  for (const pool of pools) await pool.close();
  await way.close();
  await test.close();
});
afterEach(() => {
  way.cutAfter = () => false;
});

const read = () => shop.ask('/customers?id=eq.1&select=name');
const has = (text: string) => (sent: Buffer): boolean => sent.includes(text);
const away = { status: 503, headers: { 'Retry-After': '1' } };
const unknown = { ...away, body: { code: 'PGRST001', hint: expect.stringContaining('Idempotency-Key') } };

describe('while the database is away', () => {
  it('a request is told to come again, and the first one after its return is answered', async () => {
    await way.close();
    for (let i = 0; i < 5; i += 1) expect(await read()).toMatchObject({ ...away, body: { code: 'PGRST000' } });
    expect(await shop.ask('POST /loose', { body: { a: 'x' } })).toMatchObject({ ...away, body: { code: 'PGRST000' } });
    await way.open();
    expect(await read()).toMatchObject({ status: 200, body: [{ name: 'Ada' }] });
    expect((await shop.ask('/loose')).body).toEqual([]);
  });

  it('what was known of the schema is known still, and what changed is known within a second of its return', async () => {
    await way.close();
    await sleep(1500);
    await test.admin.rows('alter table loose add column c int');
    await way.open();
    await sleep(1000);
    expect(await shop.ask('/loose?select=c')).toMatchObject({ status: 200 });
  });
});

describe('a connection that breaks', () => {
  it('in a read is none of the client’s business', async () => {
    let cuts = 0;
    way.cutAfter = (sent) => sent.includes('customers') && (cuts += 1) === 1;
    expect(await shop.ask('/customers?id=eq.2&select=name,id')).toMatchObject({ status: 200, body: [{ name: 'Ben', id: 2 }] });
    expect(cuts).toBe(2);
  });

  it.each([
    ['in a write of one round trip', 'POST /loose', { a: 'once' }, 'insert into'],
    ['at the commit of a transaction', 'PUT /customers?id=eq.40', { id: 40, name: 'Zoe' }, 'commit'],
  ])('%s leaves the outcome unknown, and the answer says so', async (_, line, body, moment) => {
    way.cutAfter = has(moment);
    expect(await shop.ask(line, { body, as: service })).toMatchObject(unknown);
  });

  it('before the commit has done nothing', async () => {
    way.cutAfter = has('insert into');
    expect(await shop.ask('PUT /customers?id=eq.41', { body: { id: 41, name: 'Yan' } })).toMatchObject({ ...away, body: { code: 'PGRST000' } });
    expect((await shop.ask('/customers?id=eq.41')).body).toEqual([]);
  });
});

it('a pool that is full answers in time', async () => {
  const busy = [1, 2].map(() => shop.ask('POST /rpc/dawdle', { body: { seconds: 1.6 } }));
  const asked = performance.now();
  expect(await read()).toMatchObject({ status: 504, headers: { 'Retry-After': '1' }, body: { code: 'PGRST003' } });
  expect(performance.now() - asked).toBeLessThan(1500);
  await Promise.all(busy);
  expect(await read()).toMatchObject({ status: 200 });
});

it('a server without a free connection is as one that is away', async () => {
  await test.admin.rows(`do $$ begin execute format('alter database %I connection limit 0', current_database()); end $$`);
  await way.close();
  await way.open();
  expect(await read()).toMatchObject({ ...away, body: { code: 'PGRST000' } });
  await test.admin.rows(`do $$ begin execute format('alter database %I connection limit -1', current_database()); end $$`);
  expect(await read()).toMatchObject({ status: 200 });
});
