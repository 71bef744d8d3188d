import type pg from 'pg';

/** Signature, flags and length of the extension, with which PostgreSQL's binary COPY begins. */
const headerBytes = 11 + 4 + 4;
/** The number of fields and the length of the first, before a row's only value. */
const rowHeadBytes = 2 + 4;

/**
 * Reads one value as the bytes that it is: by a binary COPY, since pg reads every other answer as text, in which a `bytea` has two
 * digits for each byte. Null where the query gives no row.
 */
export async function copyOutValue(client: pg.PoolClient, query: string): Promise<Buffer | null> {
  const copied = await new Promise<Buffer>((resolve, reject) => {
    client.query(new CopyOut(`copy (${query}) to stdout (format binary)`, resolve, reject) as unknown as pg.Submittable);
  });
  const fields = copied.readInt16BE(headerBytes);
  // The trailer: no row came.
  if (fields === -1) return null;
  const length = copied.readInt32BE(headerBytes + 2);
  if (length < 0) return null;
  const start = headerBytes + rowHeadBytes;
  if (copied.length < start + length) throw new Error('PostgreSQL sent a row of COPY in parts');
  return copied.subarray(start, start + length);
}

/** A query whose answer is COPY data; like `RoundTrip` it settles at ReadyForQuery. */
class CopyOut {
  private first = Buffer.alloc(0);

  constructor(
    private readonly text: string,
    private readonly resolve: (bytes: Buffer) => void,
    private readonly reject: (error: unknown) => void,
  ) {}

  submit(connection: { query(text: string): void }): null {
    connection.query(this.text);
    return null;
  }

  handleCopyData(message: { chunk: Buffer }): void {
    // pg's parser may use its buffer again for the next message, so what is kept is copied: PostgreSQL sends header and row as one.
    if (this.first.length === 0) this.first = Buffer.from(message.chunk);
  }

  handleRowDescription(): void {}

  handleDataRow(): void {}

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.resolve(this.first);
  }

  // pg does not call handleReadyForQuery after an error, so the promise is settled here.
  handleError(error: unknown): void {
    this.reject(error);
  }
}
