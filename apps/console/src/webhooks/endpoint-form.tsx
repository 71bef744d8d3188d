import { type FormEvent, useId, useState } from 'react';
import type { Action } from '../action.ts';
import type { Collection } from '../contracts.ts';
import { FilterBar } from '../data/filter-bar.tsx';
import { TextField } from '../ui/form-dialog.tsx';
import { Icon } from '../ui/icons.tsx';
import { Notice, ProblemNotice } from '../ui/notice.tsx';
import { Section } from '../ui/page.tsx';
import { announcements } from './describe-webhook.ts';
import { type EndpointDraft, emptyTable, missingIn, operations, type TableDraft } from './endpoint-draft.ts';

interface Props {
  readonly draft: EndpointDraft;
  readonly change: (draft: EndpointDraft) => void;
  readonly collections: readonly Collection[];
  readonly action: Action;
  readonly yes: string;
  readonly cancelTo: string;
}

/** Where events are sent, and which. */
export function EndpointForm({ draft, change, collections, action, yes, cancelTo }: Props) {
  const [isAsked, setAsked] = useState(false);
  const missing = missingIn(draft);
  const tables = collections.filter(({ kind }) => kind === 'table' || kind === 'partitioned table');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setAsked(true);
    if (missing === null) action.run();
  };
  const changeTable = (table: TableDraft): void => change({ ...draft, tables: draft.tables.map((each) => (each.key === table.key ? table : each)) });
  const toggleType = (type: string): void => change({ ...draft, types: draft.types.includes(type) ? draft.types.filter((each) => each !== type) : [...draft.types, type] });
  // What was subscribed to by the api and is no word of this page stays as it is.
  const known = announcements.map(({ type }) => type);
  const others = draft.types.filter((type) => !known.includes(type));
  return (
    <>
      <form id="endpoint" className="page" onSubmit={submit} noValidate>
        <Section title="Where to" id="where-to">
          <TextField label="Address" hint="An https address of your server. Inner addresses are not called, and no redirect is followed." value={draft.url} change={(url) => change({ ...draft, url })} type="url" placeholder="https://example.com/webhooks" required />
          <TextField label="Name" hint="For you, such as “the shop’s mailer”. It may stay empty." value={draft.description} change={(description) => change({ ...draft, description })} maxLength={200} />
          <TextField label="Most deliveries a second" hint="Your server is told no faster than this. Empty is without a limit." value={draft.rate} change={(rate) => change({ ...draft, rate })} maxLength={6} />
        </Section>
      </form>
      <Section title="Rows that change" id="rows">
        {tables.length === 0 ? <p className="hint">There is no table yet whose rows could change.</p> : draft.tables.map((table, index) => (
          <TableEvent key={table.key} table={table} number={index + 1} tables={tables} change={changeTable} remove={() => change({ ...draft, tables: draft.tables.filter((each) => each !== table) })} />
        ))}
        <div className="card-foot">
          <button type="button" className="button button-small" onClick={() => change({ ...draft, tables: [...draft.tables, emptyTable(1 + Math.max(0, ...draft.tables.map(({ key }) => key)))] })} disabled={tables.length === 0}>
            <Icon name="plus" />
            Another collection
          </button>
        </div>
      </Section>
      <Section title="Something else that happens" id="announced">
        <fieldset className="checks">
          <legend className="visually-hidden">Other events</legend>
          {[...announcements, ...others.map((type) => ({ type, words: type }))].map(({ type, words }) => (
            <label key={type} className="check">
              <input type="checkbox" checked={draft.types.includes(type)} onChange={() => toggleType(type)} />
              <span>{words.charAt(0).toUpperCase() + words.slice(1)}</span>
            </label>
          ))}
        </fieldset>
      </Section>
      {isAsked && missing !== null ? <div role="alert"><Notice tone="bad" title={missing} /></div> : null}
      {action.problem === null ? null : <ProblemNotice problem={action.problem} />}
      <div className="card-foot">
        <button type="submit" form="endpoint" className="button button-primary" disabled={action.isBusy}>{action.isBusy ? 'Saving…' : yes}</button>
        <a className="button" href={cancelTo}>Cancel</a>
      </div>
    </>
  );
}

function TableEvent({ table, number, tables, change, remove }: { table: TableDraft; number: number; tables: readonly Collection[]; change: (table: TableDraft) => void; remove: () => void }) {
  const id = useId();
  const collection = tables.find(({ schema, name }) => `${schema}.${name}` === table.collection) ?? null;
  const toggle = (list: readonly string[], name: string): readonly string[] => (list.includes(name) ? list.filter((each) => each !== name) : [...list, name]);
  const without = table.columns === null || collection === null ? table.without : collection.fields.map(({ name }) => name).filter((name) => !table.columns!.includes(name));
  return (
    <div className="part-form" role="group" aria-label={`Collection ${number}`}>
      <div className="part-form-head">
        <div className="field field-narrow">
          <label htmlFor={id}>Collection</label>
          <select id={id} className="input" value={table.collection} onChange={(event) => change({ ...emptyTable(table.key), operations: table.operations, collection: event.target.value })}>
            <option value="">Choose…</option>
            {tables.map(({ schema, name }) => <option key={`${schema}.${name}`} value={`${schema}.${name}`}>{`${schema}.${name}`}</option>)}
            {table.collection !== '' && collection === null ? <option value={table.collection}>{`${table.collection} (gone)`}</option> : null}
          </select>
        </div>
        <button type="button" className="button button-small button-bare" onClick={remove} aria-label={`Remove collection ${number}`}>Remove</button>
      </div>
      <fieldset className="checks checks-row">
        <legend className="label">When a row</legend>
        {operations.map((operation) => (
          <label key={operation} className="check">
            <input type="checkbox" checked={table.operations.includes(operation)} onChange={() => change({ ...table, operations: toggle(table.operations, operation) })} />
            {happenings[operation]}
          </label>
        ))}
      </fieldset>
      {collection === null ? null : (
        <>
          {table.filterText === null ? (
            <div className="field">
              <p className="label">Only if <span className="muted">{table.filters.length === 0 ? '(any row)' : null}</span></p>
              <FilterBar fields={collection.fields} filters={table.filters} change={(filters) => change({ ...table, filters })} />
            </div>
          ) : (
            <TextField label="Only if" hint="In the data API’s words, such as status=eq.paid. Empty is any row." value={table.filterText} change={(filterText) => change({ ...table, filterText })} />
          )}
          <details className="more">
            <summary>{without.length === 0 ? 'Only some columns' : `${collection.fields.length - without.length} of ${collection.fields.length} columns`}</summary>
            <fieldset className="checks">
              <legend className="visually-hidden">Columns that are sent</legend>
              {collection.fields.map(({ name }) => (
                <label key={name} className="check">
                  <input type="checkbox" checked={!without.includes(name)} onChange={() => change({ ...table, columns: null, without: toggle(without, name) })} />
                  {name}
                </label>
              ))}
            </fieldset>
          </details>
        </>
      )}
    </div>
  );
}

const happenings: Readonly<Record<(typeof operations)[number], string>> = { insert: 'is inserted', update: 'is updated', delete: 'is deleted', truncate: 'goes with all others (truncate)' };
