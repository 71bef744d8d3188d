import { isOpen, type JobState } from '@mainstay/domain';
import type { ExportFormat, JobError, KeptExport } from '@mainstay/persistence';
import { fileNameOf, mediaTypeOf } from './formats.ts';

/** A file that can be fetched. */
export interface ShownFile {
  readonly name: string;
  readonly media_type: string;
  readonly bytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
  /** Opens the file without any key, until `url_expires_at`; each look gives a fresh one. */
  readonly url: string;
  readonly url_expires_at: string;
  /** When the file is let go. */
  readonly expires_at: string;
}

/** An export as `/exports/v1` shows it. */
export interface ShownExport {
  readonly id: string;
  readonly collection: string;
  readonly query: string;
  readonly format: ExportFormat;
  readonly gzip: boolean;
  readonly state: JobState;
  readonly rows: number;
  /** What the planner expected. */
  readonly rows_estimated: number | null;
  readonly bytes: number;
  readonly percent: number;
  readonly rows_per_second: number | null;
  readonly remaining_seconds: number | null;
  /** Null until it is done, and again when it was let go. */
  readonly file: ShownFile | null;
  readonly is_expired: boolean;
  readonly error: JobError | null;
  readonly job_id: string | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

/** A link to a file, and how long it is good. */
export type LinkTo = (kept: KeptExport, fileName: string) => { readonly url: string; readonly expiresAt: string };

export function showExport(kept: KeptExport, linkTo: LinkTo): ShownExport {
  return {
    id: kept.id,
    collection: `${kept.schema}.${kept.name}`,
    query: kept.query,
    format: kept.format,
    gzip: kept.terms.isGzip === true,
    state: kept.state,
    rows: kept.rowsWritten,
    rows_estimated: kept.rowsEstimated,
    bytes: kept.bytesWritten,
    percent: percentOf(kept),
    rows_per_second: kept.secondsRunning > 0 && kept.rowsWritten > 0 ? Math.round(kept.rowsWritten / kept.secondsRunning) : null,
    remaining_seconds: remainingSeconds(kept),
    file: kept.state === 'done' && !kept.isExpired ? showFile(kept, linkTo) : null,
    is_expired: kept.isExpired,
    error: kept.state === 'cancelled' ? { code: 'export_cancelled', message: 'The export was cancelled', details: 'Nothing of it is kept.', hint: null } : kept.error,
    job_id: kept.jobId,
    created_at: kept.createdAt,
    started_at: kept.startedAt,
    finished_at: kept.finishedAt,
  };
}

function showFile(kept: KeptExport, linkTo: LinkTo): ShownFile {
  const name = fileNameOf(kept.name, kept.format, kept.terms);
  const { url, expiresAt } = linkTo(kept, name);
  return {
    name,
    media_type: mediaTypeOf(kept.format, kept.terms),
    bytes: kept.bytesWritten,
    sha256: Buffer.from(kept.sha256 ?? '', 'base64').toString('hex'),
    url,
    url_expires_at: expiresAt,
    expires_at: kept.expiresAt!,
  };
}

/** To a tenth, by what the planner expected; 100 only at the end. */
function percentOf({ state, rowsWritten, rowsEstimated }: KeptExport): number {
  if (state === 'done') return 100;
  return rowsEstimated === null || rowsEstimated === 0 ? 0 : Math.min(99.9, Math.floor((rowsWritten / rowsEstimated) * 1000) / 10);
}

function remainingSeconds({ state, rowsWritten, rowsEstimated, secondsRunning }: KeptExport): number | null {
  if (!isOpen(state)) return state === 'done' ? 0 : null;
  if (rowsEstimated === null || rowsWritten === 0 || rowsWritten >= rowsEstimated || secondsRunning <= 0) return null;
  return Math.ceil(((rowsEstimated - rowsWritten) / rowsWritten) * secondsRunning);
}
