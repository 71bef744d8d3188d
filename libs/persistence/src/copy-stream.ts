import type pg from 'pg';
import { Cancellation } from './cancel.ts';
import type { CopyPiece } from './statement.ts';

type Listen = (chunk: Buffer) => void;

/** The part of pg's `Connection` that is needed: the socket, whose bytes pg's parser reads, and the messages of one statement. */
interface Wire {
  readonly stream: { listeners(event: 'data'): Listen[]; on(event: 'data', listener: Listen): void; off(event: 'data', listener: Listen): void; pause(): void; resume(): void; cork(): void; uncork(): void };
  parse(message: { name: string; text: string }): void;
  bind(message: { portal: string; statement: string; values: unknown[] }): void;
  execute(message: { portal: string; rows: number }): void;
  sync(): void;
}

/** Message type and length. */
const headBytes = 5;
const copyData = 0x64;
const readyForQuery = 0x5a;
/** With so much unread no more is taken from the socket, and PostgreSQL waits. */
const enoughBytes = 256 * 1024;

/**
 * Runs `COPY … TO STDOUT` and gives its bytes as they come, each piece with whole rows. PostgreSQL is read no faster than the
 * pieces are taken. Whoever takes no more before the end has the statement cancelled, and the connection is usable again.
 *
 * The socket's bytes go through us and not through pg's parser, which makes an object and a copy of every row: a row of a COPY
 * is a message, and its content is moved to the front of the buffer that it came in. By the extended protocol, so that a text
 * can never be two statements.
 */
export async function* copyOutStream(client: pg.PoolClient, copy: string): AsyncGenerator<CopyPiece, void, undefined> {
  const stream = new CopyStream(copy);
  client.query(stream as unknown as pg.Submittable);
  try {
    for (let piece = await stream.next(); piece !== null; piece = await stream.next()) yield piece;
  } finally {
    if (!stream.isOver) await giveUp(client, stream);
  }
}

async function giveUp(client: pg.PoolClient, stream: CopyStream): Promise<void> {
  const cancellation = new Cancellation(client, AbortSignal.abort());
  stream.dropRest();
  await stream.over;
  // A late request must not hit the rollback that comes next.
  await cancellation.settled();
}

class CopyStream {
  isOver = false;
  private readonly end = Promise.withResolvers<void>();
  private readonly pieces: CopyPiece[] = [];
  private unreadBytes = 0;
  private isPaused = false;
  private isDropping = false;
  private error: unknown = null;
  private wake: (() => void) | null = null;
  /** The beginning of a message whose end has not come, and how long the message is. */
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private neededBytes = 0;
  private wire: Wire | null = null;
  private parsers: Listen[] = [];
  private hasSocket = true;
  private readonly listen: Listen = (chunk) => this.take(chunk);

  constructor(private readonly text: string) {}

  /** Settles when the connection is free again, or lost. */
  get over(): Promise<void> {
    return this.end.promise;
  }

  /** The next piece, or null after the last. @throws what PostgreSQL reports */
  async next(): Promise<CopyPiece | null> {
    for (;;) {
      const piece = this.pieces.shift();
      if (piece !== undefined) {
        this.unreadBytes -= piece.bytes.length;
        if (this.isPaused && this.unreadBytes < enoughBytes) this.readOn();
        return piece;
      }
      if (this.isOver) {
        if (this.error !== null) throw this.error;
        return null;
      }
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  /** What still comes is thrown away: PostgreSQL hears a request to cancel only when it can send. */
  dropRest(): void {
    this.isDropping = true;
    this.pieces.length = 0;
    this.readOn();
  }

  /** From here to ReadyForQuery the bytes go through us; what is no row is pg's as ever. */
  submit(wire: Wire): null {
    this.wire = wire;
    this.parsers = wire.stream.listeners('data');
    for (const parser of this.parsers) wire.stream.off('data', parser);
    wire.stream.on('data', this.listen);
    wire.stream.cork();
    wire.parse({ name: '', text: this.text });
    wire.bind({ portal: '', statement: '', values: [] });
    wire.execute({ portal: '', rows: 0 });
    wire.sync();
    wire.stream.uncork();
    return null;
  }

  handleReadyForQuery(): void {
    this.finish();
  }

  // After an error that ends the connection nothing follows; after any other one ReadyForQuery does.
  handleError(error: unknown): void {
    this.error ??= error;
    if (!hasReadyBehind(error)) this.finish();
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleCommandComplete(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyData(): void {}

  private finish(): void {
    this.giveBack();
    this.isOver = true;
    this.tell();
    this.end.resolve();
  }

  private readOn(): void {
    this.isPaused = false;
    this.wire?.stream.resume();
  }

  private tell(): void {
    this.wake?.();
    this.wake = null;
  }

  private take(chunk: Buffer): void {
    this.waiting.push(chunk);
    this.waitingBytes += chunk.length;
    if (this.waitingBytes < this.neededBytes) return;
    const bytes = this.waiting.length === 1 ? chunk : Buffer.concat(this.waiting);
    this.waiting = [];
    this.waitingBytes = 0;
    this.neededBytes = 0;
    this.read(bytes);
  }

  private read(bytes: Buffer): void {
    let at = 0;
    let end = 0;
    let rows = 0;
    while (at + headBytes <= bytes.length) {
      const size = 1 + bytes.readUInt32BE(at + 1);
      if (at + size > bytes.length) {
        this.neededBytes = size;
        break;
      }
      const type = bytes[at];
      if (type === copyData) {
        bytes.copyWithin(end, at + headBytes, at + size);
        end += size - headBytes;
        rows += 1;
      } else if (type === readyForQuery) {
        this.emit(bytes, end, rows);
        this.giveBack();
        this.pass(bytes.subarray(at));
        // After an error pg has let go of us already.
        if (!this.isOver) this.finish();
        return;
      } else this.pass(bytes.subarray(at, at + size));
      at += size;
    }
    // What waits is copied: the buffer's front is handed on.
    if (at < bytes.length) {
      this.waiting.push(Buffer.from(bytes.subarray(at)));
      this.waitingBytes = bytes.length - at;
    }
    this.emit(bytes, end, rows);
  }

  private emit(bytes: Buffer, end: number, rows: number): void {
    if (rows === 0 || this.isDropping) return;
    this.pieces.push({ bytes: bytes.subarray(0, end), rows });
    this.unreadBytes += end;
    this.tell();
    if (this.unreadBytes < enoughBytes || this.isPaused) return;
    this.isPaused = true;
    this.wire?.stream.pause();
  }

  private pass(bytes: Buffer): void {
    for (const parser of this.parsers) parser(bytes);
  }

  private giveBack(): void {
    this.wire?.stream.off('data', this.listen);
    if (!this.hasSocket) return;
    this.hasSocket = false;
    for (const parser of this.parsers) this.wire?.stream.on('data', parser);
    if (this.isPaused) this.readOn();
  }
}

/** Only what PostgreSQL itself reports about a statement is followed by more; a broken connection, or a FATAL error, is the end. */
function hasReadyBehind(error: unknown): boolean {
  return (error as { severity?: unknown } | null)?.severity === 'ERROR';
}
