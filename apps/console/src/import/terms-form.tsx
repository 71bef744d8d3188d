import { useId } from 'react';
import { Section } from '../ui/page.tsx';
import type { Conflict, Terms } from './import-query.ts';

const conflicts: readonly { conflict: Conflict; label: string; meaning: string }[] = [
  { conflict: 'refuse', label: 'Set it aside', meaning: 'The row that is there stays, the new one is listed as refused.' },
  { conflict: 'merge', label: 'Replace', meaning: 'The new values are written over the old ones.' },
  { conflict: 'ignore', label: 'Keep the old one', meaning: 'The new row is passed over silently.' },
];

/** What happens to rows that PostgreSQL refuses, and to rows that are there already. */
export function TermsForm({ terms, change, isConflictPossible, keyFields }: { terms: Terms; change: (terms: Terms) => void; isConflictPossible: boolean; keyFields: readonly string[] }) {
  const id = useId();
  return (
    <Section title="If something does not fit" id="terms">
      <fieldset className="choices choices-2">
        <legend>A row that PostgreSQL refuses</legend>
        <label className="choice">
          <input type="radio" name="mode" checked={terms.mode === 'rows'} onChange={() => change({ ...terms, mode: 'rows' })} />
          <span className="choice-text">
            <strong>Set it aside</strong>
            <span>The good rows go in; the others are listed with the reason.</span>
          </span>
        </label>
        <label className="choice">
          <input type="radio" name="mode" checked={terms.mode === 'all'} onChange={() => change({ ...terms, mode: 'all' })} />
          <span className="choice-text">
            <strong>All or nothing</strong>
            <span>One bad row, and nothing is written.</span>
          </span>
        </label>
      </fieldset>
      {terms.mode === 'rows' ? (
        <div className="field field-narrow">
          <label htmlFor={id}>Give up after so many bad rows</label>
          <input id={id} className="input" type="number" min={0} max={1_000_000} step={1} value={terms.maxErrors} onChange={(event) => change({ ...terms, maxErrors: Math.max(0, Math.trunc(Number(event.target.value))) })} />
        </div>
      ) : null}
      {isConflictPossible ? (
        <fieldset className="choices choices-3">
          <legend>A row whose key ({keyFields.join(', ')}) is there already</legend>
          {conflicts.map(({ conflict, label, meaning }) => (
            <label key={conflict} className="choice">
              <input type="radio" name="conflict" checked={terms.conflict === conflict} onChange={() => change({ ...terms, conflict })} />
              <span className="choice-text">
                <strong>{label}</strong>
                <span>{meaning}</span>
              </span>
            </label>
          ))}
        </fieldset>
      ) : null}
    </Section>
  );
}
