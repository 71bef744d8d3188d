import { setTimeout as sleep } from 'node:timers/promises';
import type * as SqlParts from '../../apps/e2e/src/sql.ts';
import type { Stack } from '../../apps/e2e/src/stack.ts';
import { importBundled } from '../bundle.mjs';

const { runSql } = (await importBundled('apps/e2e/src/sql.ts')) as typeof SqlParts;

export interface Emptied {
  /** From the moment at which a worker was free to the start of the import that had waited in the emptied queue. */
  readonly delaySeconds: number;
  /** The same without any mishap. */
  readonly usualSeconds: number;
}

/**
 * Two slow imports take the two places that a worker has for imports; a third waits in the queue. Then the queue is emptied, and
 * nothing but the table knows of the third any more.
 */
export async function measureEmptiedQueue(stack: Stack, empty: () => Promise<void>): Promise<Emptied> {
  await runSql(stack.dbUrl, `
    create table if not exists public.quick (id integer);
    create table if not exists public.slow (id integer);
    create or replace function public.be_slow() returns trigger language plpgsql as $$ begin perform pg_sleep(5); return null; end $$;
    create or replace trigger be_slow after insert on public.slow for each statement execute function public.be_slow();
    grant all on public.quick, public.slow to service_role`);
  return { usualSeconds: await measure(stack, () => Promise.resolve()), delaySeconds: await measure(stack, empty) };
}

async function measure(stack: Stack, mishap: () => Promise<void>): Promise<number> {
  const slow = [await upload(stack, 'slow'), await upload(stack, 'slow')];
  for (const id of slow) await reaches(stack, id, ['running', 'done']);
  const waiting = await upload(stack, 'quick');
  // Long enough for the relay to have put it into the queue.
  await sleep(1500);
  await mishap();
  const ends = await Promise.all(slow.map((id) => reaches(stack, id, ['done'])));
  const { started_at: startedAt } = await reaches(stack, waiting, ['done']);
  const freeAt = Math.min(...ends.map(({ finished_at: finishedAt }) => Date.parse(finishedAt!)));
  return (Date.parse(startedAt!) - freeAt) / 1000;
}

async function upload(stack: Stack, collection: string): Promise<string> {
  const answer = await fetch(`${stack.url}/imports/v1/${collection}`, { method: 'POST', headers: { apikey: stack.secretKey, 'content-type': 'text/csv' }, body: 'id\n1\n' });
  const { id, message } = (await answer.json()) as { id: string; message?: string };
  if (answer.status !== 202) throw new Error(`the import was refused: ${message}`);
  return id;
}

interface Shown {
  readonly state: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

async function reaches(stack: Stack, id: string, states: readonly string[]): Promise<Shown> {
  for (const until = Date.now() + 120_000; Date.now() < until; await sleep(50)) {
    const shown = (await (await fetch(`${stack.url}/imports/v1/${id}`, { headers: { apikey: stack.secretKey } })).json()) as Shown;
    if (states.includes(shown.state)) return shown;
  }
  throw new Error(`import ${id} did not become ${states.join(' or ')}`);
}
