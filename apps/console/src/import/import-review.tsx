import { useMemo, useState } from 'react';
import type { Collection } from '../contracts.ts';
import type { Live } from '../live.ts';
import { splitCollection } from '../route.ts';
import { Icon } from '../ui/icons.tsx';
import { Page, Section } from '../ui/page.tsx';
import { bytes, count } from '../words.ts';
import { describeSample, guessReading, type Reading } from './describe-sample.ts';
import { ExistingCollection } from './existing-collection.tsx';
import { delimiters } from './guess-format.ts';
import { type Terms, usualTerms } from './import-query.ts';
import { nameCollection } from './name-fields.ts';
import { NewCollectionForm } from './new-collection-form.tsx';
import { conflictKey, newPlanProblems, type NewPlan, planNew, planTargets, targetProblems, toNewCollection } from './plan.ts';
import { PreviewTable } from './preview-table.tsx';
import type { Sample } from './read-sample.ts';
import { ReadingForm } from './reading-form.tsx';
import { StartImport } from './start-import.tsx';
import { TermsForm } from './terms-form.tsx';
import type { Targets } from './match-fields.ts';

interface Props {
  readonly file: File;
  readonly sample: Sample;
  readonly collections: Live<readonly Collection[]>;
  readonly into: string | null;
  readonly leave: () => void;
}

/** The look at a file before it is sent: how it is read, where its columns go, who may read them. */
export function ImportReview({ file, sample, collections, into, leave }: Props) {
  const [reading, setReading] = useState<Reading>(() => guessReading(sample));
  const description = useMemo(() => describeSample(sample, reading), [sample, reading]);
  const [plan, setPlan] = useState<NewPlan>(() => planNew(nameCollection(file.name), description));
  const [chosenName, chooseName] = useState<string | null>(into);
  const [changedTargets, changeTargets] = useState<Targets | null>(null);
  const [terms, setTerms] = useState<Terms>(usualTerms);

  const tables = (collections.value ?? []).filter(({ kind }) => kind === 'table' || kind === 'partitioned table');
  const existing = chosenName === null ? null : (tables.find(({ schema, name }) => `${schema}.${name}` === chosenName) ?? null);
  const targets = existing === null ? [] : (changedTargets ?? planTargets(description, reading, existing));
  const check = existing === null ? { stops: chosenName === null ? newPlanProblems(plan, tables) : ['Choose the collection that the rows go into.'], warnings: [] } : targetProblems(targets, description, reading, existing);
  const key = existing === null ? [] : conflictKey(targets, existing);

  // Another way to read the file gives other columns, so what was changed by hand for the old ones is void.
  const readAs = (next: Reading): void => {
    setReading(next);
    setPlan({ ...planNew(plan.name, describeSample(sample, next)), access: plan.access });
    changeTargets(null);
  };
  const chooseCollection = (name: string | null): void => {
    chooseName(name);
    changeTargets(null);
    setTerms({ ...terms, conflict: 'refuse' });
  };

  return (
    <Page
      title="Import"
      isNextStep
      lead="Look at what was understood, say where it goes, and start."
      actions={
        <button type="button" className="button" onClick={leave}>
          Choose another file
        </button>
      }
    >
      <Section title={file.name} id="the-file" aside={<span className="card-note">{bytes(file.size)}{sample.isGzip ? ', packed' : ''}</span>}>
        <p className="file-facts">
          <Icon name="check" />
          <span>
            {reading.format === 'ndjson' ? 'NDJSON: one object in each line' : `Values separated by ${delimiters.find(({ value }) => value === reading.delimiter)?.name ?? `“${reading.delimiter}”`}, ${reading.hasHeader ? 'names in the first row' : 'no names in the first row'}`}
            {`; ${count(description.columns.length)} ${description.columns.length === 1 ? 'column' : 'columns'}.`}
            {sample.isCut ? ` Names and types are guessed from the first ${count(description.rowCount)} rows.` : ` ${count(description.rowCount)} ${description.rowCount === 1 ? 'row' : 'rows'}.`}
            {description.oddRows === 0 ? '' : ` ${count(description.oddRows)} of them ${description.oddRows === 1 ? 'has' : 'have'} another shape and will be set aside.`}
          </span>
        </p>
        <PreviewTable description={description} />
        {reading.format === 'csv' ? <ReadingForm reading={reading} change={readAs} /> : null}
      </Section>

      <Section title="Where the rows go" id="where">
        <fieldset className="choices choices-2">
          <legend className="visually-hidden">New or existing collection</legend>
          <label className="choice">
            <input type="radio" name="where" checked={chosenName === null} onChange={() => chooseCollection(null)} />
            <span className="choice-text">
              <strong>A new collection</strong>
              <span>A table is made with these fields.</span>
            </span>
          </label>
          <label className="choice">
            <input type="radio" name="where" checked={chosenName !== null} disabled={tables.length === 0} onChange={() => chooseCollection('')} />
            <span className="choice-text">
              <strong>An existing collection</strong>
              <span>{tables.length === 0 ? 'There is none yet.' : 'Columns are matched by name.'}</span>
            </span>
          </label>
        </fieldset>
        {chosenName === null ? (
          <NewCollectionForm plan={plan} change={setPlan} description={description} areNamesFixed={reading.format === 'ndjson'} />
        ) : (
          <ExistingCollection
            tables={tables} chosen={existing} choose={chooseCollection} description={description} reading={reading}
            targets={targets} change={changeTargets} warnings={check.warnings}
          />
        )}
      </Section>

      <TermsForm terms={terms} change={setTerms} isConflictPossible={key.length > 0} keyFields={key} />

      <StartImport
        file={file} reading={reading} isGzip={sample.isGzip} stops={check.stops} terms={{ ...terms, key }}
        create={existing === null ? toNewCollection(plan) : null}
        collection={existing ?? splitCollection(`public.${plan.name}`)}
        fields={existing === null ? plan.fields.map(({ name }) => name) : targets}
      />
    </Page>
  );
}
