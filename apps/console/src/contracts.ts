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
  /** What a job of one's own calls, and with what; null for the house's kinds. */
  readonly function: string | null;
  readonly arguments: unknown;
  readonly role: string;
  readonly priority: number;
  /** The jobs after which it runs. */
  readonly after: readonly string[];
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

export type ExportFormat = 'csv' | 'ndjson' | 'xlsx' | 'parquet';

/** A collection as a file, made by a job. */
export interface Export {
  readonly id: string;
  readonly collection: string;
  /** What was asked for, in the data API's words. */
  readonly query: string;
  readonly format: ExportFormat;
  readonly gzip: boolean;
  readonly state: JobState;
  readonly rows: number;
  readonly rows_estimated: number | null;
  readonly bytes: number;
  readonly percent: number;
  readonly rows_per_second: number | null;
  readonly remaining_seconds: number | null;
  /** Null until it is done, and again when it was let go. */
  readonly file: { readonly name: string; readonly bytes: number; readonly url: string; readonly expires_at: string } | null;
  readonly is_expired: boolean;
  readonly error: Wrong | null;
  readonly job_id: string | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

/** How a queue stands; totals are of all workers since the database was made. */
export interface QueueFigures {
  readonly queue: string;
  readonly waiting: number;
  readonly scheduled: number;
  readonly running: number;
  readonly failed: number;
  readonly dead: number;
  readonly cancelled: number;
  readonly oldest_seconds: number;
  readonly ended: { readonly done: number; readonly failed: number; readonly dead: number; readonly again: number };
}

/** What a queue is held to. */
export interface QueueTerms {
  readonly name: string;
  /** Made by the house: it cannot be deleted. */
  readonly is_house: boolean;
  readonly is_paused: boolean;
  readonly concurrency: number | null;
  readonly concurrency_per_key: number | null;
  readonly rate_limit: { readonly count: number; readonly per_seconds: number; readonly per_key: boolean } | null;
  readonly key: string | null;
}

/** What an endpoint is told of: changes of a table's rows, or something that the house announces. */
export type WebhookEvent = WatchedTable | { readonly type: string };

export interface WatchedTable {
  readonly schema: string;
  readonly table: string;
  readonly operations: readonly string[];
  readonly filter: string | null;
  readonly columns: readonly string[] | null;
  /** Why nothing comes of it any more. */
  readonly broken: Wrong | null;
  readonly trouble: Wrong | null;
}

/** Where events are sent. */
export interface Endpoint {
  readonly id: string;
  readonly url: string;
  readonly description: string | null;
  readonly events: readonly WebhookEvent[];
  readonly headers: Readonly<Record<string, string>>;
  readonly state: 'active' | 'paused' | 'disabled';
  readonly is_paused: boolean;
  readonly reason: Wrong | null;
  readonly rate: number | null;
  readonly breaker: { readonly state: 'closed' | 'open' | 'half-open'; readonly failures: number; readonly rests_until: string | null };
  /** Those that sign now, the newest first. */
  readonly secrets: readonly { readonly created_at: string; readonly expires_at: string | null }[];
  /** Counted up to 10,000. */
  readonly waiting: number;
  readonly dead: number;
  readonly created_at: string;
  readonly updated_at: string;
}

export type DeliveryState = 'queued' | 'done' | 'dead' | 'cancelled';

/** One event on its way to one endpoint. */
export interface Delivery {
  readonly id: string;
  readonly endpoint_id: string;
  readonly event_id: string;
  readonly event: string;
  readonly webhook_id: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly next_attempt_at: string | null;
  readonly last_status: number | null;
  readonly last_error: string | null;
  readonly created_at: string;
  readonly finished_at: string | null;
}

export interface DeliveryInFull extends Delivery {
  readonly body: string;
  readonly log: readonly DeliveryAttempt[];
}

export interface DeliveryAttempt {
  readonly number: number;
  readonly at: string;
  readonly ms: number;
  readonly request: { readonly method: string; readonly url: string; readonly headers: Readonly<Record<string, string>> };
  readonly answer: { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string; readonly is_text: boolean; readonly is_cut: boolean } | null;
  readonly error: Wrong | null;
}

/** Something that the clock sets going. Exactly one of `function`, `sql` and `url` is there. */
export interface Schedule {
  readonly id: string;
  readonly name: string;
  readonly origin: 'own' | 'pg_cron';
  readonly kind: 'function' | 'sql' | 'url';
  readonly function: string | null;
  readonly arguments: unknown;
  readonly sql: string | null;
  readonly url: string | null;
  readonly method: string | null;
  readonly headers: Readonly<Record<string, string>> | null;
  readonly body: unknown;
  readonly cron: string;
  readonly time_zone: string;
  readonly missed: 'skip' | 'once' | 'all';
  readonly overlap: 'skip' | 'queue' | 'allow';
  readonly max_attempts: number | null;
  readonly queue: string | null;
  readonly is_paused: boolean;
  /** Why it stands still. */
  readonly trouble: string | null;
  readonly role: string;
  readonly next_run_at: string | null;
  readonly last_run: ScheduleRun | null;
  /** Of one schedule alone. */
  readonly next_runs?: readonly string[];
  readonly created_at: string;
}

export type RunState = JobState | 'waiting' | 'skipped';

/** One time at which a schedule ran, or should have. */
export interface ScheduleRun {
  readonly id: string;
  readonly slot: string;
  readonly is_manual: boolean;
  readonly state: RunState;
  readonly reason: 'missed' | 'overlap' | null;
  readonly skipped_count: number | null;
  readonly job_id: string | null;
  readonly attempts: number | null;
  readonly message: string | null;
  readonly error: Wrong | null;
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

/** Somebody who may sign in, as `/auth/v1/admin` shows them. A field that would be empty is not there. */
export interface User {
  readonly id: string;
  readonly role: string;
  readonly email: string;
  /** Digits, without the plus. */
  readonly phone: string;
  readonly email_confirmed_at?: string;
  readonly phone_confirmed_at?: string;
  readonly confirmed_at?: string;
  readonly invited_at?: string;
  readonly last_sign_in_at?: string;
  readonly new_email?: string;
  readonly new_phone?: string;
  readonly banned_until?: string;
  readonly deleted_at?: string;
  readonly is_anonymous: boolean;
  readonly app_metadata: Readonly<Record<string, unknown>>;
  readonly user_metadata: Readonly<Record<string, unknown>>;
  readonly identities: readonly { readonly identity_id: string; readonly provider: string; readonly email?: string; readonly last_sign_in_at?: string }[];
  readonly created_at: string;
  readonly updated_at: string;
}

/** One place where a user is signed in. */
export interface UserSession {
  readonly id: string;
  readonly created_at: string;
  readonly last_used_at: string;
  readonly user_agent: string | null;
  readonly ip: string | null;
  /** `aal2` after a second factor. */
  readonly aal: string;
}

export interface Factor {
  readonly id: string;
  readonly friendly_name?: string;
  readonly factor_type: string;
  readonly status: string;
  readonly phone?: string;
  readonly created_at: string;
  readonly last_challenged_at?: string | null;
}

export interface Passkey {
  readonly id: string;
  readonly friendly_name?: string;
  readonly created_at: string;
  readonly last_used_at?: string | null;
}

/** A link that lets somebody in, made for the administrator to hand over. */
export interface MadeLink {
  readonly action_link: string;
  readonly email_otp: string;
  readonly verification_type: string;
  readonly redirect_to: string;
}

/** A mail or text message in the mailbox. */
export interface Message {
  readonly id: string;
  readonly channel: 'email' | 'sms' | 'whatsapp';
  readonly kind: string;
  readonly recipient: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string | null;
  readonly code: string | null;
  readonly link: string | null;
  readonly created_at: string;
}

/** One setting of sign-in as it is. */
export interface SignInSetting {
  readonly name: string;
  readonly synonyms: readonly string[];
  readonly group: string;
  readonly meaning: string;
  readonly type: string;
  readonly value: unknown;
  readonly is_secret: boolean;
  readonly is_set: boolean;
  readonly default_text: string | null;
}

/** An API key, never with more of it than its first letters. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly kind: 'publishable' | 'secret' | 'jwt';
  readonly hint: string;
  readonly role: string;
  /** A key of the settings is changed where the server is started. */
  readonly source: 'settings' | 'database';
  readonly created_at: string | null;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
}

/** A key that signs access tokens, or did, or will. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly state: 'standby' | 'current' | 'previous' | 'revoked';
  readonly source: 'settings' | 'database';
  readonly created_at: string | null;
  readonly changed_at: string | null;
}
