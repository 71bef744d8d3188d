import { setTimeout as sleep } from 'node:timers/promises';
import { Receiver, type Database, type Received } from '@mainstay/testing';
import { houseUrl } from './mishaps.ts';
import { runSql } from './sql.ts';
import type { Stack } from './stack.ts';

/** What became of the calls to a receiver: `send-request` jobs, and webhooks of changed rows. */
export interface BurntCalls {
  /** What committed transactions asked for: calls, and changes of rows that somebody shall be told of. */
  readonly asked: number;
  readonly lost: number;
  /** Another id or another body on a later try. */
  readonly altered: number;
  /** Belong to no transaction that committed. */
  readonly unasked: number;
  /** Came although what was changed before in their row had not been taken yet. */
  readonly disordered: number;
  /** Were taken, and no log has the answer. */
  readonly unrecorded: number;
  readonly dead: number;
  readonly tries: number;
}

interface Told {
  readonly id: string;
  readonly body: string;
}

const rows = 20;
/** Where calls asked for in SQL begin to be numbered; below are those by HTTP. */
const inSqlFrom = 1_000_001;

/**
 * The receiver of a house under fire, which itself never dies, but is slow and fails at first now and then. Each change of a row
 * raises its version by one, so the row says what must have been told, and in which order.
 */
export class FireReceiver {
  private readonly told = new Map<string, Told>();
  /** By row: the version that was answered with success last. */
  private readonly taken = new Map<number, number>();
  private readonly askedByHttp: number[] = [];
  private altered = 0;
  private disordered = 0;
  private tries = 0;

  private constructor(
    private readonly stack: Stack,
    private readonly asker: Database,
    private readonly receiver: Receiver,
    private readonly random: () => number,
  ) {
    receiver.answer = async (received, response) => {
      const accept = this.judge(received);
      await sleep(this.random() * 40);
      if (accept === null) return this.random() < 0.5 ? response.destroy() : response.writeHead(503).end();
      accept();
      return response.end('taken');
    };
  }

  /** @param asker as which calls are asked for and rows are changed */
  static async start(stack: Stack, asker: Database, random: () => number): Promise<FireReceiver> {
    const receiver = await Receiver.start();
    await runSql(stack.dbUrl, `
      drop table if exists public.fire_rows, public.fire_called cascade;
      create table public.fire_rows (id integer primary key, version integer not null);
      insert into public.fire_rows select id, 0 from generate_series(1, ${rows}) id;
      -- What was asked for, in the transaction that asked.
      create table public.fire_called (n integer primary key);
      alter table public.fire_rows enable row level security;
      alter table public.fire_called enable row level security;
      create or replace function public.fire_call(n integer) returns uuid language sql as $$
        insert into public.fire_called values (n);
        select mainstay.enqueue_http('${receiver.url}', jsonb_build_object('n', n), max_attempts => 50);
      $$`);
    const body = JSON.stringify({ url: receiver.url, events: [{ table: 'fire_rows', operations: ['update'] }] });
    const answer = await fetch(`${stack.url}/webhooks/v1/endpoints`, { method: 'POST', headers: { apikey: stack.secretKey, 'content-type': 'application/json' }, body });
    if (answer.status !== 201) throw new Error(`the endpoint was refused: ${await answer.text()}`);
    return new FireReceiver(stack, asker, receiver, random);
  }

  /** The body of `POST /jobs/v1` for the nth call. */
  callByHttp(n: number): object {
    this.askedByHttp.push(n);
    return { url: this.receiver.url, body: { n }, max_attempts: 50 };
  }

  /** Asks for the nth call in SQL; every fifth transaction rolls back. A lost answer is looked up before it is asked again. */
  async callInSql(n: number): Promise<void> {
    const number = inSqlFrom + n;
    if (n % 5 === 0) await takeBack(this.asker, `perform public.fire_call(${-number})`);
    await untilTaken(this.asker, `select public.fire_call(${number}) where not exists (select from public.fire_called where n = ${number})`);
  }

  /** Changes a row; every fifth transaction rolls back. Whether one committed whose answer was lost, the row tells. */
  async change(n: number): Promise<void> {
    const which = `where id = ${1 + (n % rows)}`;
    if (n % 5 === 0) await takeBack(this.asker, `update public.fire_rows set version = -1 - version ${which}`);
    await untilTaken(this.asker, `update public.fire_rows set version = version + 1 ${which}`);
  }

  async count(): Promise<BurntCalls> {
    const asked = new Set(await this.asked());
    const [kept] = (await runSql(houseUrl(this.stack), `
      with calls as (
        select state, coalesce(answer ->> 'status' = '200', false) as is_recorded from mainstay.requests
        union all
        select state, exists (select from mainstay_internal.webhook_attempts tries where tries.event_id = deliveries.event_id and tries.endpoint_no = deliveries.endpoint_no and status = 200)
        from mainstay_internal.webhook_deliveries deliveries
      )
      select count(*) filter (where not is_recorded)::int as unrecorded, count(*) filter (where state in ('failed', 'dead'))::int as dead from calls`)) as [Pick<BurntCalls, 'unrecorded' | 'dead'>];
    return {
      asked: asked.size,
      lost: [...asked].filter((what) => !this.told.has(what)).length,
      unasked: [...this.told.keys()].filter((what) => !asked.has(what)).length,
      altered: this.altered,
      disordered: this.disordered,
      tries: this.tries,
      ...kept,
    };
  }

  stop(): void {
    this.receiver.stop();
  }

  /** Takes note of a try; gives what is to be done when it is taken, or null where it is to fail: one in nine, the first time. */
  private judge({ headers, body }: Received): (() => void) | null {
    this.tries += 1;
    this.receiver.received.length = 0;
    const { n, data } = JSON.parse(body) as { n?: number; data?: { record: { id: number; version: number } } };
    const what = data === undefined ? callNamed(n!) : changeNamed(data.record.id, data.record.version);
    const id = headers['webhook-id']!;
    const before = this.told.get(what);
    this.told.set(what, before ?? { id, body });
    if (before !== undefined && (before.id !== id || before.body !== body)) this.altered += 1;
    if (before === undefined && data !== undefined && (this.taken.get(data.record.id) ?? 0) !== data.record.version - 1) this.disordered += 1;
    if (before === undefined && (n ?? data!.record.version) % 9 === 0) return null;
    return () => {
      if (data !== undefined) this.taken.set(data.record.id, Math.max(this.taken.get(data.record.id) ?? 0, data.record.version));
    };
  }

  private async asked(): Promise<string[]> {
    const inSql = (await runSql(this.stack.dbUrl, 'select n from public.fire_called')) as { n: number }[];
    const changed = (await runSql(this.stack.dbUrl, 'select id, version from public.fire_rows')) as { id: number; version: number }[];
    return [
      ...this.askedByHttp.map(callNamed),
      ...inSql.map(({ n }) => callNamed(n)),
      ...changed.flatMap(({ id, version }) => Array.from({ length: version }, (_, before) => changeNamed(id, before + 1))),
    ];
  }
}

const callNamed = (n: number): string => `call ${n}`;
const changeNamed = (id: number, version: number): string => `row ${id}, version ${version}`;

/** Runs a statement until its answer has come. */
export async function untilTaken(asker: Database, statement: string): Promise<void> {
  while (!(await asker.rows(statement).then(() => true, () => false))) await sleep(200);
}

/** Runs a statement of PL/pgSQL in a transaction that then rolls back. */
export async function takeBack(asker: Database, statement: string): Promise<void> {
  await asker.rows(`do $$ begin ${statement}; raise exception 'taken back'; end $$`).catch(() => {});
}
