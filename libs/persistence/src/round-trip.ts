import type pg from 'pg';
import type { Result, Statement } from './statement.ts';

/** The part of pg's `Connection` that writes protocol messages. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  parse(message: { name: string; text: string }): void;
  bind(message: { portal: string; statement: string; values: unknown[]; valueMapper: (value: unknown) => unknown }): void;
  describe(message: { type: 'P'; name: string }): void;
  execute(message: { portal: string; rows: number }): void;
  close(message: { type: 'S'; name: string }): void;
  sync(): void;
}

/** How many named statements a connection keeps; the one used longest ago goes first. */
const maxPrepared = 250;

/** The named statements that one connection holds, most recently used last. */
class Prepared {
  private readonly names = new Map<string, 'held' | 'unsure'>();
  private readonly fields = new Map<string, readonly string[]>();

  /** Sends Parse unless the server holds the statement already; says whether it was sent. */
  parse(wire: Wire, statement: Statement): boolean {
    const { name = '', text } = statement;
    if (name === '') {
      wire.parse({ name, text });
      return true;
    }
    const known = this.names.get(name);
    this.names.delete(name);
    this.names.set(name, known ?? 'unsure');
    if (known === 'held') return false;
    // After an error nobody knows whether the Parse before it took effect. Closing what does not exist is no error.
    if (known === 'unsure') wire.close({ type: 'S', name });
    else this.makeRoom(wire);
    wire.parse({ name, text });
    return true;
  }

  confirm(name: string | undefined, fields: readonly string[]): void {
    if (name === undefined || name === '') return;
    this.names.set(name, 'held');
    this.fields.set(name, fields);
  }

  fieldsOf(name: string | undefined): readonly string[] | undefined {
    return name === undefined ? undefined : this.fields.get(name);
  }

  private makeRoom(wire: Wire): void {
    if (this.names.size <= maxPrepared) return;
    const oldest = this.names.keys().next().value as string;
    this.names.delete(oldest);
    this.fields.delete(oldest);
    wire.close({ type: 'S', name: oldest });
  }
}

const preparedBy = new WeakMap<object, Prepared>();

function preparedOf(client: object): Prepared {
  let prepared = preparedBy.get(client);
  if (prepared === undefined) preparedBy.set(client, (prepared = new Prepared()));
  return prepared;
}

/**
 * Two statements in one implicit transaction and one round trip: the first sets role and settings, the second is answered.
 */
export function roundTrip(client: pg.PoolClient, first: Statement, second: Statement): Promise<Result> {
  return series(client, [first, second]);
}

/** Which statement of a series failed, by its place; as many as there are when the commit did. */
export function failedPlace(error: unknown): number | null {
  return (error as { [place]?: number })[place] ?? null;
}

const place = Symbol('place of the statement that failed');

/**
 * Statements in one implicit transaction and one round trip: Bind and Execute of each, one Sync; gives the answer of the last.
 * PostgreSQL opens the transaction at the first message and commits at the Sync; an error in any undoes all (PostgreSQL
 * documentation, "Pipelining" in the extended query protocol). The promise settles at ReadyForQuery, never before: a deferred
 * constraint fails after the statement is complete.
 */
export function series(client: pg.PoolClient, statements: readonly Statement[]): Promise<Result> {
  return new Promise((resolve, reject) => {
    client.query(new Series(preparedOf(client), statements, resolve, reject) as unknown as pg.Submittable);
  });
}

class Series {
  private completed = 0;
  private fields: readonly string[] | undefined;
  private rows: (string | null)[][] = [];
  private rowCount = 0;
  private readonly last: Statement;

  constructor(
    private readonly prepared: Prepared,
    private readonly statements: readonly Statement[],
    private readonly resolve: (result: Result) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    this.last = statements.at(-1)!;
  }

  submit(wire: Wire): null {
    wire.stream.cork();
    try {
      for (const statement of this.statements) this.send(wire, statement);
    } finally {
      wire.sync();
      wire.stream.uncork();
    }
    return null;
  }

  private send(wire: Wire, statement: Statement): void {
    this.prepared.parse(wire, statement);
    wire.bind({ portal: '', statement: statement.name ?? '', values: statement.values as unknown[], valueMapper: (value) => value });
    if (statement === this.last && this.prepared.fieldsOf(statement.name) === undefined) wire.describe({ type: 'P', name: '' });
    wire.execute({ portal: '', rows: 0 });
  }

  private get isAtLast(): boolean {
    return this.completed === this.statements.length - 1;
  }

  handleRowDescription(message: { fields: { name: string }[] }): void {
    this.fields = message.fields.map((field) => field.name);
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    if (this.isAtLast) this.rows.push(message.fields);
  }

  handleCommandComplete(message: { text: string }): void {
    if (this.isAtLast) this.rowCount = Number(/\d+$/.exec(message.text)?.[0] ?? 0);
    this.completed += 1;
  }

  handleEmptyQuery(): void {
    this.completed += 1;
  }

  handleReadyForQuery(): void {
    const fields = this.fields ?? this.prepared.fieldsOf(this.last.name) ?? [];
    for (const statement of this.statements) this.prepared.confirm(statement.name, statement === this.last ? fields : []);
    this.resolve({ fields, rows: this.rows, rowCount: this.rowCount });
  }

  // pg does not call handleReadyForQuery after an error, so the promise is settled here.
  handleError(error: unknown): void {
    this.reject(typeof error === 'object' && error !== null ? Object.assign(error, { [place]: this.completed }) : error);
  }

  handlePortalSuspended(): void {}

  handleCopyInResponse(wire: { sendCopyFail(reason: string): void }): void {
    wire.sendCopyFail('COPY is not possible here');
  }

  handleCopyData(): void {}
}
