/**
 * The states of a job, and of everything that a job carries out (imports, exports, deliveries).
 * `failed`: refused for good, not tried again. `dead`: every attempt used up; can be sent again by hand.
 */
export const jobStates = ['queued', 'running', 'done', 'failed', 'dead', 'cancelled'] as const;
export type JobState = (typeof jobStates)[number];

/** States in which a job may still have an effect. */
export const openStates = ['queued', 'running'] as const satisfies readonly JobState[];

export function isOpen(state: JobState): boolean {
  return state === 'queued' || state === 'running';
}
