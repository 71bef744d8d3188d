import { askJson } from '../api.ts';
import type { Collection } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { ProblemNotice } from '../ui/notice.tsx';
import { Empty, Page } from '../ui/page.tsx';
import { CollectionList } from './collection-list.tsx';
import { Rows } from './rows.tsx';

interface At {
  readonly schema: string;
  readonly name: string;
}

/** Collections at the side, the rows of one of them in the middle; on a phone one after the other. */
export function DataPage({ at, query }: { at: At | null; query: URLSearchParams }) {
  const collections = useLive('collections', (signal) => askJson<readonly Collection[]>('/collections/v1', { signal }), () => 15_000);
  const all = collections.value;
  const chosen = at === null ? null : (all?.find(({ schema, name }) => schema === at.schema && name === at.name) ?? null);
  return (
    <Page title={at === null ? 'Data' : at.name} lead={at === null ? 'The collections of your database and their rows, to be looked at.' : leadOf(at, chosen)} isWide>
      {collections.problem === null ? null : <ProblemNotice problem={collections.problem} />}
      {all?.length === 0 ? (
        <Empty title="No collection yet" action={<a className="button button-primary" href={links.newImport}>Import a file</a>}>
          A collection is a PostgreSQL table with an API of its own. Import a file to make one, or write a migration.
        </Empty>
      ) : (
        <div className={at === null ? 'data' : 'data data-chosen'}>
          {all === null && collections.problem !== null ? null : <CollectionList collections={all} at={at} />}
          <div className="data-main">
            {at === null ? <p className="data-hint">Choose a collection to see its rows.</p> : null}
            {at !== null && chosen === null && all !== null ? <NotThere at={at} /> : null}
            {chosen === null ? null : <Rows key={`${chosen.schema}.${chosen.name}`} collection={chosen} query={query} />}
          </div>
        </div>
      )}
    </Page>
  );
}

function leadOf(at: At, collection: Collection | null): string {
  return collection === null ? at.schema : `${at.schema} · ${collection.kind}`;
}

function NotThere({ at }: { at: At }) {
  return (
    <Empty title={`There is no collection “${at.schema}.${at.name}”`} action={<a className="button" href={links.data}>All collections</a>}>
      It may have been dropped or renamed, or the address is wrong.
    </Empty>
  );
}
