import type { MissedPolicy } from '@mainstay/persistence';
import { lastRuns, nextRun, type Clockwork } from './next-runs.ts';

/** What is made of the time that has passed. */
export interface TurnPlan {
  /** Slots to start, the oldest first. */
  readonly starts: readonly { readonly slot: Date; readonly isMadeUp: boolean }[];
  /** Slots that were missed and are passed over: the last of them, and how many they are; null: more than were counted. */
  readonly skipped: { readonly slot: Date; readonly count: number | null } | null;
  readonly next: Date | null;
}

/** What is later than this has been missed. */
export const lateMs = 60_000;
/** At most so many are made up for. */
export const mostMadeUp = 100;

/**
 * Decides about the slots after `after`, up to now. Missed is what is a minute late, and what has a later one due beside it:
 * `skip` passes over it, `once` runs the last slot for all of them, `all` makes up for the last hundred.
 */
export function planTurn(clockwork: Clockwork, missed: MissedPolicy, after: Date, now: Date): TurnPlan {
  const { runs, areAll } = lastRuns(clockwork, after, now, mostMadeUp + 1);
  const next = nextRun(clockwork, now > after ? now : after);
  const last = runs.at(-1);
  if (last === undefined) return { starts: [], skipped: null, next };
  const isOnTime = now.getTime() - last.getTime() <= lateMs;
  const passed = runs.splice(0, runs.length - startedOf(missed, isOnTime, runs.length));
  const starts = runs.map((slot) => ({ slot, isMadeUp: slot !== last || !isOnTime }));
  return { starts, skipped: passed.length === 0 ? null : { slot: passed.at(-1)!, count: areAll ? passed.length : null }, next };
}

function startedOf(missed: MissedPolicy, isOnTime: boolean, runs: number): number {
  if (missed === 'all') return Math.min(runs, mostMadeUp);
  return isOnTime || missed === 'once' ? 1 : 0;
}
