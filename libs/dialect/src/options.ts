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
  readonly arePlansAllowed: boolean;
  /** Function that runs before every request. */
  readonly preRequest: QualifiedName | null;
  readonly transactionEnd: 'commit' | 'rollback';
  readonly limits: Limits;
}
