import { join } from 'node:path';
import type { BurntJobs } from '../../apps/e2e/src/jobs-under-fire.ts';
import type { Burnt } from '../../apps/e2e/src/under-fire.ts';
import { keepSection, surroundings, type MeasuredPage } from '../bench/measured.ts';
import { table } from '../docs/markdown.ts';
import type { Emptied } from './emptied-queue.ts';

const page: MeasuredPage = {
  file: join(import.meta.dirname, '../../docs/under-fire.md'),
  head:
    '# Under fire\n\nWritten by `npm run chaos`, when every promise was kept: a whole house is started, its parts are killed with -9, halted for longer than a lease, severed and emptied at random, and then every row, effect and call is ' +
    'counted. A short form of it is among the specs (`npm test`).\n',
  sections: ['chaos'],
};

export interface Seen {
  readonly imported: Burnt;
  readonly jobs: BurntJobs;
  readonly emptied: Readonly<Record<string, Emptied>>;
}

/** Keeps what the full form saw. */
export function keepPage({ imported, jobs, emptied }: Seen, busyBefore: number): void {
  const { calls } = jobs;
  const rows = [
    ['an import', `${number(imported.import['rows_read'])} rows, of them ${imported.import['rows_rejected']} bad`, `${imported.killsInTime} kills while it ran: ${tally(imported.kills)}`, `${imported.missing} missing, ${imported.surplus} surplus, rejects exact`, ''],
    ['functions', `${number(jobs.asked)} jobs`, `${Object.values(jobs.faults).reduce((sum, times) => sum + times, 0)} mishaps: ${tally(jobs.faults)}`, `${jobs.lost} lost, ${jobs.doubled} doubled, ${jobs.unasked} without a commit, ${jobs.stuck} stuck`, `${jobs.secondsAfter.toFixed(0)} s (60 are promised)`],
    ['calls and webhooks', `${number(calls.asked)}, in ${number(calls.tries)} tries`, 'the same', `${calls.lost} lost, ${calls.altered} with another id or body, ${calls.unasked} without a commit, ${calls.disordered} out of order, ${calls.unrecorded} not recorded, ${calls.dead} dead`, 'the same'],
    ...Object.entries(emptied).map(([how, { delaySeconds }]) => ['an import that waits in the queue', '1', how, '0 lost', `started ${delaySeconds.toFixed(1)} s late (15 are promised)`]),
  ];
  keepSection(page, 'chaos', `${table(['What', 'asked for', 'what happened', 'found', 'after the last mishap'], rows)}\n\n${surroundings(busyBefore, 'Two workers; everything shares the machine.')}`);
}

function number(value: unknown): string {
  return Number(value).toLocaleString('en');
}

function tally(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts).map(([what, times]) => `${times} × ${what}`).join(', ');
}
