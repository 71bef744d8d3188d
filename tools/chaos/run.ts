// `npm run chaos [-- ROWS KILLS JOBS MISHAPS]`: starts a Mainstay of its own; imports 200,000 rows while its parts are killed with -9 at
// random, and counts every row; has 10,000 jobs done by two workers (functions, calls to a URL, webhooks of changed rows) while whatever
// can die, halt or forget does, and counts every effect and every call; measures what an emptied queue costs. Says which promises were
// broken, if any, and then exits with 1; else the full form writes docs/under-fire.md.
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type * as JobParts from '../../apps/e2e/src/jobs-under-fire.ts';
import type * as StackParts from '../../apps/e2e/src/stack.ts';
import type * as MishapParts from '../../apps/e2e/src/mishaps.ts';
import type * as FireParts from '../../apps/e2e/src/under-fire.ts';
import { build } from '../build.mjs';
import { importBundled } from '../bundle.mjs';
import { measureEmptiedQueue, type Emptied } from './emptied-queue.ts';
import { keepPage } from './page.ts';

const usualCounts = [200_000, 12, 10_000, 40] as const;
const [rows, kills, jobs, faults] = readCounts(process.argv.slice(2));
const leaseSeconds = 5;
/** Between two kills of an import. */
const killPauseMs = [500, 4000] as const;
/** The promise: what is in the queue when it is lost starts this much later, at most. */
const mostDelaySeconds = 15;
/** The promise: so long after the last mishap all is done. */
const mostSecondsAfter = 60;
/** What did not hold, with what was seen instead. */
const broken: string[] = [];

await build(['api', 'worker', 'cli', 'console']);
const { startStack } = (await importBundled('apps/e2e/src/stack.ts')) as typeof StackParts;
const { callsAllowed, jobsUnderFire } = (await importBundled('apps/e2e/src/jobs-under-fire.ts')) as typeof JobParts;
const { flushQueue } = (await importBundled('apps/e2e/src/mishaps.ts')) as typeof MishapParts;
const { importUnderFire, untilReady } = (await importBundled('apps/e2e/src/under-fire.ts')) as typeof FireParts;

const busyBefore = loadavg()[0]!;
const settings = { MAINSTAY_JOB_LEASE: String(leaseSeconds), ...callsAllowed };
const stack = await startStack({ environment: { LOG_LEVEL: 'warn', ...settings } });
try {
  await untilReady(stack);
  console.log(`${rows.toLocaleString('en')} rows, ${kills} kills …`);
  const imported = judgeImport(await importUnderFire(stack, {
    // However few the rows are: they take as long as the kills do, so that these fall while it runs.
    rows, badEvery: 997, rowMs: (kills * killPauseMs[1]) / rows, kills, pauseMs: killPauseMs, random: Math.random, tell: (event) => console.log(`  ${event}`),
  }));

  await untilReady(stack);
  console.log(`\n${jobs.toLocaleString('en')} jobs, two workers, at least ${faults} mishaps …`);
  const done = judgeJobs(await jobsUnderFire(stack, {
    jobs, faults, pauseMs: [500, 3000], haltMs: leaseSeconds * 1000 + 2000, settings, random: Math.random, tell: (event) => console.log(`  ${event}`),
  }));

  await untilReady(stack);
  console.log('\nThe queue is emptied while an import waits in it …');
  const emptied: Record<string, Emptied> = {};
  for (const [how, empty] of [['flushed', () => flushQueue(stack)], ['killed and restarted empty', () => kill(stack, 'valkey')]] as const) {
    emptied[how] = judgeEmptied(how, await measureEmptiedQueue(stack, empty));
    await untilReady(stack);
  }
  if (broken.length === 0 && process.argv.length === 2) keepPage({ imported, jobs: done, emptied }, busyBefore);
} finally {
  await stack.stop();
}
console.log(broken.length === 0 ? '\nEvery promise was kept.' : `\nBroken:\n${broken.map((what) => `  ${what}`).join('\n')}`);
process.exit(broken.length === 0 ? 0 : 1);

function readCounts(words: readonly string[]): readonly [number, number, number, number] {
  const counts = usualCounts.map((count, i) => (words[i] === undefined ? count : Number(words[i])));
  // Fewer rows would be one step of the import, and fewer jobs not of every kind.
  const isRight = words.length <= usualCounts.length && counts.every(Number.isSafeInteger) && counts[0]! >= 1000 && counts[1]! >= 1 && counts[2]! >= 100 && counts[3]! >= 1;
  if (isRight) return counts as unknown as readonly [number, number, number, number];
  console.error(`npm run chaos [-- ROWS KILLS JOBS MISHAPS]: whole numbers, at least 1000 1 100 1; ${usualCounts.join(' ')} where they are left out`);
  return process.exit(2);
}

function expect(isKept: boolean, otherwise: string): void {
  if (!isKept) broken.push(otherwise);
}

function judgeImport(burnt: FireParts.Burnt): FireParts.Burnt {
  report(burnt);
  expect(burnt.import['state'] === 'done', `the import ended as ${burnt.import['state']}`);
  expect(burnt.missing === 0 && burnt.surplus === 0, `rows of the import: ${burnt.missing} missing, ${burnt.surplus} surplus`);
  expect(burnt.areRejectsExact, 'not exactly the bad rows of the import were set aside');
  // No promise of ours, but else the run would show nothing.
  expect(burnt.killsInTime >= Math.min(10, kills), `the import was over before it was shown: ${burnt.killsInTime} of ${kills} kills fell while it ran`);
  return burnt;
}

function judgeJobs(burnt: JobParts.BurntJobs): JobParts.BurntJobs {
  reportJobs(burnt);
  expect(burnt.lost === 0 && burnt.doubled === 0 && burnt.unasked === 0, `effects of jobs: ${burnt.lost} lost, ${burnt.doubled} doubled, ${burnt.unasked} without a commit`);
  expect(burnt.stuck === 0, `${burnt.stuck} jobs or deliveries stuck`);
  expect(burnt.secondsAfter <= mostSecondsAfter, `all was done ${burnt.secondsAfter.toFixed(1)} s after the last mishap; ${mostSecondsAfter} s are promised`);
  const { lost, altered, unasked, disordered, unrecorded, dead } = burnt.calls;
  expect(lost + altered + unasked + disordered + unrecorded + dead === 0, `calls: ${lost} lost, ${altered} altered, ${unasked} without a commit, ${disordered} out of order, ${unrecorded} not recorded, ${dead} dead`);
  return burnt;
}

function judgeEmptied(how: string, emptied: Emptied): Emptied {
  console.log(`  ${how}: ${describe(emptied)}`);
  expect(emptied.delaySeconds <= mostDelaySeconds, `a queue that was ${how}: ${emptied.delaySeconds.toFixed(1)} s of delay; ${mostDelaySeconds} s are promised`);
  return emptied;
}

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

function reportJobs({ faults: counts, calls, ...burnt }: JobParts.BurntJobs): void {
  console.log(`
  asked for              ${burnt.asked}
  lost, doubled          ${burnt.lost}, ${burnt.doubled}
  without a commit       ${burnt.unasked}
  stuck                  ${burnt.stuck}
  attempts               ${burnt.attempts}
  calls and webhooks     ${calls.asked}, in ${calls.tries} tries
  lost, altered          ${calls.lost}, ${calls.altered}
  without a commit       ${calls.unasked}
  out of order           ${calls.disordered}
  unrecorded, dead       ${calls.unrecorded}, ${calls.dead}
  mishaps                ${Object.entries(counts).map(([mishap, n]) => `${n} × ${mishap}`).join(', ')}
  time                   ${burnt.seconds.toFixed(1)} s, ${burnt.secondsAfter.toFixed(1)} s of it after the last mishap (at most ${mostSecondsAfter} s are promised)`);
}

function describe({ delaySeconds, usualSeconds }: Emptied): string {
  return `the waiting import started ${delaySeconds.toFixed(1)} s after a worker was free (${usualSeconds.toFixed(1)} s when nothing happens; at most ${mostDelaySeconds} s are promised)`;
}

function kill(stack: StackParts.Stack, part: string): Promise<void> {
  process.kill(stack.pids()[part]!, 'SIGKILL');
  return sleep(0);
}
