import { useId } from 'react';
import type { Collection } from '../contracts.ts';
import { Notice } from '../ui/notice.tsx';
import { TableFrame } from '../ui/table-frame.tsx';
import type { Description, Reading } from './describe-sample.ts';
import { fits } from './guess-types.ts';
import { type Targets, writable } from './match-fields.ts';
import { ColumnHead } from './new-collection-form.tsx';

interface Props {
  readonly tables: readonly Collection[];
  readonly chosen: Collection | null;
  readonly choose: (name: string) => void;
  readonly description: Description;
  readonly reading: Reading;
  readonly targets: Targets;
  readonly change: (targets: Targets) => void;
  readonly warnings: readonly string[];
}

/** The collection that a file goes into, and which column fills which field. */
export function ExistingCollection({ tables, chosen, choose, description, reading, targets, change, warnings }: Props) {
  const id = useId();
  return (
    <>
      <div className="field field-narrow">
        <label htmlFor={id}>Collection</label>
        <select id={id} className="input" value={chosen === null ? '' : `${chosen.schema}.${chosen.name}`} onChange={(event) => choose(event.target.value)}>
          <option value="">Choose…</option>
          {tables.map(({ schema, name }) => (
            <option key={`${schema}.${name}`} value={`${schema}.${name}`}>{`${schema}.${name}`}</option>
          ))}
        </select>
      </div>
      {chosen === null ? null : <Targeting collection={chosen} {...{ description, reading, targets, change }} />}
      {warnings.map((warning) => <Notice key={warning} tone="warn" title={warning} />)}
    </>
  );
}

function Targeting({ collection, description, reading, targets, change }: Pick<Props, 'description' | 'reading' | 'targets' | 'change'> & { collection: Collection }) {
  const fields = writable(collection.fields);
  const unfilled = fields.filter(({ name }) => !targets.includes(name));
  const setTarget = (index: number, target: string): void => change(targets.map((old, at) => (at === index ? (target === '' ? null : target) : old)));
  return (
    <>
      <TableFrame label="Columns and fields">
        <table className="table table-form">
          <thead>
            <tr>
              <th scope="col">In the file</th>
              <th scope="col">Goes into</th>
              <th scope="col">Match</th>
            </tr>
          </thead>
          <tbody>
            {description.columns.map((column, index) => {
              const target = fields.find(({ name }) => name === targets[index]);
              return (
                <tr key={index}>
                  <th scope="row"><ColumnHead column={column} /></th>
                  <td>
                    <select className="input" value={target?.name ?? ''} aria-label={`Field for ${column.header || column.name}`} onChange={(event) => setTarget(index, event.target.value)}>
                      <option value="">{reading.format === 'csv' ? 'choose a field' : 'leave out'}</option>
                      {fields.filter(({ name }) => reading.format === 'csv' || name === column.name).map(({ name, type }) => (
                        <option key={name} value={name}>{`${name} – ${type}`}</option>
                      ))}
                    </select>
                  </td>
                  <td>{target === undefined ? <span className={reading.format === 'csv' ? 'match match-odd' : 'match'}>{reading.format === 'csv' ? 'no field' : 'left out'}</span> : fits(column.type, target.type) ? <span className="match match-good">fits</span> : <span className="match match-odd">looks like {column.type}</span>}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </TableFrame>
      {unfilled.length === 0 ? null : (
        <p className="hint">
          Not in the file: {unfilled.map(({ name, default: value }) => `${name} (${value === null ? 'null' : 'its default'})`).join(', ')}.
        </p>
      )}
    </>
  );
}
