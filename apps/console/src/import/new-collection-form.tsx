import { useId } from 'react';
import { TableFrame } from '../ui/table-frame.tsx';
import type { Column, Description } from './describe-sample.ts';
import { fieldTypes } from './guess-types.ts';
import { nameProblem } from './name-fields.ts';
import type { NewPlan, PlannedField } from './plan.ts';
import { AccessChoice } from './access-choice.tsx';

interface Props {
  readonly plan: NewPlan;
  readonly change: (plan: NewPlan) => void;
  readonly description: Description;
  /** The keys of JSON objects are the names of their fields. */
  readonly areNamesFixed: boolean;
}

/** The collection that is made for a file: its name, its fields, who may read it. */
export function NewCollectionForm({ plan, change, description, areNamesFixed }: Props) {
  const id = useId();
  const wrongName = nameProblem(plan.name);
  const changeField = (index: number, part: Partial<PlannedField>): void => change({ ...plan, fields: plan.fields.map((field, at) => (at === index ? { ...field, ...part } : field)) });
  return (
    <>
      <div className="field field-narrow">
        <label htmlFor={id}>Name of the collection</label>
        <input id={id} className="input input-code" value={plan.name} spellCheck={false} autoComplete="off" aria-invalid={wrongName !== null} aria-describedby={`${id}-hint`} onChange={(event) => change({ ...plan, name: event.target.value })} />
        <p className="hint" id={`${id}-hint`}>{wrongName ?? <>It is read at <code>/rest/v1/{plan.name}</code>.</>}</p>
      </div>
      <TableFrame label="Fields of the new collection">
        <table className="table table-form">
          <thead>
            <tr>
              <th scope="col">In the file</th>
              <th scope="col">Field</th>
              <th scope="col">Type</th>
              <th scope="col">Key</th>
            </tr>
          </thead>
          <tbody>
            {plan.fields.map((field, index) => (
              <FieldRow key={index} field={field} column={description.columns[index]} isNameFixed={areNamesFixed} change={(part) => changeField(index, part)} />
            ))}
          </tbody>
        </table>
      </TableFrame>
      <p className="hint">
        The key names each row once and lets a later import replace rows. Without one, importing the same file again doubles its rows.
        {areNamesFixed ? ' Fields bear the names of the objects’ keys.' : ''}
      </p>
      <AccessChoice access={plan.access} change={(access) => change({ ...plan, access })} />
    </>
  );
}

function FieldRow({ field, column, isNameFixed, change }: { field: PlannedField; column: Column | undefined; isNameFixed: boolean; change: (part: Partial<PlannedField>) => void }) {
  const label = column?.header || `column ${field.name}`;
  return (
    <tr>
      <th scope="row"><ColumnHead column={column} /></th>
      <td>
        <input className="input input-code" value={field.name} readOnly={isNameFixed} spellCheck={false} autoComplete="off" aria-label={`Name of the field for ${label}`} aria-invalid={nameProblem(field.name) !== null} onChange={(event) => change({ name: event.target.value })} />
      </td>
      <td>
        <select className="input" value={field.type} aria-label={`Type of the field for ${label}`} onChange={(event) => change({ type: event.target.value })}>
          {fieldTypes.map(({ name, meaning }) => (
            <option key={name} value={name}>{name === meaning ? name : `${name} – ${meaning}`}</option>
          ))}
        </select>
      </td>
      <td>
        <label className="key-check">
          <input type="checkbox" checked={field.isKey} aria-label={`${field.name} is part of the primary key`} onChange={(event) => change({ isKey: event.target.checked })} />
          <span aria-hidden="true">key</span>
        </label>
      </td>
    </tr>
  );
}

/** A column of the file: its name, and a few of its values so that one knows it again. */
export function ColumnHead({ column }: { column: Column | undefined }) {
  const values = (column?.cells ?? []).filter((cell) => cell !== null && cell !== '').slice(0, 3);
  return (
    <>
      <span className="column-name">{column?.header || <span className="muted">no name</span>}</span>
      <span className="column-values">{values.length === 0 ? 'no values' : values.join(' · ')}</span>
    </>
  );
}
