// `npm run chaos [-- ROWS KILLS]`: starts a Mainstay of its own, imports 200,000 rows while its parts are killed with -9 at random,
// counts every row, and measures what an emptied queue costs. Exits with 1 when a promise was broken.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type * as StackParts from '../../apps/e2e/src/stack.ts';
import type * as FireParts from '../../apps/e2e/src/under-fire.ts';
import { build } from '../build.mjs';
import { importBundled } from '../bundle.mjs';
import { measureEmptiedQueue, type Emptied } from './emptied-queue.ts';

const [rows = '200000', kills = '12'] = process.argv.slice(2);
/** The promise: what is in the queue when it is lost starts this much later, at most. */
const mostDelaySeconds = 15;

await build(['api', 'worker', 'cli', 'console']);
const { startStack } = (await importBundled('apps/e2e/src/stack.ts')) as typeof StackParts;
const { importUnderFire, untilReady } = (await importBundled('apps/e2e/src/under-fire.ts')) as typeof FireParts;

const stack = await startStack({ environment: { LOG_LEVEL: 'warn' } });
let isKept = true;
try {
  await untilReady(stack);
  console.log(`${Number(rows).toLocaleString('en')} rows, ${kills} kills …`);
  const burnt = await importUnderFire(stack, {
    rows: Number(rows), badEvery: 997, rowMs: 0.1, kills: Number(kills), pauseMs: [500, 4000], random: Math.random, tell: (event) => console.log(`  ${event}`),
  });
  report(burnt);
  isKept = burnt.missing === 0 && burnt.surplus === 0 && burnt.areRejectsExact && burnt.import['state'] === 'done' && burnt.killsInTime >= Math.min(10, Number(kills));

  await untilReady(stack);
  console.log('\nThe queue is emptied while an import waits in it …');
  for (const [how, empty] of [['flushed', () => flush(stack)], ['killed and restarted empty', () => kill(stack, 'valkey')]] as const) {
    const emptied = await measureEmptiedQueue(stack, empty);
    console.log(`  ${how}: ${describe(emptied)}`);
    if (!(emptied.delaySeconds <= mostDelaySeconds)) isKept = false;
    await untilReady(stack);
  }
} finally {
  await stack.stop();
}
console.log(isKept ? '\nEvery promise was kept.' : '\nA promise was broken.');
process.exit(isKept ? 0 : 1);

function report(burnt: FireParts.Burnt): void {
  const { kills: counts, import: end } = burnt;
  console.log(`
  state                  ${end['state']}
  rows                   ${end['rows_read']} read, ${end['rows_written']} written, ${end['rows_rejected']} set aside
  missing, surplus       ${burnt.missing}, ${burnt.surplus}
  rejects                ${burnt.areRejectsExact ? 'exact' : 'NOT exact'}
  kills                  ${Object.entries(counts).map(([part, n]) => `${n} × ${part}`).join(', ')}; ${burnt.killsInTime} before the import was done
  uploads, attempts      ${burnt.uploads}, ${burnt.attempts}
  time                   ${burnt.seconds.toFixed(1)} s, ${burnt.secondsAfter.toFixed(1)} s of it after the last kill`);
}

function describe({ delaySeconds, usualSeconds }: Emptied): string {
  return `the waiting import started ${delaySeconds.toFixed(1)} s after a worker was free (${usualSeconds.toFixed(1)} s when nothing happens; at most ${mostDelaySeconds} s are promised)`;
}

function kill(stack: StackParts.Stack, part: string): Promise<void> {
  process.kill(stack.pids()[part]!, 'SIGKILL');
  return sleep(0);
}

/** Empties the queue as an operator's mistake would. Its address is known to the worker alone, so it is read from there. */
async function flush(stack: StackParts.Stack): Promise<void> {
  const environment = readFileSync(`/proc/${stack.pids()['worker']}/environ`, 'utf8').split('\0');
  const url = new URL(environment.find((entry) => entry.startsWith('REDIS_URL='))!.slice('REDIS_URL='.length));
  const socket = connect(Number(url.port), url.hostname);
  socket.setEncoding('utf8').write(`AUTH ${decodeURIComponent(url.password)}\r\nFLUSHALL\r\n`);
  let answer = '';
  for await (const text of socket as AsyncIterable<string>) {
    answer += text;
    if (answer.split('\r\n').length > 2) break;
  }
  if (!answer.startsWith('+OK\r\n+OK')) throw new Error(`FLUSHALL was refused: ${answer}`);
}
