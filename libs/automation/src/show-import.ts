import { isOpen } from '@mainstay/domain';
import type { ImportFormat, ImportMode, ImportState, JobError, KeptImport } from '@mainstay/persistence';
import { nameOf } from './plan-import.ts';
import { whatStays } from './run-import.ts';

/** An import as `/imports/v1` shows it. */
export interface ShownImport {
  readonly id: string;
  readonly collection: string;
  readonly state: ImportState;
  readonly mode: ImportMode;
  readonly format: ImportFormat;
  readonly rows_read: number;
  readonly rows_written: number;
  readonly rows_rejected: number;
  readonly bytes_total: number;
  readonly bytes_read: number;
  readonly percent: number;
  readonly rows_per_second: number | null;
  readonly remaining_seconds: number | null;
  readonly error: JobError | null;
  readonly job_id: string | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

export function showImport(kept: KeptImport): ShownImport {
  return {
    id: kept.id,
    collection: nameOf(kept),
    state: kept.state,
    mode: kept.mode,
    format: kept.format,
    rows_read: kept.rowsRead,
    rows_written: kept.rowsWritten,
    rows_rejected: kept.rowsRejected,
    bytes_total: kept.bytesTotal,
    bytes_read: kept.bytesRead,
    percent: percentOf(kept),
    rows_per_second: kept.secondsRunning > 0 ? Math.round(kept.rowsRead / kept.secondsRunning) : null,
    remaining_seconds: remainingSeconds(kept),
    error: kept.state === 'cancelled' ? cancelled(kept) : kept.error,
    job_id: kept.jobId,
    created_at: kept.createdAt,
    started_at: kept.startedAt,
    finished_at: kept.finishedAt,
  };
}

/** To a tenth; 100 only at the end, an empty file included. */
function percentOf({ state, bytesRead, bytesTotal }: KeptImport): number {
  if (state === 'done') return 100;
  return bytesTotal === 0 ? 0 : Math.min(99.9, Math.floor((bytesRead / bytesTotal) * 1000) / 10);
}

function remainingSeconds({ state, bytesRead, bytesTotal, secondsRunning }: KeptImport): number | null {
  if (state === 'uploading' || !isOpen(state)) return state === 'done' ? 0 : null;
  return bytesRead === 0 || secondsRunning <= 0 ? null : Math.ceil(((bytesTotal - bytesRead) / bytesRead) * secondsRunning);
}

function cancelled({ rowsRead, rowsWritten }: KeptImport): JobError {
  return { code: 'import_cancelled', message: 'The import was cancelled', details: whatStays({ rows_read: rowsRead, rows_written: rowsWritten }), hint: null };
}
