import { compileStream, errorLine, estimatedTotal, fault, headOf, lineFormats, render, renderStream, type CompiledStream, type Outcome, type RestAnswer, type SqlStatement, type StreamPlan } from '@mainstay/dialect';
import { standsInForPostgrest, type Settings } from '@mainstay/config';
import { Fault } from '@mainstay/domain';
import type { Database, LinePage, RunTerms, Session, Transaction } from '@mainstay/persistence';
import { PacedBody } from './paced-body.ts';

/** What the operator decided about streams. */
export interface StreamTerms {
  /** Most rows of a stream; null is no limit. */
  readonly maxRows: number | null;
  /** CSV has as few rows as any other read, as PostgREST has it. */
  readonly isCsvLimited: boolean;
  /** Most streams at once: each holds a connection for as long as its reader takes. */
  readonly maxOpen: number;
  /** How long a reader may take nothing. */
  readonly stillSeconds: number;
  /** How long a stream may last. */
  readonly maxSeconds: number;
}

export const defaultStreamTerms: StreamTerms = { maxRows: null, isCsvLimited: false, maxOpen: 4, stillSeconds: 25, maxSeconds: 3600 };

/** The terms as the settings say them. */
export function streamTermsOf(settings: Settings): StreamTerms {
  return {
    maxRows: settings.streamMaxRows === 0 ? null : settings.streamMaxRows,
    isCsvLimited: standsInForPostgrest(settings),
    // Ordinary requests must find a connection, however slow the readers of streams are.
    maxOpen: Math.min(settings.streamMaxOpen, Math.max(1, settings.dbPoolSize - 1)),
    stillSeconds: settings.streamStillSeconds,
    maxSeconds: settings.streamMaxSeconds,
  };
}

/** A stream to be run, and as whom. */
export interface StreamWork {
  readonly plan: StreamPlan;
  readonly session: Session;
  /** What runs before every request, if anything. */
  readonly first: SqlStatement | null;
  /** What is answered for an error; itself, where it is none of the database's. */
  readonly answerOf: (error: unknown) => unknown;
}

/** An answer of up to so many bytes is sent whole, with the headers that it would have if nothing were streamed. */
const wholeBytes = 256 * 1024;
/** About so much is fetched at once. */
const pageBytes = 128 * 1024;
const firstPageRows = 50;
const mostPageRows = 1000;

/**
 * Sends the rows of a read while PostgreSQL still makes them: a cursor in a transaction as the caller, read a page at a time as
 * the reader takes what was sent. Memory stays flat whatever the number of rows.
 */
export class Streams {
  private open = 0;

  constructor(
    private readonly database: Database,
    private readonly terms: StreamTerms,
  ) {}

  /** Answers once the first rows are there. @throws as a read that is no stream, as long as nothing was sent. */
  answer(work: StreamWork, { signal }: RunTerms = {}): Promise<RestAnswer> {
    const body = new PacedBody(this.terms.stillSeconds);
    const began = Promise.withResolvers<RestAnswer>();
    const stream = new OpenStream(work, body, began.resolve, () => this.take());
    const gone = signal === undefined ? body.left : AbortSignal.any([signal, body.left]);
    const timer = setTimeout(() => stream.expire(this.terms.maxSeconds), this.terms.maxSeconds * 1000);
    const signals = AbortSignal.any([gone, stream.expired]);
    void this.database
      .transaction(streamSession(work), (tx) => stream.run(tx), { signal: signals })
      .then((outcome) => (outcome === null ? body.finish() : began.resolve(render(work.plan, outcome))))
      .catch((error: unknown) => stream.fail(error, began.reject))
      .finally(() => {
        clearTimeout(timer);
        if (stream.holdsPlace) this.open -= 1;
      });
    return began.promise;
  }

  private take(): void {
    if (this.open >= this.terms.maxOpen) throw fault('PGRSTX10', { details: `${this.terms.maxOpen} streams are being read`, hint: 'Ask again when one of them has ended, or for fewer rows.', headers: { 'Retry-After': '5' } });
    this.open += 1;
  }
}

/** With an exact count all statements must see the same rows. The cursor is read to its end, and planned for that. */
function streamSession({ plan, session }: StreamWork): Session {
  const isCounted = plan.request.preferences.count === 'exact';
  return {
    ...session,
    ...(isCounted && session.isolation === undefined ? { isolation: 'repeatable read' } : {}),
    // A transaction waits for its reader; how long is this house's matter, and only a dead process may be cut by the server.
    settings: { ...session.settings, cursor_tuple_fraction: '1', idle_in_transaction_session_timeout: '60s' },
  };
}

/** One stream on its way. */
class OpenStream {
  holdsPlace = false;
  private hasBegun = false;
  private readonly ending = new AbortController();
  private readonly statements: CompiledStream;
  private longest = 0;
  private pageRows = firstPageRows;

  constructor(
    private readonly work: StreamWork,
    private readonly body: PacedBody,
    private readonly begin: (answer: RestAnswer) => void,
    private readonly takePlace: () => void,
  ) {
    this.statements = compileStream(work.plan);
  }

  get expired(): AbortSignal {
    return this.ending.signal;
  }

  /** Gives the outcome of an answer that is small enough to be sent whole, or null when all was sent. */
  async run(tx: Transaction): Promise<Outcome | null> {
    const { plan, first } = this.work;
    if (first !== null) await tx.run(first);
    const pages = tx.lines(this.statements.lines, lineFormats[plan.lines], () => this.pageRows)[Symbol.asyncIterator]();
    const { pieces, rows, isAll } = await this.readHead(pages);
    const told = { ...(await toldBySql(tx)), total: await this.total(tx, rows, isAll) };
    if (isAll) return { ...told, page: rows, body: Buffer.concat(pieces).toString(), inserted: null, location: null };
    this.takePlace();
    this.holdsPlace = true;
    await tx.run(untimed(this.work.session));
    const answer = renderStream(plan, told, this.body);
    this.hasBegun = true;
    this.begin(answer);
    await this.send(pieces);
    for (let page = await pages.next(); page.done !== true; page = await pages.next()) await this.send(this.measured(page.value));
    return null;
  }

  /** An error before anything was sent is an answer; later it is the last line, or a transfer that breaks off. */
  fail(error: unknown, refuse: (error: unknown) => void): void {
    const answer = this.work.answerOf(this.expired.aborted ? this.expired.reason : error);
    if (!this.hasBegun) return refuse(answer);
    if (this.body.destroyed) return;
    if (this.work.plan.lines === 'csv') return void this.body.destroy(error as Error);
    this.body.push(errorLine(answer instanceof Fault ? answer : fault('PGRSTX00')));
    this.body.finish();
  }

  expire(seconds: number): void {
    this.ending.abort(fault('PGRSTX11', { details: `A stream may last ${seconds} s.` }));
  }

  /** Reads until all is read, or too much to be sent whole. */
  private async readHead(pages: AsyncIterator<LinePage>): Promise<{ pieces: readonly Uint8Array[]; rows: number; isAll: boolean }> {
    const pieces: Uint8Array[] = [];
    let rows = 0;
    let bytes = 0;
    for (let page = await pages.next(); ; page = await pages.next()) {
      if (rows === 0) pieces.push(Buffer.from(headOf(this.work.plan, page.done === true ? null : page.value)));
      if (page.done === true) return { pieces, rows, isAll: true };
      pieces.push(...this.measured(page.value));
      rows += page.value.rows;
      bytes += page.value.pieces.reduce((sum, { length }) => sum + length, 0);
      if (bytes > wholeBytes) return { pieces, rows, isAll: false };
    }
  }

  /** Rows of very different size could make a page of any size: the largest seen decides, and pages grow slowly. */
  private measured({ pieces, longest }: LinePage): readonly Uint8Array[] {
    this.longest = Math.max(this.longest, longest, 1);
    this.pageRows = Math.max(1, Math.min(mostPageRows, this.pageRows * 4, Math.floor(pageBytes / this.longest)));
    return pieces;
  }

  private async send(pieces: readonly Uint8Array[]): Promise<void> {
    for (const piece of pieces) if (piece.length > 0) await this.body.put(piece);
  }

  private async total(tx: Transaction, page: number, isAll: boolean): Promise<number | null> {
    const { plan } = this.work;
    const { total, estimate } = this.statements;
    if (total !== null) return Number((await tx.run(total)).rows[0]?.[0]);
    if (estimate === null) return null;
    const { rows } = await tx.run(estimate);
    const guess = estimatedTotal(plan, { total: null, page, body: null, headers: null, status: null, inserted: null, location: null }, rows);
    return isAll && plan.request.preferences.count === 'estimated' && plan.root.window.offset === 0 && page < (plan.root.window.limit ?? Infinity) ? page : guess;
  }
}

/**
 * Lifts the limit of the login's transactions, which is meant for requests (PostgreSQL 17 and later have it); what the caller's
 * role itself says holds. The timer only begins anew if it was stopped.
 */
function untimed({ settings }: Session): SqlStatement {
  const ofRole = settings['transaction_timeout'] ?? '0';
  const text = `select case when current_setting('server_version_num')::int >= 170000 then set_config('transaction_timeout', '0', true) || set_config('transaction_timeout', $1, true) end`;
  return { text, values: [ofRole] };
}

/** What functions and the pre-request have set for the answer so far. */
async function toldBySql(tx: Transaction): Promise<Pick<Outcome, 'headers' | 'status'>> {
  const { rows } = await tx.run({ text: `select nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '')`, values: [] });
  const [headers = null, status = null] = rows[0] ?? [];
  return { headers, status };
}
