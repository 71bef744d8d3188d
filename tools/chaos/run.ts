// `npm run chaos [-- ROWS KILLS JOBS FAULTS]`: starts a Mainstay of its own; imports 200,000 rows while its parts are killed with -9 at
// random, and counts every row; has 10,000 jobs done by two workers while whatever can die, halt or forget does, and counts every
// effect; measures what an emptied queue costs. Exits with 1 when a promise was broken.
import { setTimeout as sleep } from 'node:timers/promises';
import type * as JobParts from '../../apps/e2e/src/jobs-under-fire.ts';
import type * as StackParts from '../../apps/e2e/src/stack.ts';
import type * as MishapParts from '../../apps/e2e/src/mishaps.ts';
import type * as FireParts from '../../apps/e2e/src/under-fire.ts';
import { build } from '../build.mjs';
import { importBundled } from '../bundle.mjs';
import { measureEmptiedQueue, type Emptied } from './emptied-queue.ts';

const [rows = '200000', kills = '12', jobs = '10000', faults = '40'] = process.argv.slice(2);
const leaseSeconds = '5';
/** The promise: what is in the queue when it is lost starts this much later, at most. */
const mostDelaySeconds = 15;

await build(['api', 'worker', 'cli', 'console']);
const { startStack } = (await importBundled('apps/e2e/src/stack.ts')) as typeof StackParts;
const { jobsUnderFire } = (await importBundled('apps/e2e/src/jobs-under-fire.ts')) as typeof JobParts;
const { flushQueue } = (await importBundled('apps/e2e/src/mishaps.ts')) as typeof MishapParts;
const { importUnderFire, untilReady } = (await importBundled('apps/e2e/src/under-fire.ts')) as typeof FireParts;

const stack = await startStack({ environment: { LOG_LEVEL: 'warn', MAINSTAY_JOB_LEASE: leaseSeconds } });
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
  console.log(`\n${Number(jobs).toLocaleString('en')} jobs, two workers, ${faults} mishaps …`);
  const done = await jobsUnderFire(stack, {
    jobs: Number(jobs), faults: Number(faults), pauseMs: [500, 3000], haltMs: 7000, leaseSeconds, random: Math.random, tell: (event) => console.log(`  ${event}`),
  });
  reportJobs(done);
  isKept &&= done.lost === 0 && done.doubled === 0 && done.unasked === 0 && done.stuck === 0 && done.secondsAfter <= 60;

  await untilReady(stack);
  console.log('\nThe queue is emptied while an import waits in it …');
  for (const [how, empty] of [['flushed', () => flushQueue(stack)], ['killed and restarted empty', () => kill(stack, 'valkey')]] as const) {
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

function reportJobs({ faults: counts, ...burnt }: JobParts.BurntJobs): void {
  console.log(`
  asked for              ${burnt.asked}
  lost, doubled          ${burnt.lost}, ${burnt.doubled}
  without a commit       ${burnt.unasked}
  stuck                  ${burnt.stuck}
  attempts               ${burnt.attempts}
  mishaps                ${Object.entries(counts).map(([mishap, n]) => `${n} × ${mishap}`).join(', ')}
  time                   ${burnt.seconds.toFixed(1)} s, ${burnt.secondsAfter.toFixed(1)} s of it after the last mishap (at most 60 s are promised)`);
}

function describe({ delaySeconds, usualSeconds }: Emptied): string {
  return `the waiting import started ${delaySeconds.toFixed(1)} s after a worker was free (${usualSeconds.toFixed(1)} s when nothing happens; at most ${mostDelaySeconds} s are promised)`;
}

function kill(stack: StackParts.Stack, part: string): Promise<void> {
  process.kill(stack.pids()[part]!, 'SIGKILL');
  return sleep(0);
}
