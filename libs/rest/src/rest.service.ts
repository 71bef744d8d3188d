import { compile, makePlan, parse, readExplained, readOutcome, render, renderDescription, verify, withEstimate, type Compiled, type Outcome, type RestAnswer, type RestRequest, type StatementPlan } from '@mainstay/dialect';
import { isService, type Caller } from '@mainstay/domain';
import { ConnectionLost, isDatabaseError, type Database, type Result, type Session, type Statement, type Transaction } from '@mainstay/persistence';
import type { Known, SchemaKeeper, SchemaState } from './schema-keeper.ts';
import { answerOfError } from './database-answers.ts';
import { restSession } from './rest-session.ts';
import { StatementNames } from './statement-names.ts';

/** serialization_failure, deadlock_detected. */
const hindrances = new Set(['40001', '40P01']);
const mostTries = 4;

/** Answers `/rest/v1`. */
export class RestService {
  private readonly names = new StatementNames();

  constructor(
    private readonly database: Database,
    private readonly schema: SchemaKeeper,
    private readonly guestRole: string,
  ) {}

  /**
   * The whole life of a data request. Each stage takes the last one's value; none calls back.
   * @throws Fault for every answer that is a refusal, the database's own among them.
   */
  async answer(http: RestRequest, caller: Caller): Promise<RestAnswer> {
    const known = this.schema.current();
    const request = parse(http, known.options, { mayChooseTx: isService(caller) });
    const plan = makePlan(request, known.cache, known.options);
    if (plan.kind === 'describe') return renderDescription(plan);
    const statements = compile(plan);
    const session = restSession(http, plan, caller, known);
    try {
      return render(plan, await this.untilSettled(() => this.run(plan, statements, session, known)));
    } catch (error) {
      throw answerOfError(error, { isAnonymous: caller.role === this.guestRole, isReadOnly: plan.access.isReadOnly });
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

  /** One round trip where it will do; an open transaction where the outcome may be undone or several statements are needed. */
  private async run(plan: StatementPlan, statements: Compiled, session: Session, known: Known): Promise<Outcome> {
    const { access } = plan;
    const isSimple = !access.mustWatch && !access.mustRollBack && statements.estimate === null && session.isolation === undefined && known.options.preRequest === null;
    if (!isSimple) return this.runInSteps(plan, statements, session, known);
    const result = await this.onceOrAgain(session, this.named(statements.main));
    const outcome = plan.answer.media.kind === 'plan' ? readExplained(result.rows) : readOutcome(result.rows);
    verify(plan, outcome);
    return outcome;
  }

  /** A read may be repeated: if the connection broke, nothing happened. */
  private async onceOrAgain(session: Session, statement: Statement): Promise<Result> {
    try {
      return await this.database.once(session, statement);
    } catch (error) {
      if (!(error instanceof ConnectionLost) || !session.isReadOnly) throw error;
      return await this.database.once(session, statement);
    }
  }

  private async runInSteps(plan: StatementPlan, { main, estimate }: Compiled, session: Session, { options }: Known): Promise<Outcome> {
    try {
      return await this.database.transaction(session, async (tx) => {
        if (options.preRequest !== null) await tx.run({ text: preRequestSql(options.preRequest), values: [] });
        const { rows } = await tx.run(main);
        let outcome = plan.answer.media.kind === 'plan' ? readExplained(rows) : readOutcome(rows);
        verify(plan, outcome);
        if (estimate !== null) outcome = withEstimate(plan, outcome, (await tx.run(estimate)).rows);
        if (plan.access.mustRollBack) await rollBack(tx, outcome);
        return outcome;
      });
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

