import { useNow } from '../ui/now.ts';
import { ahead } from '../words.ts';
import { localTime, readersZone } from './describe-schedule.ts';

/** The next runs: as the clocks of the schedule's zone show them, and where the reader's differ, as those do. */
export function NextRuns({ runs, zone, none }: { runs: readonly string[]; zone: string; none: string }) {
  const now = useNow();
  if (runs.length === 0) return <span className="muted">{none}</span>;
  return (
    <ul className="next-runs">
      {runs.map((run) => (
        <li key={run}>
          <time dateTime={run}>{localTime(run, zone)}</time> <span className="muted">{ahead(run, now)}</span>
          {zone === readersZone() ? null : <span className="second-line">{`${localTime(run, readersZone())} here`}</span>}
        </li>
      ))}
    </ul>
  );
}
