import { parseCron, type CronDialect, type Timing } from './parse-cron.ts';
import { Zone } from './zone.ts';

/** A timing with what it is counted by: the zone of its local times, and the instant that its intervals begin at. */
export interface Clockwork {
  readonly timing: Timing;
  readonly zone: Zone;
  readonly anchor: Date;
}

/** @throws CronRefusal; RangeError when there is no such zone */
export function makeClockwork(expression: string, timeZone: string, anchor: Date, dialect: CronDialect = 'mainstay'): Clockwork {
  return { timing: parseCron(expression, dialect), zone: new Zone(timeZone), anchor };
}

/** The next `count` runs after `from`; fewer when there are no more, as of 30 February. */
export function nextRuns(expression: string, timeZone: string, from: Date, count: number, dialect: CronDialect = 'mainstay'): Date[] {
  const clockwork = makeClockwork(expression, timeZone, from, dialect);
  const runs: Date[] = [];
  for (let run = nextRun(clockwork, from); run !== null && runs.length < count; run = nextRun(clockwork, run)) runs.push(run);
  return runs;
}

/**
 * The first run after an instant. A timing that names hours means what a clock shows: a local time that does not exist runs once,
 * when the gap ends, and one that exists twice runs the first time. One that names no hour means the time that passes, and runs
 * whenever the clocks fit: every minute stays every minute.
 */
export function nextRun({ timing, zone, anchor }: Clockwork, from: Date): Date | null {
  if (timing.kind === 'start') return null;
  if (timing.kind === 'interval') return nextBeat(timing.seconds * 1000, anchor, from);
  const next = timing.hasEveryHour ? nextPassing(timing.calendar, zone, from.getTime()) : nextShown(timing.calendar, zone, from.getTime());
  return next === null ? null : new Date(next);
}

function nextBeat(ms: number, anchor: Date, from: Date): Date {
  const beats = Math.floor((from.getTime() - anchor.getTime()) / ms) + 1;
  return new Date(anchor.getTime() + Math.max(beats, 1) * ms);
}

type Calendar = Extract<Timing, { kind: 'pattern' }>['calendar'];

/** The first time after `from` at which a clock first shows a fitting time, or would have. */
function nextShown(calendar: Calendar, zone: Zone, from: number): number | null {
  let local = fitting(calendar, zone.localOf(from));
  // Where the clocks were put back shortly before, they show times again that have had their run.
  while (local !== null) {
    const run = zone.instantsOf(local)[0] ?? zone.endOfGap(local);
    if (run > from) return run;
    local = fitting(calendar, local);
  }
  return null;
}

/** The first instant after `from` at which the clocks show a fitting time, for the first or the second time. */
function nextPassing(calendar: Calendar, zone: Zone, from: number): number | null {
  const direct = firstOf(calendar, zone, zone.localOf(from), from);
  const change = zone.changeBetween(from, Math.min(direct ?? Infinity, from + nearMs));
  if (change === null) return direct;
  // From the change on the clocks show other times, perhaps earlier ones than now: those come before `direct`.
  const changed = firstOf(calendar, zone, zone.localOf(change) - 1000, change - 1);
  return direct === null || (changed !== null && changed < direct) ? changed : direct;
}

/** Clocks are put back by less than this; later on, no time that has passed comes again. */
const nearMs = 26 * 3_600_000;

function firstOf(calendar: Calendar, zone: Zone, afterLocal: number, from: number): number | null {
  for (let local = fitting(calendar, afterLocal); local !== null; local = fitting(calendar, local)) {
    const run = zone.instantsOf(local).find((instant) => instant > from);
    if (run !== undefined) return run;
  }
  return null;
}

function fitting(calendar: Calendar, local: number): number | null {
  return calendar.nextRun(new Date(local))?.getTime() ?? null;
}

/** The newest runs of a stretch of time, the oldest of them first. `areAll` is false when older ones were left out. */
export function lastRuns(clockwork: Clockwork, after: Date, until: Date, count: number): { readonly runs: Date[]; readonly areAll: boolean } {
  for (let windowMs = 60_000; ; windowMs *= 8) {
    const start = new Date(Math.max(after.getTime(), until.getTime() - windowMs));
    const runs = runsBetween(clockwork, start, until);
    const isWhole = start.getTime() === after.getTime();
    if (isWhole || runs.length > count) return { runs: runs.slice(-count), areAll: isWhole && runs.length <= count };
  }
}

function runsBetween(clockwork: Clockwork, after: Date, until: Date): Date[] {
  const runs: Date[] = [];
  for (let run = nextRun(clockwork, after); run !== null && run <= until; run = nextRun(clockwork, run)) runs.push(run);
  return runs;
}
