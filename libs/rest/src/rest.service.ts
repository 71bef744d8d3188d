import { randomBytes } from 'node:crypto';
import { asStream, compile, makePlan, parse, readExplained, readOutcome, refuseUnfiltered, render, renderDescription, verify, withBody, withEstimate, type Compiled, type Isolation, type Outcome, type Plan, type PlanRequest, type RestAnswer, type RestRequest, type StatementPlan, type StreamPlan } from '@mainstay/dialect';
import { Fault, isService, type Caller } from '@mainstay/domain';
import { ConnectionLost, isDatabaseError, keepReply, recallReply, sessionOf, type Database, type KeptReply, type KeyedRequest, type Result, type RunTerms, type Session, type Statement, type Transaction } from '@mainstay/persistence';
import { CostGuard } from './cost-guard.ts';
import type { Known, SchemaKeeper, SchemaState } from './schema-keeper.ts';
import { answerOfError } from './database-answers.ts';
import { insertNested } from './insert-nested.ts';
import { restSession } from './rest-session.ts';
import { isRoot, RootDescription } from './root-description.ts';
import { preconditionOf, withEtag, type Precondition } from './etags.ts';
import { Cursors } from './cursors.ts';
import { PlanCache, type Planned } from './plan-cache.ts';
import { Timing } from './timing.ts';
import { StatementNames } from './statement-names.ts';
import { defaultStreamTerms, Streams, type StreamTerms } from './streams.ts';

/** serialization_failure, deadlock_detected. */
const hindrances = new Set(['40001', '40P01']);
const mostTries = 4;

/** Answers `/rest/v1`. */
export class RestService {
  private readonly names = new StatementNames();
  private readonly plans = new PlanCache();
  private readonly costs = new CostGuard();
  /** What the API tells of itself. */
  readonly root: RootDescription;
  private readonly streams: Streams;
  private readonly cursors: Cursors;

  constructor(
    private readonly database: Database,
    private readonly schema: SchemaKeeper,
    private readonly guestRole: string,
    private readonly house: HouseTerms = {},
  ) {
    this.root = new RootDescription(database, schema);
    this.streams = new Streams(database, house.streams ?? defaultStreamTerms);
    this.cursors = new Cursors(house.cursorKey ?? randomBytes(32));
  }

  /**
   * The whole life of a data request. Each stage takes the last one's value; none calls back.
   * @throws Fault for every answer that is a refusal, the database's own among them.
   */
  async answer(http: RestRequest, caller: Caller, terms: AnswerTerms = {}): Promise<RestAnswer> {
    const timing = this.schema.current().options.isTimingShown ? new Timing(terms.askedAt ?? performance.now()) : undefined;
    timing?.end('jwt');
    const answer = withEtag(http, this.cursors.linked(http, await this.answerAnew(http, caller, { ...terms, timing })));
    return timing === undefined ? answer : { ...answer, headers: [...answer.headers, timing.header()] };
  }

  private async answerAnew(asAsked: RestRequest, caller: Caller, terms: AnswerTerms): Promise<RestAnswer> {
    const http = isRoot(asAsked) ? this.root.lead(asAsked) : asAsked;
    if (isRoot(http)) return this.root.answer(http, caller);
    const asked = this.read(http, caller, terms.timing);
    if (asked.plan.kind === 'describe') return renderDescription(asked.plan);
    const work = this.prepare(asked.plan, asked);
    terms.timing?.end('plan');
    const stream = asStream(asked.plan, this.house.streams ?? defaultStreamTerms);
    if (stream !== null) {
      await this.refusing(work, () => this.checkCost(work, asked.known, terms));
      return this.stream(stream, asked, terms);
    }
    const { isReadOnly, mustRollBack } = work.plan.access;
    // What changes nothing needs no promise to change it once.
    if (terms.keyed && !isReadOnly && !mustRollBack) return this.answerOnce(work, terms.keyed, terms);
    return this.answerWith(work, async () => {
      await this.checkCost(work, asked.known, terms);
      return this.untilSettled(() => this.run(work, terms));
    }, terms.timing);
  }

  /**
   * Answers a request inside a transaction that is open: one of many that commit, or not, together. Whether it may write is
   * the transaction's matter, and undoing it is its owner's. @throws Fault as `answer` does; the transaction has failed then.
   */
  async answerWithin(tx: Transaction, http: RestRequest, caller: Caller, fit: Fit = asItIs): Promise<RestAnswer> {
    const asked = this.read(http, caller);
    if (asked.plan.kind === 'describe') return renderDescription(asked.plan);
    const work = this.prepare(asked.plan, asked);
    const answer = await this.answerWith(work, async () => {
      const { role, settings } = await fit(work.session, work.plan);
      const isReadOnly = work.plan.access.isReadOnly;
      const session = { role, settings: { ...settings, ...noAnswerSettings, ...(isReadOnly ? readOnly : {}) } };
      const steps = async (): Promise<Outcome> => {
        await this.costs.check(work.plan, work.statements, caller, asked.known.options, (statement) => tx.runAs(session, statement));
        if (isOneStatement(work)) return settled(work.plan, await tx.runAs(session, this.named(work.statements.main)));
        await tx.become(session);
        return runSteps(tx, work);
      };
      if (work.plan.access.mustRollBack) return undone(tx, steps);
      // Read-only cannot be taken back inside a transaction, but it ends with the savepoint that it began in.
      return isReadOnly ? tx.savepoint(steps) : steps();
    });
    return withEtag(http, this.cursors.linked(http, answer));
  }

  /** Opens a transaction as the caller for requests that `answerWithin` answers. It is done again where another hindered it. */
  async transaction<T>(caller: Caller, access: Pick<Session, 'isReadOnly' | 'isolation'>, work: (tx: Transaction) => Promise<T>, terms: RunTerms = {}): Promise<T> {
    const session = { ...sessionOf(caller), ...access };
    try {
      return await this.untilSettled(() => this.database.transaction(session, work, terms));
    } catch (error) {
      throw answerOfError(error, { isAnonymous: this.isGuest(caller), isReadOnly: access.isReadOnly === true });
    }
  }

  /** As `transaction`, for requests that came with a key: they are done once, and what they were answered is kept with what they did. */
  async transactionOnce(caller: Caller, keyed: KeyedRequest, access: Pick<Session, 'isolation'>, work: (tx: Transaction) => Promise<RestAnswer>, terms: RunTerms = {}): Promise<RestAnswer> {
    try {
      return await this.once(keyed, caller.role, access, async (tx) => {
        await tx.become(sessionOf(caller));
        return work(tx);
      }, terms);
    } catch (error) {
      throw answerOfError(error, { isAnonymous: this.isGuest(caller), isReadOnly: false });
    }
  }

  /** As `transaction`, and nothing of it stays. */
  async transactionUndone<T>(caller: Caller, access: Pick<Session, 'isReadOnly' | 'isolation'>, work: (tx: Transaction) => Promise<T>, terms: RunTerms = {}): Promise<T> {
    try {
      return await this.transaction(caller, access, async (tx) => rollBack(tx, await work(tx)), terms);
    } catch (error) {
      if (error instanceof RolledBack) return error.outcome as T;
      throw error;
    }
  }

  /** The isolation of a caller's transactions, where a request does not say. */
  isolationOf(caller: Caller): Isolation {
    return this.schema.current().cache.roles.get(caller.role)?.isolation ?? 'read committed';
  }

  /** What `ALTER ROLE … SET` says of a caller's role. */
  settingsOf(caller: Caller): Readonly<Record<string, string>> {
    return this.schema.current().cache.roles.get(caller.role)?.settings ?? {};
  }

  /** Whether a caller may have `Prefer: tx=rollback` heard. */
  mayRollBack(caller: Caller): boolean {
    return mayChooseTx(this.schema.current(), caller);
  }

  /** Makes one request of any number that come with the same key: whoever is not the first is given the answer of the first. */
  private answerOnce(work: Work, keyed: KeyedRequest, terms: RunTerms): Promise<RestAnswer> {
    const { session, plan, caller } = work;
    return this.refusing(work, () =>
      this.once(keyed, caller.role, session, async (tx) => {
        await tx.become(session);
        return render(plan, await runSteps(tx, work));
      }, terms),
    );
  }

  /** Runs `work` unless its key has an answer, and keeps its answer in the same transaction. It begins as the login and ends as `role`. */
  private once(keyed: KeyedRequest, role: string, { isolation }: Pick<Session, 'isolation'>, work: (tx: Transaction) => Promise<RestAnswer>, terms: RunTerms): Promise<RestAnswer> {
    const asLogin: Session = { role: null, settings: {}, ...(isolation === undefined ? {} : { isolation }) };
    const first = async (tx: Transaction): Promise<RestAnswer> => {
      const kept = await recallReply(tx, keyed);
      if (kept !== null) return { ...kept, headers: [...kept.headers, ['Idempotency-Replayed', 'true']] };
      const answer = await work(tx);
      await keepReply(tx, keyed, answer as KeptReply, role);
      return answer;
    };
    return this.untilSettled(() => this.database.transaction(asLogin, first, terms));
  }

  /** Whether an `Idempotency-Key` is heard. */
  get keepsAnswers(): boolean {
    return this.house.keepsAnswers === true;
  }

  /** The state of the schema cache, for the health page. */
  schemaCacheState(): SchemaState {
    return this.schema.state();
  }

  /** Two transactions that hinder each other both roll back whole, so the work may simply be done again. */
  private async untilSettled<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await work();
      } catch (error) {
        // In a transaction of many requests the error has become the answer of one of them.
        const code = isDatabaseError(error) || error instanceof Fault ? error.code : null;
        if (!hindrances.has(code ?? '') || tries === mostTries) throw error;
      }
    }
  }

  /** The guest's role may change while we run. */
  private isGuest(caller: Caller): boolean {
    return caller.role === (this.schema.current().options.guestRole ?? this.guestRole);
  }

  private read(http: RestRequest, caller: Caller, timing?: Timing): Asked {
    const known = this.schema.current();
    const terms = { mayChooseTx: mayChooseTx(known, caller) };
    const planRequest: PlanRequest = (given, body) => {
      const request = this.cursors.opened(withBody(parse(given, known.options, terms), body));
      timing?.end('parse');
      return makePlan(request, known.cache, known.options);
    };
    const planned = this.plans.plan(http, `${known.version} ${caller.role}`, known.options.limits, planRequest);
    refuseUnfiltered(planned.plan, caller.role, known.options);
    return { http, caller, known, ...planned };
  }

  private stream(plan: StreamPlan, { http, caller, known }: Asked, terms: RunTerms): Promise<RestAnswer> {
    const { preRequest } = known.options;
    return this.streams.answer(
      {
        plan,
        session: restSession(http, plan, caller, known),
        first: preRequest === null ? null : { text: preRequestSql(preRequest), values: [] },
        answerOf: (error) => answerOfError(error, { isAnonymous: this.isGuest(caller), isReadOnly: true }),
      },
      terms,
    );
  }

  private prepare(plan: StatementPlan, { http, caller, known, statements }: Asked): Work {
    const check = plan.kind === 'write' ? preconditionOf(http, plan, known) : null;
    const session = restSession(http, plan, caller, known);
    return {
      plan,
      caller,
      statements: statements ?? compile(plan),
      // What was checked is what is written: if the row changes in between, the transaction fails and is done again.
      session: check === null ? session : { ...session, isolation: session.isolation ?? 'repeatable read' },
      preRequest: known.options.preRequest,
      check,
    };
  }

  /** In a round trip of its own: most requests have no aggregate, and of those that have the estimate is often known. */
  private checkCost({ plan, statements, caller, session }: Work, { options }: Known, terms: RunTerms): Promise<void> {
    return this.costs.check(plan, statements, caller, options, (statement) => this.onceOrAgain(session, statement, terms));
  }

  private answerWith(work: Work, run: () => Promise<Outcome>, timing?: Timing): Promise<RestAnswer> {
    return this.refusing(work, async () => {
      const outcome = await run();
      timing?.end('transaction');
      const answer = render(work.plan, outcome);
      timing?.end('response');
      return answer;
    });
  }

  private async refusing<T>({ plan, caller }: Work, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw answerOfError(error, { isAnonymous: this.isGuest(caller), isReadOnly: plan.access.isReadOnly });
    }
  }

  /** One round trip where it will do; an open transaction where the outcome may be undone or several statements are needed. */
  private async run(work: Work, terms: RunTerms): Promise<Outcome> {
    const { plan, statements, session } = work;
    const { mustWatch, mustRollBack } = plan.access;
    const isSimple = !mustWatch && !mustRollBack && statements.estimate === null && session.isolation === undefined && work.preRequest === null;
    if (!isSimple) return this.runInTransaction(work, terms);
    const result = await this.onceOrAgain(session, this.named(statements.main), terms);
    return settled(plan, result);
  }

  /** A read may be repeated: if the connection broke, nothing happened. */
  private async onceOrAgain(session: Session, statement: Statement, terms: RunTerms): Promise<Result> {
    try {
      return await this.database.once(session, statement, terms);
    } catch (error) {
      if (!(error instanceof ConnectionLost) || !session.isReadOnly) throw error;
      return await this.database.once(session, statement, terms);
    }
  }

  private async runInTransaction(work: Work, terms: RunTerms): Promise<Outcome> {
    const steps = async (tx: Transaction): Promise<Outcome> => {
      const outcome = await runSteps(tx, work);
      return work.plan.access.mustRollBack ? rollBack(tx, outcome) : outcome;
    };
    try {
      return await this.database.transaction(work.session, steps, terms);
    } catch (error) {
      if (error instanceof RolledBack) return error.outcome;
      throw error;
    }
  }

  private named({ text, values }: Compiled['main']): Statement {
    const name = this.names.of(text);
    return name === null ? { text, values } : { text, values, name };
  }
}

/** What the operator decided that the database has no word in. */
export interface HouseTerms {
  readonly streams?: StreamTerms;
  /** Signs what clients are given to bring back; without one it is good for this process only. */
  readonly cursorKey?: Uint8Array;
  /** The database has our tables, and answers are kept there under the `Idempotency-Key` of their requests. */
  readonly keepsAnswers?: boolean;
}

/** Who waits for an answer, and the promise that is kept with it. */
export interface AnswerTerms extends RunTerms {
  /** The request's `Idempotency-Key`; it means something for writes only. */
  readonly keyed?: KeyedRequest | null;
  /** When the request began, by the monotonic clock. */
  readonly askedAt?: number;
  /** Of our own making, where `Server-Timing` is told. */
  readonly timing?: Timing | undefined;
}

/** Fits the session of a request into a transaction that has run others before. */
export type Fit = (session: Session, plan: StatementPlan) => Session | Promise<Session>;

const asItIs: Fit = (session) => session;

/** A request with what is to be done for it. */
interface Asked {
  readonly http: RestRequest;
  readonly caller: Caller;
  readonly known: Known;
  readonly plan: Plan;
  readonly statements: Planned['statements'];
}

/** What is to be run, and as whom. */
interface Work {
  readonly plan: StatementPlan;
  readonly caller: Caller;
  readonly statements: Compiled;
  readonly session: Session;
  readonly preRequest: Known['options']['preRequest'];
  readonly check: Precondition | null;
}

/** An answer's settings last as long as the transaction: the next request in it must not find those of the one before. */
const noAnswerSettings = { 'response.headers': '', 'response.status': '', 'pgrst.inserted': '' };

async function runSteps(tx: Transaction, { plan, statements: { main, estimate }, preRequest, check }: Work): Promise<Outcome> {
  if (preRequest !== null) await tx.run({ text: preRequestSql(preRequest), values: [] });
  await check?.(tx);
  const outcome = plan.kind === 'write' && plan.nested !== null ? await insertNested(tx, plan) : outcomeOf(plan, await tx.run(main));
  verify(plan, outcome);
  return estimate === null ? outcome : withEstimate(plan, outcome, (await tx.run(estimate)).rows);
}

/** Whether nothing goes before or after the main statement. */
function isOneStatement({ plan, statements, preRequest, check }: Work): boolean {
  return preRequest === null && check === null && statements.estimate === null && (plan.kind !== 'write' || plan.nested === null);
}

function settled(plan: StatementPlan, result: Result): Outcome {
  const outcome = outcomeOf(plan, result);
  verify(plan, outcome);
  return outcome;
}

function outcomeOf(plan: StatementPlan, { rows }: Result): Outcome {
  return plan.answer.media.kind === 'plan' ? readExplained(rows) : readOutcome(rows);
}

const readOnly = { transaction_read_only: 'on' };

/** Undoes one request of several, as it asked, and gives what it did. */
async function undone(tx: Transaction, steps: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await tx.savepoint(async () => {
      throw new RolledBack(await steps());
    });
  } catch (error) {
    if (error instanceof RolledBack) return error.outcome;
    throw error;
  }
}

/** Thrown through the transaction to undo it; carries the answer out. */
class RolledBack<T = Outcome> extends Error {
  constructor(readonly outcome: T) {
    super('rolled back as asked');
  }
}

/** Deferred constraints are checked as a commit would, so that the answer tells the same. */
async function rollBack<T>(tx: Transaction, outcome: T): Promise<never> {
  await tx.run({ text: 'set constraints all immediate', values: [] });
  throw new RolledBack(outcome);
}

function preRequestSql({ schema, name }: { schema: string; name: string }): string {
  const quote = (word: string): string => `"${word.replaceAll('"', '""')}"`;
  return `select ${schema === '' ? '' : `${quote(schema)}.`}${quote(name)}()`;
}

function mayChooseTx({ options: { whoChoosesTx = 'service' } }: Known, caller: Caller): boolean {
  return whoChoosesTx === 'everybody' || (whoChoosesTx === 'service' && isService(caller));
}
