/** How a delivery is tried again. */
export interface RetryPlan {
  /** Seconds before the second try, the third, … */
  readonly pauses: readonly number[];
}

/** No receiver may ask for a longer pause than this. */
export const longestPauseSeconds = 86_400;
/** Nor for a longer rest of the whole endpoint. */
export const longestRestSeconds = 3600;

export function makeRetryPlan(text: string): RetryPlan {
  return { pauses: text.split(',').map(Number) };
}

export function mostAttempts({ pauses }: RetryPlan): number {
  return pauses.length + 1;
}

/**
 * How many seconds until the next try; null when there is none. What fell together shall not come back together, so chance adds
 * up to a tenth; what the receiver asked for is heard if it is longer.
 * @param attempt the one that has just failed, 1 for the first
 * @param chance from 0 to 1
 */
export function pauseAfter(plan: RetryPlan, attempt: number, retryAfterSeconds: number | null, chance: number): number | null {
  const pause = plan.pauses[attempt - 1];
  if (pause === undefined) return null;
  return Math.max(pause * (1 + chance / 10), Math.min(retryAfterSeconds ?? 0, longestPauseSeconds));
}
