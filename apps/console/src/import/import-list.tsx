import type { Import } from '../contracts.ts';
import { links } from '../route.ts';
import { StateBadge } from '../ui/badge.tsx';
import { Moment } from '../ui/moment.tsx';
import { ProgressBar } from '../ui/progress-bar.tsx';
import { SkeletonRows, TableFrame } from '../ui/table-frame.tsx';
import { count } from '../words.ts';

/** Imports as a table; null while they are on their way. */
export function ImportList({ imports }: { imports: readonly Import[] | null }) {
  return (
    <TableFrame label="Imports" isBusy={imports === null}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Into</th>
            <th scope="col">State</th>
            <th scope="col" className="number">Rows</th>
            <th scope="col" className="number">Set aside</th>
            <th scope="col">Started</th>
          </tr>
        </thead>
        {imports === null ? <SkeletonRows columns={5} rows={3} /> : (
          <tbody>
            {imports.map((run) => (
              <tr key={run.id}>
                <th scope="row">
                  <a href={links.import(run.id)}>{run.collection}</a>
                </th>
                <td>
                  {run.state === 'running' ? <ProgressBar label={`Import into ${run.collection}`} done={run.percent} total={100} isSmall /> : <StateBadge state={run.state} />}
                </td>
                <td className="number">{count(run.rows_written)}</td>
                <td className="number">{run.rows_rejected === 0 ? <span className="muted">0</span> : count(run.rows_rejected)}</td>
                <td><Moment time={run.created_at} /></td>
              </tr>
            ))}
          </tbody>
        )}
      </table>
    </TableFrame>
  );
}
