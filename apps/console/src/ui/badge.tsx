import type { ImportState, RunState } from '../contracts.ts';

type AnyState = ImportState | RunState;

const meanings: Record<AnyState, string> = {
  uploading: 'the file is on its way',
  waiting: 'waits for the run before it',
  skipped: 'was passed over',
  queued: 'waits for a worker',
  running: 'a worker has it',
  done: 'finished',
  failed: 'refused for good, not tried again',
  dead: 'every attempt is used up; it can be sent again',
  cancelled: 'stopped by hand',
};

/** The state of a job or an import: the house's own word, its meaning on hover. */
export function StateBadge({ state }: { state: AnyState }) {
  return (
    <span className={`badge badge-${state}`} title={meanings[state]}>
      {state}
    </span>
  );
}

export function stateMeaning(state: AnyState): string {
  return meanings[state];
}
