import { batchFault, defaultLimits, entryRequest, parseBatch, renderBatchAnswer, type Batch, type Isolation, type RestAnswer, type RestRequest, type StatementPlan } from '@mainstay/dialect';
import { Fault, type Caller } from '@mainstay/domain';
import type { Session, Transaction } from '@mainstay/persistence';
import type { RestService } from './rest.service.ts';
import type { AnswerTerms } from './work.ts';

export interface BatchTerms {
  /** Most requests of one batch. */
  readonly maxEntries: number;
  /** Longest body of one request, after what earlier answers hold was put in. */
  readonly maxBodyBytes: number;
}

/** A refusal of one request of a batch, and so of the whole: the answer that it would have had alone, and which it is. */
export class EntryFault extends Fault {
  constructor(
    readonly index: number,
    { code, status, message, details, hint, headers }: Fault,
    cause: unknown,
  ) {
    super(code, { status, message }, { details, hint, headers, cause });
  }
}

/** What the answers of one batch may take together: they are held until the commit. */
const mostAnswerLength = 64 * 1024 ** 2;
const strictness: readonly Isolation[] = ['read committed', 'repeatable read', 'serializable'];

/** Answers `/batch/v1`: requests of the data API that are done in one transaction, all of them or none. */
export class BatchService {
  constructor(
    private readonly rest: RestService,
    private readonly terms: BatchTerms,
  ) {}

  /**
   * Answers a batch with the list of its answers.
   * @param around The headers that the batch came with: its requests are seen by SQL as having them.
   * @throws Fault for a batch that cannot be read; EntryFault for a request that is refused.
   */
  async answer(bytes: Uint8Array, around: RestRequest['headers'], caller: Caller, terms: AnswerTerms = {}): Promise<RestAnswer> {
    const batch = parseBatch(bytes, { maxEntries: this.terms.maxEntries, jsonDepth: defaultLimits.jsonDepth });
    const isolation = batch.isolation ?? this.rest.isolationOf(caller);
    const access = { isReadOnly: batch.isReadOnly, isolation };
    const work = (tx: Transaction): Promise<RestAnswer> => this.run(tx, batch, isolation, headersOf(around), caller);
    if (this.rest.mayRollBack(caller) && /(^|,)\s*tx=rollback\s*(,|$)/.test(around['prefer'] ?? '')) return this.rest.transactionUndone(caller, access, work, terms);
    return terms.keyed && !batch.isReadOnly ? this.rest.transactionOnce(caller, terms.keyed, access, work, terms) : this.rest.transaction(caller, access, work, terms);
  }

  private async run(tx: Transaction, batch: Batch, isolation: Isolation, around: RestRequest['headers'], caller: Caller): Promise<RestAnswer> {
    const session = await SharedSession.open(tx, this.rest, caller, isolation);
    const answers: RestAnswer[] = [];
    const texts: string[] = [];
    let length = 0;
    for (const [index, entry] of batch.entries.entries()) {
      try {
        const http = entryRequest(entry, { answers, maxLength: this.terms.maxBodyBytes }, around);
        const answer = await this.rest.answerWithin(tx, http, caller, (own, plan) => session.fit(own, plan));
        answers.push(answer);
        texts.push(renderBatchAnswer(answer));
      } catch (error) {
        throw error instanceof Fault ? new EntryFault(index, error, error) : error;
      }
      if ((length += texts.at(-1)!.length) > mostAnswerLength) throw new EntryFault(index, batchFault('batch_answer_too_large', { details: `They may take ${mostAnswerLength / 1024 ** 2} MiB.` }), null);
    }
    return { status: 200, headers: [['Content-Type', 'application/json; charset=utf-8']], body: `[${texts.join(',\n')}]` };
  }
}

/** The requests of a batch are JSON and speak of themselves: what the batch says of its own body and answer is not theirs. */
function headersOf(around: RestRequest['headers']): RestRequest['headers'] {
  const of = ['accept', 'accept-profile', 'content-profile', 'content-type', 'content-length', 'content-encoding', 'transfer-encoding', 'prefer', 'range', 'range-unit', 'if-match', 'if-none-match', 'idempotency-key'];
  return Object.fromEntries(Object.entries(around).filter(([name]) => !of.includes(name)));
}

/** What stays from request to request in one transaction, and what must not. */
class SharedSession {
  /** Settings that one request brought with it, and what they were before. */
  private readonly before = new Map<string, string>();

  private constructor(
    private readonly tx: Transaction,
    private readonly isolation: Isolation,
    /** By `performance.now()`; null where the role may take as long as it likes. */
    private readonly endsAt: number | null,
  ) {}

  /** The role's `statement_timeout` is for a request, and the batch is one. */
  static async open(tx: Transaction, rest: RestService, caller: Caller, isolation: Isolation): Promise<SharedSession> {
    const { statement_timeout: timeout } = rest.settingsOf(caller);
    await tx.become({ role: caller.role, settings: timeout === undefined ? {} : { statement_timeout: timeout } });
    const [row] = await tx.rows<{ milliseconds: number }>(`select setting::integer as milliseconds from pg_catalog.pg_settings where name = 'statement_timeout'`);
    return new SharedSession(tx, isolation, row!.milliseconds === 0 ? null : performance.now() + row!.milliseconds);
  }

  /** @throws Fault 57014 when the time is up, `batch_isolation_too_weak` */
  async fit({ role, settings, isolation }: Session, plan: StatementPlan): Promise<Session> {
    // A function may want it, the role, or a precondition: what was checked must be what is written.
    if (isolation !== undefined && strictness.indexOf(isolation) > strictness.indexOf(this.isolation)) {
      throw batchFault('batch_isolation_too_weak', { details: `It wants ${isolation}; the batch has ${this.isolation}.`, hint: `Send {"isolation": "${isolation}", "requests": […]}.` });
    }
    const back = Object.fromEntries(this.before);
    const brought = [...Object.keys(plan.access.settings), ...(plan.request.preferences.timezone === null ? [] : ['timezone'])];
    for (const name of brought) await this.remember(name);
    return { role, settings: { ...back, ...settings, ...this.timeLeft() } };
  }

  private async remember(name: string): Promise<void> {
    if (this.before.has(name)) return;
    const [row] = await this.tx.rows<{ value: string | null }>('select current_setting($1, true) as value', [name]);
    this.before.set(name, row!.value ?? '');
  }

  private timeLeft(): Record<string, string> {
    if (this.endsAt === null) return {};
    const left = Math.floor(this.endsAt - performance.now());
    if (left < 1) throw new Fault('57014', { status: 500, message: 'canceling statement due to statement timeout' });
    return { statement_timeout: String(left) };
  }
}
