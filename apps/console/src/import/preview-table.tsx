import type { Description } from './describe-sample.ts';
import { TableFrame } from '../ui/table-frame.tsx';
import { Value } from '../ui/value.tsx';

const shownRows = 6;

/** The first rows of the file as they were understood. */
export function PreviewTable({ description: { columns, rowCount } }: { description: Description }) {
  const rows = Array.from({ length: Math.min(shownRows, rowCount) }, (_, index) => index);
  return (
    <TableFrame label="First rows of the file">
      <table className="table table-values">
        <thead>
          <tr>
            {columns.map(({ header, name }, index) => (
              <th key={index} scope="col">{header === null || header === '' ? <span className="muted">{name}</span> : header}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row}>
              {columns.map(({ cells }, index) => (
                <td key={index}><Value text={cells[row] ?? null} /></td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </TableFrame>
  );
}
