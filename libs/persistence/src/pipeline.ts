import type pg from 'pg';

export interface PipelineStatement {
  readonly text: string;
  readonly values?: readonly (string | null)[];
}

/** An error of one statement of a pipeline, with the place of that statement in it. */
export interface PipelineFailure {
  readonly index: number;
  readonly error: unknown;
}

/** The part of pg's `Connection` that writes protocol messages. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  parse(message: { name: string; text: string }): void;
  bind(message: { portal: string; statement: string; values: unknown[]; valueMapper: (value: unknown) => unknown }): void;
  execute(message: { portal: string; rows: number }): void;
  sync(): void;
}

/**
 * Runs statements one after the other with a single Sync at the end: PostgreSQL makes them one implicit transaction,
 * and after an error passes over the rest. Gives null, or which one failed. Rows are not looked at.
 */
export function runPipeline(client: pg.ClientBase, statements: readonly PipelineStatement[]): Promise<PipelineFailure | null> {
  return new Promise((resolve) => {
    client.query(new Pipeline(statements, resolve) as unknown as pg.Submittable);
  });
}

class Pipeline {
  private completed = 0;

  constructor(
    private readonly statements: readonly PipelineStatement[],
    private readonly settle: (failure: PipelineFailure | null) => void,
  ) {}

  submit(wire: Wire): null {
    wire.stream.cork();
    for (const { text, values = [] } of this.statements) {
      wire.parse({ name: '', text });
      wire.bind({ portal: '', statement: '', values: values as unknown[], valueMapper: (value) => value });
      wire.execute({ portal: '', rows: 0 });
    }
    wire.sync();
    wire.stream.uncork();
    return null;
  }

  handleCommandComplete(): void {
    this.completed += 1;
  }

  handleEmptyQuery(): void {
    this.completed += 1;
  }

  handleReadyForQuery(): void {
    this.settle(null);
  }

  // A deferred constraint fails after the last statement is complete: then `index` is the number of statements.
  handleError(error: unknown): void {
    this.settle({ index: this.completed, error });
  }

  // Only a statement that asks for rows gets here, and `splitStatements` tells of those before anything is sent.
  handleCopyInResponse(wire: { sendCopyFail(reason: string): void }): void {
    wire.sendCopyFail('COPY FROM STDIN is not possible here');
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleCopyData(): void {}
  handlePortalSuspended(): void {}
}
