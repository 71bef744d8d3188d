import type pg from 'pg';

/** Signature, flags and length of the extension, with which PostgreSQL's binary COPY begins, in one message with the first row. */
const headerBytes = 11 + 4 + 4;
/** The number of fields and the length of the first, before a row's only value. */
const rowHeadBytes = 2 + 4;

/**
 * Reads a column of values as the bytes that they are, in order: by a binary COPY, since pg reads every other answer as text, in
 * which a `bytea` has two digits for each byte. Best with values below 64 KB: pg collects a larger message in buffer after buffer.
 */
export function copyOutValues(client: pg.PoolClient, query: string): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    client.query(new CopyOut(`copy (${query}) to stdout (format binary)`, resolve, reject) as unknown as pg.Submittable);
  });
}

/** A query whose answer is COPY data; like `RoundTrip` it settles at ReadyForQuery. */
class CopyOut {
  private readonly values: Buffer[] = [];
  private isFirst = true;

  constructor(
    private readonly text: string,
    private readonly resolve: (values: Buffer[]) => void,
    private readonly reject: (error: unknown) => void,
  ) {}

  submit(connection: { query(text: string): void }): null {
    connection.query(this.text);
    return null;
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    const start = this.isFirst ? headerBytes : 0;
    this.isFirst = false;
    // -1 instead of the number of fields: the trailer after the last row.
    if (chunk.readInt16BE(start) === -1) return;
    const length = chunk.readInt32BE(start + 2);
    // A copy: pg's parser uses its buffer again for the next message.
    if (length >= 0) this.values.push(Buffer.from(chunk.subarray(start + rowHeadBytes, start + rowHeadBytes + length)));
  }

  handleRowDescription(): void {}

  handleDataRow(): void {}

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.resolve(this.values);
  }

  // pg does not call handleReadyForQuery after an error, so the promise is settled here.
  handleError(error: unknown): void {
    this.reject(error);
  }
}
