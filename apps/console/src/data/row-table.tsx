import type { Collection, Field } from '../contracts.ts';
import { Icon } from '../ui/icons.tsx';
import { SkeletonRows, TableFrame } from '../ui/table-frame.tsx';
import { Value } from '../ui/value.tsx';
import { count } from '../words.ts';
import { type Row, shownFields, type View } from './view.ts';

interface Props {
  readonly collection: Collection;
  /** Null while they are on their way. */
  readonly rows: readonly Row[] | null;
  /** Others are on their way. */
  readonly isBusy: boolean;
  readonly firstNumber: number;
  readonly order: View['order'];
  readonly turn: (field: string) => void;
  readonly open: (index: number) => void;
}

/** Rows as a table that scrolls by itself; the number of a row opens it. */
export function RowTable({ collection, rows, isBusy, firstNumber, order, turn, open }: Props) {
  const fields = shownFields(collection);
  const left = collection.fields.length - fields.length;
  return (
    <>
      <TableFrame label={`Rows of ${collection.name}`} isBusy={isBusy} isTall>
        <table className="table table-values table-rows">
          <thead>
            <tr>
              <th scope="col" className="row-number"><span className="visually-hidden">Row</span></th>
              {fields.map((field) => <FieldHead key={field.name} field={field} order={order} turn={turn} />)}
            </tr>
          </thead>
          {rows === null ? <SkeletonRows columns={fields.length + 1} rows={12} /> : (
            <tbody>
              {rows.map((row, index) => (
                <tr key={index}>
                  <td className="row-number">
                    <button type="button" onClick={() => open(index)} aria-label={`Open row ${firstNumber + index}`}>{count(firstNumber + index)}</button>
                  </td>
                  {fields.map(({ name, type }) => (
                    <td key={name} className={isNumeric(type) ? 'number' : undefined}><Value text={row[name] ?? null} isNumber={isNumeric(type)} /></td>
                  ))}
                </tr>
              ))}
            </tbody>
          )}
        </table>
      </TableFrame>
      {left > 0 ? <p className="hint">{count(left)} more fields are not shown.</p> : null}
    </>
  );
}

function FieldHead({ field, order, turn }: { field: Field; order: View['order']; turn: (field: string) => void }) {
  const sort = order?.field !== field.name ? 'none' : order.isDescending ? 'descending' : 'ascending';
  return (
    <th scope="col" aria-sort={sort} className={isNumeric(field.type) ? 'number' : undefined}>
      <button type="button" className="field-head" onClick={() => turn(field.name)} title={`Order by ${field.name}`}>
        <span className="field-name">
          {field.is_primary_key ? <Icon name="key" /> : null}
          {field.name}
          {sort === 'none' ? null : <Icon name={sort === 'ascending' ? 'up' : 'down'} />}
        </span>
        <span className="field-type">{shortType(field.type)}</span>
      </button>
    </th>
  );
}

export function isNumeric(type: string): boolean {
  return /^(smallint|integer|bigint|numeric|real|double precision|money)/.test(type);
}

/** PostgreSQL's long names take more room than the values below them. */
function shortType(type: string): string {
  return type.replace('timestamp with time zone', 'timestamptz').replace('timestamp without time zone', 'timestamp').replace('time without time zone', 'time').replace('character varying', 'varchar');
}
