import { setTimeout as sleep } from 'node:timers/promises';

/** Twice what the longest of these ways takes on a slow machine. */
const stepMs = 50;

/**
 * Does work and tells its end only at the next full step of time: where one way through it writes a few rows more than
 * another, the difference of some milliseconds would tell who has an account. What takes longer than a step ends with the next one.
 */
export async function inEvenTime<T>(work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    return await work();
  } finally {
    await sleep(stepMs - ((performance.now() - started) % stepMs));
  }
}
