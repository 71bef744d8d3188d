/** One SQL statement with bound values. `name` makes it a prepared statement, kept by each connection. */
export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly name?: string;
}

/** What a statement gave: each row as an array of PostgreSQL's own text (null for NULL), and the number of rows touched. */
export interface Result {
  readonly fields: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
  readonly rowCount: number;
}

/** As whom, and with which settings, a transaction runs. Everything here dies with the transaction. */
export interface Session {
  /** The role to act as; null stays with the pool's own login. */
  readonly role: string | null;
  /** Settings by name, given to `set_config(name, value, true)`; always bound, never spliced. */
  readonly settings: Readonly<Record<string, string>>;
  readonly isReadOnly?: boolean;
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable';
}

/** How rows become lines: where the line break stands, and what a null is. Breaks inside a line that ends with one become blanks. */
export interface LineFormat {
  readonly isBroken: 'before' | 'after';
  readonly ifNull: string;
}

/** Some rows of a query, as lines of bytes. */
export interface LinePage {
  readonly pieces: readonly Uint8Array[];
  readonly rows: number;
  /** The longest line in bytes. */
  readonly longest: number;
  /** The last text of the second column, if the query has one. */
  readonly second: string | null;
}

/** Some whole rows of a COPY, as its bytes; a header line counts as a row. */
export interface CopyPiece {
  readonly bytes: Buffer;
  readonly rows: number;
}

/** A column of a query's result: its type by the number that PostgreSQL gives it (a domain's is that of its base), and the type's modifier. */
export interface ResultColumn {
  readonly name: string;
  readonly type: number;
  readonly modifier: number;
}

/** An open transaction. Its statements run one after the other. */
export interface Transaction {
  /** Runs a statement and gives text rows, as `Database.once` does. */
  run(statement: Statement): Promise<Result>;
  /** As `become` and `run`, in one round trip; a statement with a name is prepared once per connection. */
  runAs(session: Pick<Session, 'role' | 'settings'>, statement: Statement): Promise<Result>;
  /** Runs SQL of ours with bound values and gives rows as objects with JavaScript types (bigint and numeric as text). */
  rows<R extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<R[]>;
  /** Runs a query and gives its rows a page at a time; PostgreSQL makes the next page when it is asked for, so memory stays flat. */
  pages(statement: Statement, rowsPerPage: number | (() => number)): AsyncIterable<Result['rows']>;
  /** As `pages`, with the first column of each row as a line of bytes. */
  lines(statement: Statement, format: LineFormat, rowsPerPage: () => number): AsyncIterable<LinePage>;
  /** Runs `work` between a savepoint and its release; a throw rolls back to the savepoint and goes on up. */
  savepoint<T>(work: () => Promise<T>): Promise<T>;
  /** `COPY … FROM STDIN` of the given text; gives the number of rows. */
  copyIn(copy: string, data: Uint8Array | readonly Uint8Array[]): Promise<number>;
  /** `COPY … TO STDOUT` of the given text, as it comes and no faster than it is taken; whoever takes no more cancels it. */
  copyOut(copy: string): AsyncIterable<CopyPiece>;
  /** The columns that a query without values would give. */
  columnsOf(query: string): Promise<readonly ResultColumn[]>;
  /** Changes role and settings from here to the end of the transaction. */
  become(session: Pick<Session, 'role' | 'settings'>): Promise<void>;
}
