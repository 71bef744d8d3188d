import { type FormEvent, useId, useState } from 'react';
import type { Field } from '../contracts.ts';
import { Icon } from '../ui/icons.tsx';
import { type Filter, filterInWords, type OperatorName, operators, operatorsFor } from './filters.ts';

/** The filters that are on, and the form for another one: field, question, value. */
export function FilterBar({ fields, filters, change }: { fields: readonly Field[]; filters: readonly Filter[]; change: (filters: readonly Filter[]) => void }) {
  const [fieldName, setFieldName] = useState(fields[0]?.name ?? '');
  const [wish, setWish] = useState<OperatorName>('eq');
  const [value, setValue] = useState('');
  const id = useId();
  const field = fields.find(({ name }) => name === fieldName) ?? fields[0];
  const possible = field === undefined ? [] : operatorsFor(field.type);
  const operator = possible.includes(wish) ? wish : (possible[0] ?? 'eq');
  const { takesValue } = operators[operator];
  const add = (event: FormEvent): void => {
    event.preventDefault();
    if (field === undefined) return;
    change([...filters, { field: field.name, operator, value: takesValue ? value : '' }]);
    setValue('');
  };
  if (field === undefined) return null;
  return (
    <div className="filters">
      <form className="filter-form" onSubmit={add} aria-label="Filter">
        <label className="visually-hidden" htmlFor={`${id}-field`}>Field</label>
        <select id={`${id}-field`} className="input" value={field.name} onChange={(event) => setFieldName(event.target.value)}>
          {fields.map(({ name }) => <option key={name}>{name}</option>)}
        </select>
        <label className="visually-hidden" htmlFor={`${id}-operator`}>Condition</label>
        <select id={`${id}-operator`} className="input" value={operator} onChange={(event) => setWish(event.target.value as OperatorName)}>
          {possible.map((name) => <option key={name} value={name}>{operators[name].words}</option>)}
        </select>
        <label className="visually-hidden" htmlFor={`${id}-value`}>Value</label>
        <input id={`${id}-value`} className="input" value={takesValue ? value : ''} disabled={!takesValue} spellCheck={false} autoComplete="off" placeholder={placeholderOf(operator, field.type)} onChange={(event) => setValue(event.target.value)} />
        <button type="submit" className="button">
          <Icon name="plus" />
          Filter
        </button>
      </form>
      {filters.length === 0 ? null : (
        <ul className="chips" aria-label="Filters that are on">
          {filters.map((filter, index) => (
            <li key={index} className="chip">
              {filterInWords(filter)}
              <button type="button" onClick={() => change(filters.filter((_, at) => at !== index))} aria-label={`Remove the filter: ${filterInWords(filter)}`}>
                <Icon name="close" />
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function placeholderOf(operator: OperatorName, type: string): string {
  if (!operators[operator].takesValue) return 'no value needed';
  if (operator === 'in') return 'one, another, …';
  if (operator === 'holds') return type.endsWith('[]') ? '{value}' : '{"name": "value"}';
  return type.startsWith('timestamp') ? '2026-11-24 12:00' : type === 'date' ? '2026-11-24' : 'value';
}
