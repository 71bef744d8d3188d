import { readExplained, readOutcome, verify, withEstimate, type Compiled, type Outcome, type StatementPlan } from '@mainstay/dialect';
import { ConnectionLost, type Database, type Result, type RunTerms, type Session, type Statement, type Transaction } from '@mainstay/persistence';
import { CostGuard } from './cost-guard.ts';
import { insertNested } from './insert-nested.ts';
import { evenIfRolledBack, rollBack, undone } from './roll-back.ts';
import { StatementNames } from './statement-names.ts';
import { untilSettled } from './until-settled.ts';
import type { Fit, Work } from './work.ts';

/** An answer's settings last as long as the transaction: the next request in it must not find those of the one before. */
const noAnswerSettings = { 'response.headers': '', 'response.status': '', 'pgrst.inserted': '' };
const readOnly = { transaction_read_only: 'on' };

/** Runs what was compiled, in a transaction of its own or in one that is open. */
export class Runner {
  private readonly names = new StatementNames();
  private readonly costs = new CostGuard();

  constructor(private readonly database: Database) {}

  /** Runs a request by itself: one round trip where that will do, a transaction of several where its outcome may be undone. */
  async run(work: Work, terms: RunTerms): Promise<Outcome> {
    await this.checkCost(work, terms);
    return untilSettled(() => (isSimple(work) ? this.runAtOnce(work, terms) : this.runInTransaction(work, terms)));
  }

  /** Runs a request inside an open transaction, whose owner undoes it if it fails. */
  async runWithin(tx: Transaction, work: Work, fit: Fit): Promise<Outcome> {
    const { plan, statements, caller, options } = work;
    const { isReadOnly, mustRollBack } = plan.access;
    const { role, settings } = await fit(work.session, plan);
    const session = { role, settings: { ...settings, ...noAnswerSettings, ...(isReadOnly ? readOnly : {}) } };
    const steps = async (): Promise<Outcome> => {
      await this.costs.check(plan, statements, caller, options, (statement) => tx.runAs(session, statement));
      if (isOneStatement(work)) return settled(plan, await tx.runAs(session, this.named(statements.main)));
      await tx.become(session);
      return runSteps(tx, work);
    };
    if (mustRollBack) return undone(tx, steps);
    // Read-only cannot be taken back inside a transaction, but it ends with the savepoint that it began in.
    return isReadOnly ? tx.savepoint(steps) : steps();
  }

  /** In a round trip of its own: most requests have no aggregate, and of those that have the estimate is often known. */
  checkCost({ plan, statements, caller, session, options }: Work, terms: RunTerms): Promise<void> {
    return this.costs.check(plan, statements, caller, options, (statement) => this.onceOrAgain(session, statement, terms));
  }

  private async runAtOnce({ plan, session, statements }: Work, terms: RunTerms): Promise<Outcome> {
    return settled(plan, await this.onceOrAgain(session, this.named(statements.main), terms));
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

  private runInTransaction(work: Work, terms: RunTerms): Promise<Outcome> {
    const steps = async (tx: Transaction): Promise<Outcome> => {
      const outcome = await runSteps(tx, work);
      return work.plan.access.mustRollBack ? rollBack(tx, outcome) : outcome;
    };
    return evenIfRolledBack(() => this.database.transaction(work.session, steps, terms));
  }

  private named({ text, values }: Compiled['main']): Statement {
    const name = this.names.of(text);
    return name === null ? { text, values } : { text, values, name };
  }
}

/** Everything that a request does in its transaction, in its order. */
export async function runSteps(tx: Transaction, { plan, statements: { main, estimate }, options: { preRequest }, check }: Work): Promise<Outcome> {
  if (preRequest !== null) await tx.run(preRequestStatement(preRequest));
  await check?.(tx);
  const outcome = plan.kind === 'write' && plan.nested !== null ? await insertNested(tx, plan) : outcomeOf(plan, await tx.run(main));
  verify(plan, outcome);
  return estimate === null ? outcome : withEstimate(plan, outcome, (await tx.run(estimate)).rows);
}

/** The call of the function that the operator has run before every request. */
export function preRequestStatement({ schema, name }: NonNullable<Work['options']['preRequest']>): Statement {
  const quote = (word: string): string => `"${word.replaceAll('"', '""')}"`;
  return { text: `select ${schema === '' ? '' : `${quote(schema)}.`}${quote(name)}()`, values: [] };
}

/** Whether it can be told in one round trip that is committed whatever comes of it. */
function isSimple({ plan: { access }, statements, session, options }: Work): boolean {
  return !access.mustWatch && !access.mustRollBack && statements.estimate === null && session.isolation === undefined && options.preRequest === null;
}

/** Whether nothing goes before or after the main statement. */
function isOneStatement({ plan, statements, options, check }: Work): boolean {
  return options.preRequest === null && check === null && statements.estimate === null && (plan.kind !== 'write' || plan.nested === null);
}

function settled(plan: StatementPlan, result: Result): Outcome {
  const outcome = outcomeOf(plan, result);
  verify(plan, outcome);
  return outcome;
}

function outcomeOf(plan: StatementPlan, { rows }: Result): Outcome {
  return plan.answer.media.kind === 'plan' ? readExplained(rows) : readOutcome(rows);
}
