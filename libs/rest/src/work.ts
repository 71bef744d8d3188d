import type { Compiled, Plan, RestRequest, StatementPlan } from '@mainstay/dialect';
import type { Caller } from '@mainstay/domain';
import type { KeyedRequest, RunTerms, Session } from '@mainstay/persistence';
import type { Precondition } from './etags.ts';
import type { Planned } from './plan-cache.ts';
import type { Known } from './schema-keeper.ts';
import type { Timing } from './timing.ts';

/** Who waits for an answer, and the promise that is kept with it. */
export interface AnswerTerms extends RunTerms {
  /** The request's `Idempotency-Key`; it means something for writes only. */
  readonly keyed?: KeyedRequest | null;
  /** When the request began, by the monotonic clock. */
  readonly askedAt?: number;
  /** Of our own making, where `Server-Timing` is told. */
  readonly timing?: Timing | undefined;
}

/** A request with what is to be done for it. */
export interface Asked {
  readonly http: RestRequest;
  readonly caller: Caller;
  readonly known: Known;
  readonly plan: Plan;
  readonly statements: Planned['statements'];
}

/** What is to be run, and as whom. */
export interface Work {
  readonly plan: StatementPlan;
  readonly caller: Caller;
  readonly options: Known['options'];
  readonly statements: Compiled;
  readonly session: Session;
  readonly check: Precondition | null;
}

/** Fits the session of a request into a transaction that has run others before. */
export type Fit = (session: Session, plan: StatementPlan) => Session | Promise<Session>;
