import { askJson } from '../api.ts';
import type { Collection, Export } from '../contracts.ts';
import { readView } from '../data/view.ts';
import { useLive } from '../live.ts';
import { links, splitCollection } from '../route.ts';
import { ProblemNotice } from '../ui/notice.tsx';
import { Empty, Page, Section } from '../ui/page.tsx';
import { ExportForm } from './export-form.tsx';
import { PastExports } from './past-exports.tsx';

/** Collections as files: what is to be made, and what was made. */
export function ExportsPage({ query }: { query: URLSearchParams }) {
  const collections = useLive('collections', (signal) => askJson<readonly Collection[]>('/collections/v1', { signal }));
  const exports = useLive('exports', loadExports, (list) => (list.some(({ state }) => state === 'queued' || state === 'running') ? 700 : 8000));
  const { schema, name } = splitCollection(query.get('of') ?? '');
  const chosen = collections.value?.find((each) => each.schema === schema && each.name === name) ?? null;
  return (
    <Page title="Exports" lead="A collection, or a part of it, as a file. It is made in the background and shows one moment of your data.">
      {collections.problem === null ? null : <ProblemNotice problem={collections.problem} />}
      {collections.value?.length === 0 ? (
        <Empty title="There is nothing to export yet" action={<a className="button button-primary" href={links.newImport}>Import a file</a>}>
          Exports are made of collections. Import a file to make one, or write a migration.
        </Empty>
      ) : (
        <Section title="Make a file" id="make-a-file">
          {/* Another collection has other fields, so the form begins anew with it. */}
          {collections.value === null ? <div className="skeleton-block skeleton-line" aria-busy="true" /> : <ExportForm key={query.get('of')} collections={collections.value} chosen={chosen} view={chosen === null ? null : readView(query, chosen.fields)} made={exports.reload} />}
        </Section>
      )}
      <PastExports exports={exports} />
    </Page>
  );
}

function loadExports(signal: AbortSignal): Promise<readonly Export[]> {
  return askJson<readonly Export[]>('/exports/v1?limit=20', { signal });
}
