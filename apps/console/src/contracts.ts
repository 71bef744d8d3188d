/** What the api's own surfaces answer, as far as the console reads it. Names are as on the wire. */
import type { JobState } from '@mainstay/domain';

export type { JobState };
/** `uploading`: its file is still on the way. */
export type ImportState = JobState | 'uploading';

/** Whether a job or an import may still change. */
export function isOpen(state: ImportState): boolean {
  return state === 'uploading' || state === 'queued' || state === 'running';
}

export interface Connection {
  readonly api_url: string;
  readonly publishable_key: string;
  readonly anon_key: string;
  /** With the password starred out. */
  readonly database_url: string;
  readonly version: string;
}

export interface Part {
  readonly state: 'ok' | 'down';
  readonly note?: string | null;
}

export interface Health {
  readonly status: string;
  readonly parts: Readonly<Record<string, Part>>;
}

export interface Field {
  readonly name: string;
  readonly type: string;
  readonly is_nullable: boolean;
  readonly default: string | null;
  readonly is_primary_key: boolean;
  readonly is_generated: boolean;
  readonly references: { readonly schema: string; readonly collection: string; readonly field: string } | null;
}

export interface Policy {
  readonly name: string;
  readonly command: string;
  readonly roles: readonly string[];
}

export interface Collection {
  readonly schema: string;
  readonly name: string;
  readonly kind: string;
  /** PostgreSQL's estimate; negative when it has never looked. */
  readonly row_estimate: number;
  readonly has_row_security: boolean;
  readonly policies: readonly Policy[];
  readonly fields: readonly Field[];
}

/** Who may read a collection that is made here. */
export type Access = 'service' | 'signed_in' | 'everyone';

export interface NewCollection {
  readonly schema: string;
  readonly name: string;
  readonly access: Access;
  readonly fields: readonly { readonly name: string; readonly type: string; readonly is_nullable: boolean; readonly is_primary_key: boolean }[];
}

export interface Wrong {
  readonly code: string;
  readonly message: string;
  readonly details?: string | null;
  readonly hint?: string | null;
}

export interface Import {
  readonly id: string;
  readonly collection: string;
  readonly state: ImportState;
  readonly mode: 'rows' | 'all';
  readonly format: string;
  readonly rows_read: number;
  readonly rows_written: number;
  readonly rows_rejected: number;
  readonly bytes_total: number;
  readonly bytes_read: number;
  readonly percent: number;
  readonly rows_per_second: number | null;
  readonly remaining_seconds: number | null;
  readonly error: Wrong | null;
  readonly job_id: string | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

/** One row that was set aside. */
export interface Reject {
  readonly line: number;
  readonly column: string | null;
  readonly value: string | null;
  readonly reason: string;
}

export interface Job {
  readonly id: string;
  readonly kind: string;
  readonly queue: string;
  readonly state: JobState;
  readonly owner: string | null;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly run_at: string;
  readonly progress: { readonly done: number; readonly total: number | null; readonly note: string | null } | null;
  readonly result: unknown;
  readonly error: Wrong | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
}
