import { asStream, compile, makePlan, parse, readExplained, readOutcome, render, renderDescription, verify, withBody, withEstimate, type Compiled, type Outcome, type Plan, type PlanRequest, type RestAnswer, type RestRequest, type StatementPlan, type StreamPlan } from '@mainstay/dialect';
import { isService, type Caller } from '@mainstay/domain';
import { ConnectionLost, isDatabaseError, sessionOf, type Database, type Result, type RunTerms, type Session, type Statement, type Transaction } from '@mainstay/persistence';
import type { Known, SchemaKeeper, SchemaState } from './schema-keeper.ts';
import { answerOfError } from './database-answers.ts';
import { restSession } from './rest-session.ts';
import { PlanCache, type Planned } from './plan-cache.ts';
import { StatementNames } from './statement-names.ts';
import { defaultStreamTerms, Streams, type StreamTerms } from './streams.ts';

/** serialization_failure, deadlock_detected. */
const hindrances = new Set(['40001', '40P01']);
const mostTries = 4;

/** Answers `/rest/v1`. */
export class RestService {
  private readonly names = new StatementNames();
  private readonly plans = new PlanCache();
  private readonly streams: Streams;

  constructor(
    private readonly database: Database,
    private readonly schema: SchemaKeeper,
    private readonly guestRole: string,
    private readonly house: HouseTerms = {},
  ) {
    this.streams = new Streams(database, house.streams ?? defaultStreamTerms);
  }

  /**
   * The whole life of a data request. Each stage takes the last one's value; none calls back.
   * @throws Fault for every answer that is a refusal, the database's own among them.
   */
  async answer(http: RestRequest, caller: Caller, terms: RunTerms = {}): Promise<RestAnswer> {
    const asked = this.read(http, caller);
    if (asked.plan.kind === 'describe') return renderDescription(asked.plan);
    const stream = asStream(asked.plan, this.house.streams ?? defaultStreamTerms);
    if (stream !== null) return this.stream(stream, asked, terms);
    const work = this.prepare(asked.plan, asked);
    return this.answerWith(work, () => this.untilSettled(() => this.run(work, terms)));
  }

  /**
   * Answers a request inside a transaction that is open: one of many that commit, or not, together. Whether it may write is
   * the transaction's matter, and undoing it is its owner's. @throws Fault as `answer` does; the transaction has failed then.
   */
  async answerWithin(tx: Transaction, http: RestRequest, caller: Caller): Promise<RestAnswer> {
    const asked = this.read(http, caller);
    if (asked.plan.kind === 'describe') return renderDescription(asked.plan);
    const work = this.prepare(asked.plan, asked);
    return this.answerWith(work, async () => {
      await tx.become({ ...work.session, settings: { ...work.session.settings, ...noAnswerSettings } });
      return runSteps(tx, work);
    });
  }

  /** Opens a transaction as the caller for requests that `answerWithin` answers. It is done again where another hindered it. */
  async transaction<T>(caller: Caller, access: Pick<Session, 'isReadOnly' | 'isolation'>, work: (tx: Transaction) => Promise<T>, terms: RunTerms = {}): Promise<T> {
    const session = { ...sessionOf(caller), ...access };
    try {
      return await this.untilSettled(() => this.database.transaction(session, work, terms));
    } catch (error) {
      throw answerOfError(error, { isAnonymous: caller.role === this.guestRole, isReadOnly: access.isReadOnly === true });
    }
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
        if (!isDatabaseError(error) || !hindrances.has(error.code ?? '') || tries === mostTries) throw error;
      }
    }
  }

  private read(http: RestRequest, caller: Caller): Asked {
    const known = this.schema.current();
    const terms = { mayChooseTx: isService(caller) };
    const planRequest: PlanRequest = (given, body) => makePlan(withBody(parse(given, known.options, terms), body), known.cache, known.options);
    return { http, caller, known, ...this.plans.plan(http, `${known.version} ${caller.role}`, known.options.limits, planRequest) };
  }

  private stream(plan: StreamPlan, { http, caller, known }: Asked, terms: RunTerms): Promise<RestAnswer> {
    const { preRequest } = known.options;
    return this.streams.answer(
      {
        plan,
        session: restSession(http, plan, caller, known),
        first: preRequest === null ? null : { text: preRequestSql(preRequest), values: [] },
        answerOf: (error) => answerOfError(error, { isAnonymous: caller.role === this.guestRole, isReadOnly: true }),
      },
      terms,
    );
  }

  private prepare(plan: StatementPlan, { http, caller, known, statements }: Asked): Work {
    return { plan, caller, statements: statements ?? compile(plan), session: restSession(http, plan, caller, known), preRequest: known.options.preRequest };
  }

  private async answerWith({ plan, caller }: Work, run: () => Promise<Outcome>): Promise<RestAnswer> {
    try {
      return render(plan, await run());
    } catch (error) {
      throw answerOfError(error, { isAnonymous: caller.role === this.guestRole, isReadOnly: plan.access.isReadOnly });
    }
  }

  /** One round trip where it will do; an open transaction where the outcome may be undone or several statements are needed. */
  private async run(work: Work, terms: RunTerms): Promise<Outcome> {
    const { plan, statements, session } = work;
    const { mustWatch, mustRollBack } = plan.access;
    const isSimple = !mustWatch && !mustRollBack && statements.estimate === null && session.isolation === undefined && work.preRequest === null;
    if (!isSimple) return this.runInTransaction(work, terms);
    const result = await this.onceOrAgain(session, this.named(statements.main), terms);
    const outcome = outcomeOf(plan, result);
    verify(plan, outcome);
    return outcome;
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
}

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
}

/** An answer's settings last as long as the transaction: the next request in it must not find those of the one before. */
const noAnswerSettings = { 'response.headers': '', 'response.status': '' };

async function runSteps(tx: Transaction, { plan, statements: { main, estimate }, preRequest }: Work): Promise<Outcome> {
  if (preRequest !== null) await tx.run({ text: preRequestSql(preRequest), values: [] });
  const outcome = outcomeOf(plan, await tx.run(main));
  verify(plan, outcome);
  return estimate === null ? outcome : withEstimate(plan, outcome, (await tx.run(estimate)).rows);
}

function outcomeOf(plan: StatementPlan, { rows }: Result): Outcome {
  return plan.answer.media.kind === 'plan' ? readExplained(rows) : readOutcome(rows);
}

/** Thrown through the transaction to undo it; carries the answer out. */
class RolledBack extends Error {
  constructor(readonly outcome: Outcome) {
    super('rolled back as asked');
  }
}

/** Deferred constraints are checked as a commit would, so that the answer tells the same. */
async function rollBack(tx: Transaction, outcome: Outcome): Promise<never> {
  await tx.run({ text: 'set constraints all immediate', values: [] });
  throw new RolledBack(outcome);
}

function preRequestSql({ schema, name }: { schema: string; name: string }): string {
  const quote = (word: string): string => `"${word.replaceAll('"', '""')}"`;
  return `select ${schema === '' ? '' : `${quote(schema)}.`}${quote(name)}()`;
}

