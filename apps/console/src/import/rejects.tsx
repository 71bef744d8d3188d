import { useState } from 'react';
import { useAction } from '../action.ts';
import { ask } from '../api.ts';
import { type Import, isOpen, type Reject } from '../contracts.ts';
import { useLive } from '../live.ts';
import { Icon } from '../ui/icons.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { Section } from '../ui/page.tsx';
import { Pager } from '../ui/pager.tsx';
import { SkeletonRows, TableFrame } from '../ui/table-frame.tsx';
import { Value } from '../ui/value.tsx';
import { count } from '../words.ts';

const pageSize = 25;
/** More than anybody reads here; the download has all. */
const mostShown = 2000;

/** The rows that did not fit: where they stand in the file, and PostgreSQL's reason. */
export function Rejects({ run }: { run: Import }) {
  const [page, setPage] = useState(0);
  const path = `/imports/v1/${encodeURIComponent(run.id)}/rejects`;
  const rejects = useLive(path, (signal) => loadRejects(path, signal), (loaded) => (isOpen(run.state) || loaded.length < Math.min(run.rows_rejected, mostShown) ? 2000 : null));
  const downloading = useAction(async () => save(await ask(path, { headers: { accept: 'text/csv' } }), `rejects-${run.collection}-${run.id.slice(0, 8)}.csv`));
  const shown = rejects.value?.slice(page * pageSize, (page + 1) * pageSize) ?? null;
  return (
    <Section
      title="Rows set aside"
      id="rejects"
      aside={
        <button type="button" className="button button-small" onClick={downloading.run} disabled={downloading.isBusy}>
          <Icon name="download" />
          Download as CSV
        </button>
      }
    >
      {downloading.problem === null ? null : <ProblemNotice problem={downloading.problem} />}
      {rejects.problem === null || rejects.problem.isAway ? null : <ProblemNotice problem={rejects.problem} />}
      <TableFrame label="Rejects" isBusy={shown === null}>
        <table className="table table-values">
          <thead>
            <tr>
              <th scope="col" className="number">Line</th>
              <th scope="col">Column</th>
              <th scope="col">Value</th>
              <th scope="col">Reason</th>
            </tr>
          </thead>
          {shown === null ? <SkeletonRows columns={4} rows={Math.min(5, run.rows_rejected)} /> : (
            <tbody>
              {shown.map((reject, index) => (
                <tr key={`${reject.line} ${index}`}>
                  <td className="number">{count(reject.line)}</td>
                  <td>{reject.column ?? <span className="muted">whole row</span>}</td>
                  <td>{reject.value === null ? <span className="muted">–</span> : <Value text={reject.value} />}</td>
                  <td className="reason">{reject.reason}</td>
                </tr>
              ))}
            </tbody>
          )}
        </table>
      </TableFrame>
      {run.rows_rejected > mostShown ? <p className="hint">{`The first ${count(mostShown)} of ${count(run.rows_rejected)} are shown; the download has them all.`}</p> : null}
      <Pager page={page} pageSize={pageSize} shown={shown?.length ?? 0} total={rejects.value?.length ?? null} go={setPage} what="rows set aside" />
    </Section>
  );
}

/** Reads as many lines as are shown, and lets the rest stay on the server. */
async function loadRejects(path: string, signal: AbortSignal): Promise<readonly Reject[]> {
  const response = await ask(path, { headers: { accept: 'application/x-ndjson' }, signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const rejects: Reject[] = [];
  let rest = '';
  for (let part = await reader.read(); !part.done && rejects.length < mostShown; part = await reader.read()) {
    const lines = (rest + part.value).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) rejects.push(JSON.parse(line) as Reject);
  }
  await reader.cancel();
  return rejects.slice(0, mostShown);
}

/** A download needs the key in a header, which a plain link cannot carry. */
async function save(response: Response, name: string): Promise<void> {
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
