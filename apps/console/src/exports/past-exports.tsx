import { useState } from 'react';
import { useAction } from '../action.ts';
import { ask } from '../api.ts';
import { type Export, isOpen } from '../contracts.ts';
import type { Live } from '../live.ts';
import { links, splitCollection } from '../route.ts';
import { announce } from '../ui/announcer.tsx';
import { StateBadge } from '../ui/badge.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { Icon } from '../ui/icons.tsx';
import { Moment } from '../ui/moment.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { Empty, Section } from '../ui/page.tsx';
import { ProgressBar } from '../ui/progress-bar.tsx';
import { SkeletonRows, TableFrame } from '../ui/table-frame.tsx';
import { bytes, count, remaining } from '../words.ts';
import { queryInWords } from './export-query.ts';

/** Files that were made or are being made, newest first. */
export function PastExports({ exports: { value, problem, reload } }: { exports: Live<readonly Export[]> }) {
  return (
    <Section title="Files" id="files">
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {value === null && problem !== null ? null : value?.length === 0 ? (
        <Empty title="No file yet">Choose a collection above. The file appears here, with a link by which it can be fetched without a key for a while.</Empty>
      ) : (
        <TableFrame label="Exports" isBusy={value === null}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Of</th>
                <th scope="col">File</th>
                <th scope="col">State</th>
                <th scope="col" className="number">Rows</th>
                <th scope="col">Asked for</th>
                <th scope="col"><span className="visually-hidden">Actions</span></th>
              </tr>
            </thead>
            {value === null ? <SkeletonRows columns={6} rows={3} /> : <tbody>{value.map((each) => <ExportRow key={each.id} made={each} reload={reload} />)}</tbody>}
          </table>
        </TableFrame>
      )}
    </Section>
  );
}

function ExportRow({ made, reload }: { made: Export; reload: () => void }) {
  return (
    <tr>
      <th scope="row">
        <a href={links.rows(splitCollection(made.collection))}>{made.collection}</a>
        <span className="second-line cut" title={queryInWords(made.query)}>{queryInWords(made.query)}</span>
      </th>
      <td>{`${formatInWords(made)}${made.bytes > 0 ? `, ${bytes(made.bytes)}` : ''}`}</td>
      <td>
        {made.state === 'running' ? (
          <>
            <ProgressBar label={`Export of ${made.collection}`} done={made.percent} total={made.rows_estimated === null ? null : 100} isSmall />
            {made.remaining_seconds === null ? null : <span className="job-note">{remaining(made.remaining_seconds)}</span>}
          </>
        ) : <StateBadge state={made.state} />}
        {made.error === null || made.state === 'cancelled' ? null : <span className="second-line job-error wrap">{made.error.message}</span>}
      </td>
      <td className="number">{count(made.rows)}</td>
      <td><Moment time={made.created_at} /></td>
      <td className="actions"><ExportActions made={made} reload={reload} /></td>
    </tr>
  );
}

function formatInWords({ format, gzip }: Export): string {
  const names = { csv: 'CSV', ndjson: 'NDJSON', xlsx: 'Excel', parquet: 'Parquet' } as const;
  return `${names[format]}${gzip ? ', packed' : ''}`;
}

/** The link as it leads from here: what the api calls itself may be another name of the same server. */
function hereOf(url: string): string {
  const { pathname, search } = new URL(url, window.location.href);
  return `${pathname}${search}`;
}

function ExportActions({ made, reload }: { made: Export; reload: () => void }) {
  const [isAsking, setAsking] = useState(false);
  const deleting = useAction(async () => {
    await ask(`/exports/v1/${encodeURIComponent(made.id)}`, { method: 'DELETE' });
    announce('The file is deleted');
    setAsking(false);
    reload();
  });
  const cancelling = useAction(async () => {
    await ask(`/exports/v1/${encodeURIComponent(made.id)}/cancel`, { method: 'POST' });
    announce('The export is cancelled');
    reload();
  });
  if (isOpen(made.state)) {
    return (
      <>
        {cancelling.problem === null ? null : <span className="job-error">{cancelling.problem.message}</span>}
        <button type="button" className="button button-small" onClick={cancelling.run} disabled={cancelling.isBusy} aria-label={`Cancel: ${made.collection}`}>Cancel</button>
      </>
    );
  }
  return (
    <span className="action-row">
      {made.file === null ? (
        <span className="muted">{made.is_expired ? 'let go' : ''}</span>
      ) : (
        <a className="button button-small" href={hereOf(made.file.url)} download={made.file.name} aria-label={`Download ${made.file.name}`}>
          <Icon name="download" />
          Download
        </a>
      )}
      <button type="button" className="button button-small button-bare" onClick={() => setAsking(true)} aria-label={`Delete: ${made.collection}`}>Delete</button>
      {isAsking ? (
        <Confirm title="Delete this file?" yes="Delete the file" no="Keep it" action={deleting} close={() => setAsking(false)}>
          {`The file of ${made.collection} goes, and links to it open nothing any more. The rows themselves stay.`}
        </Confirm>
      ) : null}
    </span>
  );
}
