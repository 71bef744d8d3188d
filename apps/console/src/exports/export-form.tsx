import { type FormEvent, useId, useRef, useState } from 'react';
import { useAction } from '../action.ts';
import { askJson } from '../api.ts';
import type { Collection, ExportFormat } from '../contracts.ts';
import { FilterBar } from '../data/filter-bar.tsx';
import type { Filter } from '../data/filters.ts';
import type { View } from '../data/view.ts';
import { links, splitCollection } from '../route.ts';
import { announce } from '../ui/announcer.tsx';
import { Choices } from '../ui/form-dialog.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { go } from '../use-route.ts';
import { type ExportWish, exportQuery, isText } from './export-query.ts';

const formats: readonly { value: ExportFormat; label: string; hint: string }[] = [
  { value: 'csv', label: 'CSV', hint: 'Text that every program reads. It can be imported here again.' },
  { value: 'xlsx', label: 'Excel', hint: 'A workbook with numbers and dates as such.' },
  { value: 'ndjson', label: 'NDJSON', hint: 'A JSON object on each line, for programs.' },
  { value: 'parquet', label: 'Parquet', hint: 'Packed columns, for data tools such as DuckDB.' },
];

/** What is to be exported: a collection, its rows and fields, and the kind of file. */
export function ExportForm({ collections, chosen, view, made }: { collections: readonly Collection[]; chosen: Collection | null; view: View | null; made: () => void }) {
  const [filters, setFilters] = useState<readonly Filter[]>(view?.filters ?? []);
  const [without, setWithout] = useState<readonly string[]>([]);
  const [format, setFormat] = useState<ExportFormat>('csv');
  const [isGzip, setGzip] = useState(false);
  const [isSpreadsheetSafe, setSafe] = useState(false);
  const id = useId();
  // A second click on the same wish, or one after a lost answer, makes no second file.
  const key = useRef<{ wish: string; key: string } | null>(null);
  const exporting = useAction(async () => {
    if (chosen === null) return;
    const query = exportQuery({ format, without, filters, order: view?.order ?? null, isGzip, isSpreadsheetSafe } satisfies ExportWish, chosen.fields);
    const path = `/exports/v1/${encodeURIComponent(`${chosen.schema}.${chosen.name}`)}?${query}`;
    if (key.current?.wish !== path) key.current = { wish: path, key: crypto.randomUUID() };
    await askJson(path, { method: 'POST', headers: { 'idempotency-key': key.current.key } });
    key.current = null;
    announce(`${chosen.name} is being exported`);
    made();
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    exporting.run();
  };
  const toggle = (name: string): void => setWithout(without.includes(name) ? without.filter((each) => each !== name) : [...without, name]);
  return (
    <>
      <div className="field field-narrow">
        <label htmlFor={id}>Collection</label>
        <select id={id} className="input" value={chosen === null ? '' : `${chosen.schema}.${chosen.name}`} onChange={(event) => go(event.target.value === '' ? links.exports : links.exportOf(splitCollection(event.target.value)))}>
          <option value="">Choose…</option>
          {collections.map(({ schema, name }) => <option key={`${schema}.${name}`} value={`${schema}.${name}`}>{`${schema}.${name}`}</option>)}
        </select>
      </div>
      {chosen === null ? null : (
        <>
          <div className="field">
            <p className="label">Which rows <span className="muted">{filters.length === 0 ? '(all of them)' : null}</span></p>
            <FilterBar fields={chosen.fields} filters={filters} change={setFilters} />
          </div>
          <form className="dialog-form" onSubmit={submit}>
            <details className="more">
              <summary>{without.length === 0 ? 'Only some fields' : `${chosen.fields.length - without.length} of ${chosen.fields.length} fields`}</summary>
              <fieldset className="checks">
                <legend className="visually-hidden">Fields</legend>
                {chosen.fields.map(({ name }) => (
                  <label key={name} className="check">
                    <input type="checkbox" checked={!without.includes(name)} onChange={() => toggle(name)} />
                    {name}
                  </label>
                ))}
              </fieldset>
            </details>
            <Choices legend="Kind of file" options={formats} value={format} change={setFormat} columns={2} />
            {isText(format) ? (
              <label className="check">
                <input type="checkbox" checked={isGzip} onChange={(event) => setGzip(event.target.checked)} />
                Packed with gzip
              </label>
            ) : null}
            {format === 'csv' ? (
              <label className="check">
                <input type="checkbox" checked={isSpreadsheetSafe} onChange={(event) => setSafe(event.target.checked)} />
                Safe for spreadsheets: no cell is taken for a formula
              </label>
            ) : null}
            {exporting.problem === null ? null : <ProblemNotice problem={exporting.problem} />}
            <div className="card-foot">
              <button type="submit" className="button button-primary" disabled={exporting.isBusy || without.length === chosen.fields.length}>
                {exporting.isBusy ? 'Asking…' : `Export ${chosen.name}`}
              </button>
            </div>
          </form>
        </>
      )}
    </>
  );
}
