import type { Limits } from './limits.ts';
import type { QualifiedName } from './schema-cache.ts';

/** What the operator decided about the data API. */
export interface RestOptions {
  /** Exposed schemas; the first is the default. */
  readonly schemas: readonly string[];
  readonly extraSearchPath: readonly string[];
  /** Most rows of a read or call, at the top and in every embed; null is no limit. */
  readonly maxRows: number | null;
  readonly areAggregatesAllowed: boolean;
  /** Most that an aggregate may cost by the planner's estimate; null is no limit. */
  readonly aggregateCostLimit?: number | null;
  readonly arePlansAllowed: boolean;
  /** Function that runs before every request. */
  readonly preRequest: QualifiedName | null;
  readonly transactionEnd: 'commit' | 'rollback';
  /** Roles whose updates and deletions need a filter. */
  readonly filterNeededFor?: readonly string[];
  /** Whose `Prefer: tx` is heard; the service's where it is not said. */
  readonly whoChoosesTx?: 'nobody' | 'service' | 'everybody';
  /** Role of a request without a token, to whom a missing right is 401; empty is none. */
  readonly guestRole?: string;
  /** Settings of a function that hold from the start of its transaction. */
  readonly hoistedSettings?: readonly string[];
  /** Settings that every request has, by their whole name. */
  readonly appSettings?: Readonly<Record<string, string>>;
  /** Answers tell how long each stage took. */
  readonly isTimingShown?: boolean;
  /** What the API tells of itself; nothing where it is not said. */
  readonly description?: DescriptionTerms;
  readonly limits: Limits;
}

/** What the operator decided about the description at the root. */
export interface DescriptionTerms {
  readonly mode: 'follow-privileges' | 'ignore-privileges' | 'disabled';
  readonly readers: 'service_role' | 'everybody';
  readonly isSecurityActive: boolean;
  /** Function that answers in its place. */
  readonly rootSpec: string | null;
  /** The URL under which clients reach the data API. */
  readonly url: string;
}
