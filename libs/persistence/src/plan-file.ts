import type { FileStatement } from './split-statements.ts';

/** Statements that are sent together, with a single Sync: one implicit transaction. */
export interface Group {
  /** The place of the first one in the file. */
  readonly first: number;
  readonly statements: readonly FileStatement[];
}

/** How a file is run. */
export interface FilePlan {
  readonly groups: readonly Group[];
  /** True if the file says BEGIN or COMMIT itself: then each statement goes alone, and the record comes after the last. */
  readonly ownsTransactions: boolean;
}

/**
 * One transaction for the whole file, as the Supabase CLI does it, with its two exceptions: a file with its own BEGIN and COMMIT
 * is run as written, and a statement that PostgreSQL refuses in a transaction goes by itself, between what is before and after it.
 */
export function planFile(statements: readonly FileStatement[]): FilePlan {
  const ownsTransactions = statements.some(({ kind }) => kind.kind === 'transaction');
  const groups: { first: number; statements: FileStatement[] }[] = [];
  statements.forEach((statement, i) => {
    const last = groups.at(-1);
    const isAlone = ownsTransactions || isLonely(statement) || last === undefined || isLonely(last.statements[0]!);
    if (isAlone) groups.push({ first: i, statements: [statement] });
    else last.statements.push(statement);
  });
  return { groups, ownsTransactions };
}

/** How many statements of a file are committed once the one at `failed` has failed. */
export function countKept(statements: readonly FileStatement[], { groups, ownsTransactions }: FilePlan, failed: number): number {
  if (!ownsTransactions) return groups.findLast(({ first }) => first <= failed)?.first ?? 0;
  let kept = 0;
  let isOpen = false;
  statements.slice(0, failed).forEach(({ kind }, i) => {
    if (kind.kind === 'transaction') isOpen = kind.opens;
    if (!isOpen) kept = i + 1;
  });
  return kept;
}

function isLonely({ kind }: FileStatement): boolean {
  return kind.kind === 'alone' || kind.kind === 'unparsed' || (kind.kind === 'vector index' && kind.isAlone);
}
