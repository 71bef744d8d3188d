import type { ImportState } from '../contracts.ts';

const meanings: Record<ImportState, string> = {
  uploading: 'the file is on its way',
  queued: 'waits for a worker',
  running: 'a worker has it',
  done: 'finished',
  failed: 'refused for good, not tried again',
  dead: 'every attempt is used up; it can be sent again',
  cancelled: 'stopped by hand',
};

/** The state of a job or an import: the house's own word, its meaning on hover. */
export function StateBadge({ state }: { state: ImportState }) {
  return (
    <span className={`badge badge-${state}`} title={meanings[state]}>
      {state}
    </span>
  );
}

export function stateMeaning(state: ImportState): string {
  return meanings[state];
}
