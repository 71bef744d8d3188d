import { createStream, type RotatingFileStream } from 'rotating-file-stream';
import type { Home } from './home.ts';

/** The rotated log files of the stack, one per part: 10 MB each, the last five kept. */
export class Logs {
  private readonly streams = new Map<string, RotatingFileStream>();

  constructor(private readonly home: Home) {}

  /** Gives the function that writes a part's lines. */
  of(part: string): (line: string) => void {
    let stream = this.streams.get(part);
    if (stream === undefined) {
      stream = createStream(`${part}.log`, { path: this.home.logs, size: '10M', maxFiles: 5, mode: 0o600 });
      // A full disk must not stop the stack; the supervisor's own output still goes to the terminal.
      stream.on('error', () => {});
      this.streams.set(part, stream);
    }
    const opened = stream;
    return (line) => void opened.write(`${line}\n`);
  }

  async close(): Promise<void> {
    await Promise.all([...this.streams.values()].map((stream) => new Promise<void>((resolve) => stream.end(() => resolve()))));
  }
}
