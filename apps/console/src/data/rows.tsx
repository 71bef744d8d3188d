import { useState } from 'react';
import { ask } from '../api.ts';
import type { Collection } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { Icon } from '../ui/icons.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { Empty } from '../ui/page.tsx';
import { Pager } from '../ui/pager.tsx';
import { go } from '../use-route.ts';
import { FilterBar } from './filter-bar.tsx';
import { RowDialog } from './row-dialog.tsx';
import { RowTable } from './row-table.tsx';
import { pageSizes, parseRange, readView, type Row, rowsPath, shownFields, turnOrder, type View, writeView } from './view.ts';
import { whoMayRead } from './who-may-read.ts';

/** The rows of a collection, as a view in the address asks for them. */
export function Rows({ collection, query }: { collection: Collection; query: URLSearchParams }) {
  const view = readView(query, collection.fields);
  const [openRow, setOpenRow] = useState<number | null>(null);
  const path = rowsPath(collection, view);
  const { value, stale, problem, reload } = useLive(`${path} ${view.count}`, (signal) => loadRows(path, collection.schema, view, signal));
  const show = (part: Partial<View>): void => go(links.rows(collection, writeView({ ...view, page: 0, ...part })));
  const shown = value ?? stale;
  const row = openRow === null ? undefined : shown?.rows[openRow];
  const readers = whoMayRead(collection);
  const isEstimate = view.count === 'estimated' && (value?.total ?? 0) > 1000;
  // The planner's guess is far off until PostgreSQL has analysed the table, and the list of collections says another number beside it.
  const total = isEstimate && view.filters.length === 0 && collection.row_estimate > 0 ? collection.row_estimate : (value?.total ?? null);
  return (
    <>
      <div className="rows-tools">
        <a className="rows-back" href={links.data}>
          <Icon name="left" />
          All collections
        </a>
        <p className="readers">
          <span className={readers.isOpen ? 'badge badge-failed' : 'badge'}>{readers.label}</span>
          <span className="hint">{readers.meaning}</span>
        </p>
        <span className="rows-tools-right">
          <label className="check">
            <input type="checkbox" checked={view.count === 'exact'} onChange={(event) => show({ count: event.target.checked ? 'exact' : 'estimated', page: view.page })} />
            Count exactly
          </label>
          <a className="button button-small" href={links.importInto(collection)}>Import rows</a>
          <a className="button button-small" href={links.exportOf(collection, writeView({ ...view, page: 0, pageSize: 50, count: 'estimated' }))}>Export</a>
          <button type="button" className="button button-small" onClick={reload}>
            <Icon name="reload" />
            Refresh
          </button>
        </span>
      </div>
      <FilterBar fields={shownFields(collection)} filters={view.filters} change={(filters) => show({ filters })} />
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {problem !== null && shown === null ? null : value?.rows.length === 0 ? (
        <NoRows isFiltered={view.filters.length > 0} isLaterPage={view.page > 0} collection={collection} clear={() => show({ filters: [] })} toFirst={() => show({ page: 0 })} />
      ) : (
        <RowTable collection={collection} rows={shown?.rows ?? null} isBusy={value === null} firstNumber={view.page * view.pageSize + 1} order={view.order} turn={(field) => show({ order: turnOrder(view.order, field) })} open={setOpenRow} />
      )}
      <div className="rows-foot">
        <Pager page={view.page} pageSize={view.pageSize} shown={value?.rows.length ?? null} total={total} isEstimate={isEstimate} go={(page) => show({ page })} what="rows" />
        <label className="rows-size">
          Rows a page
          <select className="input input-small" value={view.pageSize} onChange={(event) => show({ pageSize: pageSizes.find((size) => String(size) === event.target.value) ?? 50 })}>
            {pageSizes.map((size) => <option key={size}>{size}</option>)}
          </select>
        </label>
      </div>
      {row === undefined ? null : <RowDialog collection={collection} row={row} close={() => setOpenRow(null)} />}
    </>
  );
}

async function loadRows(path: string, schema: string, { count }: View, signal: AbortSignal): Promise<{ rows: readonly Row[]; total: number | null }> {
  const response = await ask(path, { headers: { 'accept-profile': schema, prefer: `count=${count}` }, signal }).catch((error: unknown) => {
    // A page behind the last row: the total is in the answer's header, and no rows are in it.
    if (isBehindTheEnd(error)) return null;
    throw error;
  });
  if (response === null) return { rows: [], total: null };
  return { rows: (await response.json()) as readonly Row[], total: parseRange(response.headers.get('content-range')).total };
}

function isBehindTheEnd(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'PGRST103';
}

function NoRows({ isFiltered, isLaterPage, collection, clear, toFirst }: { isFiltered: boolean; isLaterPage: boolean; collection: Collection; clear: () => void; toFirst: () => void }) {
  if (isLaterPage) return <Empty title="This page is behind the last row" action={<button type="button" className="button" onClick={toFirst}>To the first page</button>}>Rows may have been deleted meanwhile.</Empty>;
  if (isFiltered) return <Empty title="No row passes these filters" action={<button type="button" className="button" onClick={clear}>Remove the filters</button>}>Take one away, or ask for something wider.</Empty>;
  return <Empty title="No rows yet" action={<a className="button" href={links.importInto(collection)}>Import rows</a>}>Rows come by an import, or by an insert through the API.</Empty>;
}
