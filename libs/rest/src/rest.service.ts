import { randomBytes } from 'node:crypto';
import { asStream, compile, makePlan, parse, refuseUnfiltered, render, renderDescription, withBody, type Isolation, type Outcome, type PlanRequest, type RestAnswer, type RestRequest, type StatementPlan, type StreamPlan } from '@mainstay/dialect';
import { isService, type Caller } from '@mainstay/domain';
import { sessionOf, type Database, type KeyedRequest, type RunTerms, type Session, type Transaction } from '@mainstay/persistence';
import { Cursors } from './cursors.ts';
import { answerOfError } from './database-answers.ts';
import { preconditionOf, withEtag } from './etags.ts';
import { KeyedRequests } from './keyed-requests.ts';
import { PlanCache } from './plan-cache.ts';
import { restSession } from './rest-session.ts';
import { evenIfRolledBack, rollBack } from './roll-back.ts';
import { isRoot, RootDescription } from './root-description.ts';
import { preRequestStatement, Runner, runSteps } from './runner.ts';
import type { Known, SchemaKeeper, SchemaState } from './schema-keeper.ts';
import { defaultStreamTerms, Streams, type StreamTerms } from './streams.ts';
import { Timing } from './timing.ts';
import { untilSettled } from './until-settled.ts';
import type { AnswerTerms, Asked, Fit, Work } from './work.ts';

/** What the operator decided that the database has no word in. */
export interface HouseTerms {
  readonly streams?: StreamTerms;
  /** Signs what clients are given to bring back; without one it is good for this process only. */
  readonly cursorKey?: Uint8Array;
  /** The database has our tables, and answers are kept there under the `Idempotency-Key` of their requests. */
  readonly keepsAnswers?: boolean;
}

/** Answers `/rest/v1`: reads and plans a request, has it run, and renders the outcome. */
export class RestService {
  private readonly plans = new PlanCache();
  private readonly runner: Runner;
  private readonly keyedRequests: KeyedRequests;
  /** What the API tells of itself. */
  readonly root: RootDescription;
  private readonly streams: Streams;
  private readonly streamTerms: StreamTerms;
  private readonly cursors: Cursors;

  constructor(
    private readonly database: Database,
    private readonly schema: SchemaKeeper,
    private readonly guestRole: string,
    private readonly house: HouseTerms = {},
  ) {
    this.runner = new Runner(database);
    this.keyedRequests = new KeyedRequests(database);
    this.root = new RootDescription(database, schema);
    this.streamTerms = house.streams ?? defaultStreamTerms;
    this.streams = new Streams(database, this.streamTerms);
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
    const stream = asStream(asked.plan, this.streamTerms);
    if (stream !== null) return this.stream(stream, work, terms);
    const { isReadOnly, mustRollBack } = work.plan.access;
    // What changes nothing needs no promise to change it once.
    if (terms.keyed && !isReadOnly && !mustRollBack) return this.answerOnce(work, terms.keyed, terms);
    return this.answerWith(work, () => this.runner.run(work, terms), terms.timing);
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

  private prepare(plan: StatementPlan, { http, caller, known, statements }: Asked): Work {
    const check = plan.kind === 'write' ? preconditionOf(http, plan, known) : null;
    const session = restSession(http, plan, caller, known);
    return {
      plan,
      caller,
      options: known.options,
      statements: statements ?? compile(plan),
      // What was checked is what is written: if the row changes in between, the transaction fails and is done again.
      session: check === null ? session : { ...session, isolation: session.isolation ?? 'repeatable read' },
      check,
    };
  }

  private answerWith(work: Work, run: () => Promise<Outcome>, timing?: Timing): Promise<RestAnswer> {
    return this.refusing(work.caller, work.plan.access.isReadOnly, async () => {
      const outcome = await run();
      timing?.end('transaction');
      const answer = render(work.plan, outcome);
      timing?.end('response');
      return answer;
    });
  }

  private async stream(plan: StreamPlan, work: Work, terms: RunTerms): Promise<RestAnswer> {
    const { caller, session, options: { preRequest } } = work;
    await this.refusing(caller, true, () => this.runner.checkCost(work, terms));
    return this.streams.answer(
      {
        plan,
        session,
        first: preRequest === null ? null : preRequestStatement(preRequest),
        answerOf: (error) => answerOfError(error, { isAnonymous: this.isGuest(caller), isReadOnly: true }),
      },
      terms,
    );
  }

  /** Makes one request of any number that come with the same key: whoever is not the first is given the answer of the first. */
  private answerOnce(work: Work, keyed: KeyedRequest, terms: RunTerms): Promise<RestAnswer> {
    const { session, plan, caller } = work;
    const first = async (tx: Transaction): Promise<RestAnswer> => {
      await tx.become(session);
      return render(plan, await runSteps(tx, work));
    };
    return this.refusing(caller, false, () => this.keyedRequests.once(keyed, caller.role, session, first, terms));
  }

  /** What the database refuses is told as the protocol words it. */
  private async refusing<T>(caller: Caller, isReadOnly: boolean, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw answerOfError(error, { isAnonymous: this.isGuest(caller), isReadOnly });
    }
  }

  /** The guest's role may change while we run. */
  private isGuest(caller: Caller): boolean {
    return caller.role === (this.schema.current().options.guestRole ?? this.guestRole);
  }

  // Many requests in one transaction, for /batch/v1.

  /**
   * Answers a request inside a transaction that is open: one of many that commit, or not, together. Whether it may write is
   * the transaction's matter, and undoing it is its owner's. @throws Fault as `answer` does; the transaction has failed then.
   */
  async answerWithin(tx: Transaction, http: RestRequest, caller: Caller, fit: Fit): Promise<RestAnswer> {
    const asked = this.read(http, caller);
    if (asked.plan.kind === 'describe') return renderDescription(asked.plan);
    const work = this.prepare(asked.plan, asked);
    return withEtag(http, this.cursors.linked(http, await this.answerWith(work, () => this.runner.runWithin(tx, work, fit))));
  }

  /** Opens a transaction as the caller for requests that `answerWithin` answers. It is done again where another hindered it. */
  transaction<T>(caller: Caller, access: Pick<Session, 'isReadOnly' | 'isolation'>, work: (tx: Transaction) => Promise<T>, terms: RunTerms = {}): Promise<T> {
    const session = { ...sessionOf(caller), ...access };
    return this.refusing(caller, access.isReadOnly === true, () => untilSettled(() => this.database.transaction(session, work, terms)));
  }

  /** As `transaction`, for requests that came with a key: they are done once, and what they were answered is kept with what they did. */
  transactionOnce(caller: Caller, keyed: KeyedRequest, access: Pick<Session, 'isolation'>, work: (tx: Transaction) => Promise<RestAnswer>, terms: RunTerms = {}): Promise<RestAnswer> {
    const asCaller = async (tx: Transaction): Promise<RestAnswer> => {
      await tx.become(sessionOf(caller));
      return work(tx);
    };
    return this.refusing(caller, false, () => this.keyedRequests.once(keyed, caller.role, access, asCaller, terms));
  }

  /** As `transaction`, and nothing of it stays. */
  transactionUndone<T>(caller: Caller, access: Pick<Session, 'isReadOnly' | 'isolation'>, work: (tx: Transaction) => Promise<T>, terms: RunTerms = {}): Promise<T> {
    return evenIfRolledBack(() => this.transaction(caller, access, async (tx): Promise<T> => rollBack(tx, await work(tx)), terms));
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

  /** Whether an `Idempotency-Key` is heard. */
  get keepsAnswers(): boolean {
    return this.house.keepsAnswers === true;
  }

  /** What its caches have to tell of themselves. */
  figures(): { readonly plans: ReturnType<PlanCache['figures']>; readonly schema: ReturnType<SchemaKeeper['figures']> } {
    return { plans: this.plans.figures(), schema: this.schema.figures() };
  }

  /** The state of the schema cache, for the health page. */
  schemaCacheState(): SchemaState {
    return this.schema.state();
  }
}

function mayChooseTx({ options: { whoChoosesTx = 'service' } }: Known, caller: Caller): boolean {
  return whoChoosesTx === 'everybody' || (whoChoosesTx === 'service' && isService(caller));
}
