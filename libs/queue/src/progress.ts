/** How one queue stands, as one worker sees it. */
export interface QueueStanding {
  readonly queue: string;
  /** How long the job that waits longest has been due. */
  readonly waitingSeconds: number;
  readonly freeSlots: number;
  readonly secondsSinceClaim: number;
}

/** A job that waits this long before a worker with a free slot does not get through to it. */
export const stuckSeconds = 15;

/**
 * The queues in which nothing moves: a job waits, this worker has a slot free for it, and has taken nothing for as long.
 * A long backlog that is worked off is none, and neither is a queue whose slots are all busy with long jobs.
 */
export function stuckQueues(standings: readonly QueueStanding[]): string[] {
  return standings
    .filter(({ waitingSeconds, freeSlots, secondsSinceClaim }) => waitingSeconds > stuckSeconds && freeSlots > 0 && secondsSinceClaim > stuckSeconds)
    .map(({ queue }) => queue);
}
