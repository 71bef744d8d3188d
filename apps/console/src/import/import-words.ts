import type { Import } from '../contracts.ts';
import { some } from '../words.ts';

/** What came of an import, or is going on, in one sentence or two. */
export function importInWords(run: Pick<Import, 'state' | 'mode' | 'collection' | 'rows_written' | 'rows_rejected'>): string {
  const written = some(run.rows_written, 'row');
  const aside = run.rows_rejected === 0 ? '' : ` ${some(run.rows_rejected, 'row')} did not fit and ${run.rows_rejected === 1 ? 'was' : 'were'} set aside.`;
  const stays = run.mode === 'all' || run.rows_written === 0 ? 'Nothing was written.' : `${written} ${run.rows_written === 1 ? 'was' : 'were'} written before and ${run.rows_written === 1 ? 'stays' : 'stay'} in ${run.collection}.`;
  switch (run.state) {
    case 'uploading':
      return 'The file is on its way to the server.';
    case 'queued':
      return 'The file is safe in the database and waits for a worker.';
    case 'running':
      return 'You may close this page or stop the server: the import goes on where it was.';
    case 'done':
      return `${written} ${run.rows_written === 1 ? 'is' : 'are'} now in ${run.collection}.${aside}`;
    case 'failed':
      return `The import was given up. ${stays}`;
    case 'dead':
      return `The worker tried as often as it may and gave up. ${stays}`;
    case 'cancelled':
      return `The import was cancelled. ${stays}`;
  }
}

/** A quarter passed is worth saying aloud; every percent would be a torrent. */
export function progressAloud(run: Pick<Import, 'state' | 'percent'>): string {
  if (run.state === 'uploading') return 'The file is on its way';
  if (run.state === 'queued') return 'The import waits for a worker';
  if (run.state !== 'running') return `The import is ${run.state}`;
  const quarter = Math.floor(run.percent / 25) * 25;
  return quarter === 0 ? 'The import has begun' : `${quarter} percent imported`;
}
