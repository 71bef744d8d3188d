import {
  elementsOf, fault, insertAtRoot, insertBelow, joined, objectOf, outcomeOfRoot, readOutcome, readRoot, readStored, readValue,
  type Children, type Level, type Outcome, type RowsToInsert, type WritePlan,
} from '@mainstay/dialect';
import { isDatabaseError, type DatabaseError, type Result, type Statement, type Transaction } from '@mainstay/persistence';

/** A row on its way: its values as JSON, by column. */
type Values = ReadonlyMap<string, string>;

/**
 * Stores the levels of a body one after the other, each with one statement: whatever a row refers to is stored before it, and
 * sees row by row what was made of it. Then the answer is read.
 */
export async function insertNested(tx: Transaction, plan: WritePlan): Promise<Outcome> {
  return new NestedInsert(tx, plan).run(plan.nested!);
}

type Root = ReturnType<typeof readRoot>;

class NestedInsert {
  private root: Root | null = null;

  constructor(
    private readonly tx: Transaction,
    private readonly plan: WritePlan,
  ) {}

  async run(level: Level): Promise<Outcome> {
    await this.store(level, [], []);
    const root = this.root ?? { page: 0, keys: '[]', stored: null, inserted: null, location: null };
    const { inserted, location } = root;
    if (this.plan.answer.shape.kind !== 'nothing') {
      const { rows } = await this.tx.run(readStored(this.plan, root.stored ?? '{}'));
      return { ...readOutcome(rows), inserted, location };
    }
    const { rows } = await this.tx.run({ text: `select nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '')`, values: [] });
    return outcomeOfRoot(root, rows[0]!);
  }

  /** Stores a level with all below it, and gives of each row the values of `wanted`. `given` is what others said of its rows. */
  private async store(level: Level, given: readonly Values[], wanted: readonly string[]): Promise<Values[]> {
    const rows = level.rows.map(({ values }, i) => new Map([...values, ...(given[i] ?? [])]));
    for (const children of level.children) await this.storeBefore(children, rows);
    const keys = [...new Set([...wanted, ...level.children.flatMap(keysAbove)])];
    const stored = await this.insert(level, rows, keys);
    for (const children of level.children) await this.storeAfter(children, stored);
    return stored;
  }

  /** What the rows above refer to; where there is none, they refer to nothing. */
  private async storeBefore({ level, parents, link }: Children, above: Map<string, string>[]): Promise<void> {
    if (link.kind !== 'above refers') return;
    const stored = await this.store(level, [], link.columns.map(([, below]) => below));
    parents.forEach((parent, i) => {
      for (const [own, below] of link.columns) above[parent]!.set(own, stored[i]!.get(below)!);
    });
  }

  private async storeAfter({ level, parents, link }: Children, above: readonly Values[]): Promise<void> {
    if (link.kind === 'below refers') {
      await this.store(level, parents.map((parent) => pairs(link.columns, above[parent]!)), []);
    } else if (link.kind === 'junction') {
      const below = await this.store(level, [], link.below.map(([column]) => column));
      const ties = parents.map((parent, i) => ({ values: new Map([...pairs(link.above, above[parent]!), ...pairs(link.below, below[i]!)]), path: level.rows[i]!.path }));
      await this.insert({ collection: link.junction, columns: new Map(), rows: ties, children: [] }, ties.map(({ values }) => new Map(values)), []);
    }
  }

  private async insert(level: Level, rows: readonly Values[], keys: readonly string[]): Promise<Values[]> {
    const isRoot = level === this.plan.nested;
    if (rows.length === 0 && !isRoot) return [];
    // Keys that the body gives need not be read back, which some may not do.
    const isGiven = keys.every((key) => rows.every((row) => (row.get(key) ?? 'null') !== 'null'));
    const toInsert = this.rowsToInsert(level, rows, isGiven ? [] : keys, isRoot);
    const result = await this.attempt(level, rows, toInsert, isRoot ? insertAtRoot : insertBelow);
    const [count = null, returned = null] = result.rows[0] ?? [];
    if (isRoot) this.root = readRoot(result.rows[0]!);
    if (isGiven) return rows.map((row) => pairs(keys.map((key) => [key, key] as const), row));
    if (Number(count) !== rows.length) throw fault('PGRSTX31', { details: `Of '${level.collection.name}' ${rows.length} rows were sent and ${count} stored.` });
    return elementsOf(returned ?? '[]').map((json) => new Map(elementsOf(json).map((value, i) => [keys[i]!, value])));
  }

  private rowsToInsert({ collection, columns: given }: Level, rows: readonly Values[], keys: readonly string[], isRoot: boolean): RowsToInsert {
    const columns = new Map(isRoot ? this.plan.columns.map((column) => [column.name, column]) : given);
    for (const name of rows.flatMap((row) => [...row.keys()])) {
      // What another row gave is a value of its column's type as it stands.
      if (!columns.has(name)) columns.set(name, { ...collection.columns.get(name)!, parser: null });
    }
    const usesDefaults = isRoot ? this.plan.usesDefaults : rows.some((row) => row.size !== columns.size);
    return { collection, columns: [...columns.values()], json: listOf(rows), usesDefaults, keys };
  }

  /** Runs the insertion; one that is refused is looked through for the row that is to blame. */
  private async attempt(level: Level, rows: readonly Values[], toInsert: RowsToInsert, write: Write): Promise<Result> {
    try {
      return await this.tx.savepoint(() => this.tx.run(write(this.plan, toInsert)));
    } catch (error) {
      if (!isDatabaseError(error) || !/^(22|23|42501|44|P0001)/.test(error.code ?? '')) throw error;
      const place = await this.placeOf(error, level, rows, toInsert, write);
      if (place === '') throw error;
      throw Object.assign(error, { detail: error.detail === undefined ? `At ${place}.` : `At ${place}: ${error.detail}` });
    }
  }

  private async placeOf(error: DatabaseError, level: Level, rows: readonly Values[], toInsert: RowsToInsert, write: Write): Promise<string> {
    const index = await this.firstRefused(rows, (some) => write(this.plan, { ...toInsert, json: listOf(some) }));
    if (index === null) return '';
    const { path } = level.rows[index]!;
    const column = error.column ?? (error.code?.startsWith('22') ? await this.refusedColumn(rows[index]!, toInsert) : undefined);
    return column === undefined ? path : joined(path, column);
  }

  /** By halves: what is right stays, so that of two rows with one key the second is found. */
  private async firstRefused(rows: readonly Values[], write: (rows: readonly Values[]) => Statement): Promise<number | null> {
    let [from, to] = [0, rows.length];
    while (to - from > 1) {
      const middle = (from + to) >> 1;
      if (await this.isTaken(write(rows.slice(from, middle)))) from = middle;
      else to = middle;
    }
    return from < to && !(await this.isTaken(write(rows.slice(from, to)))) ? from : null;
  }

  /** The column whose type does not take the value. */
  private async refusedColumn(row: Values, { columns }: RowsToInsert): Promise<string | undefined> {
    for (const column of columns) {
      const value = row.get(column.name);
      if (value !== undefined && !(await this.isTaken(readValue(column, objectOf([[column.name, value]]))))) return column.name;
    }
    return undefined;
  }

  private async isTaken(statement: Statement): Promise<boolean> {
    try {
      await this.tx.savepoint(() => this.tx.run(statement));
      return true;
    } catch (error) {
      if (isDatabaseError(error)) return false;
      throw error;
    }
  }
}

type Write = typeof insertBelow;

function listOf(rows: readonly Values[]): string {
  return `[${rows.map(objectOf).join(',')}]`;
}

function keysAbove({ link }: Children): readonly string[] {
  if (link.kind === 'above refers') return [];
  return (link.kind === 'junction' ? link.above : link.columns).map(([column]) => column);
}

/** The values of one row under the names that another row has for them. */
function pairs(columns: readonly (readonly [string, string])[], row: Values): Map<string, string> {
  return new Map(columns.map(([from, to]) => [to, row.get(from)!]));
}
