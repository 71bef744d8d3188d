import type pg from 'pg';

/** What a session answered to a text of SQL. */
export interface CommandAnswer {
  /** As PostgreSQL tags it: `INSERT 0 1`; or how many rows came: `2 rows`. Of the last of the statements that `counted` counts. */
  readonly message: string;
  readonly error: CommandError | null;
}

/** An error as PostgreSQL reports it. */
export interface CommandError {
  readonly code: string;
  readonly message: string;
  /** As psql and libpq write it: severity, message, line and place, details, hint. */
  readonly text: string;
}

/** The part of pg's `Connection` that this needs. */
interface Wire {
  query(text: string): void;
  sendCopyFail(reason: string): void;
}

/**
 * Runs a text of SQL as one simple query, as libpq does: its statements are one transaction unless they say otherwise, and one
 * that must stand alone may. Rows are counted and not kept. `extra` is text of ours behind it, whose answers are not shown.
 */
export function runText(client: pg.ClientBase, text: string, extra: readonly string[] = []): Promise<CommandAnswer> {
  return new Promise((resolve, reject) => {
    client.query(new CommandText(text, extra, resolve, reject) as unknown as pg.Submittable);
  });
}

class CommandText {
  private rows = 0;
  private hasRows = false;
  private readonly messages: string[] = [];

  constructor(
    private readonly text: string,
    private readonly extra: readonly string[],
    private readonly resolve: (answer: CommandAnswer) => void,
    private readonly reject: (error: unknown) => void,
  ) {}

  submit(wire: Wire): null {
    // A line of its own: the text may end with a comment.
    wire.query([this.text, ...this.extra].join('\n;'));
    return null;
  }

  handleRowDescription(): void {
    this.hasRows = true;
  }

  handleDataRow(): void {
    this.rows += 1;
  }

  handleCommandComplete({ text }: { text: string }): void {
    this.messages.push(this.hasRows ? `${this.rows} ${this.rows === 1 ? 'row' : 'rows'}` : text);
    this.rows = 0;
    this.hasRows = false;
  }

  handleReadyForQuery(): void {
    this.resolve({ message: this.messages.slice(0, this.messages.length - this.extra.length).at(-1) ?? '', error: null });
  }

  handleError(error: unknown): void {
    const reported = error as { code?: unknown; severity?: unknown; message: string };
    if (typeof reported.code !== 'string' || typeof reported.severity !== 'string') return this.reject(error);
    this.resolve({ message: '', error: { code: reported.code, message: reported.message, text: wordError(reported as unknown as Reported, this.text) } });
  }

  handleCopyInResponse(wire: Wire): void {
    wire.sendCopyFail('COPY FROM STDIN is not possible in a command');
  }

  handleEmptyQuery(): void {}
  handleCopyData(): void {}
  handlePortalSuspended(): void {}
}

interface Reported {
  readonly severity: string;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly position?: string;
  readonly where?: string;
}

function wordError({ severity, message, detail, hint, position, where }: Reported, text: string): string {
  const lines = [`${severity}:  ${message}`];
  if (position !== undefined) lines.push(...pointAt(text, Number(position)));
  if (detail !== undefined) lines.push(`DETAIL:  ${detail}`);
  if (hint !== undefined) lines.push(`HINT:  ${hint}`);
  if (where !== undefined) lines.push(`CONTEXT:  ${where}`);
  return `${lines.join('\n')}\n`;
}

/** The line that an error is about, and a caret below the place; PostgreSQL counts characters from 1. */
function pointAt(text: string, position: number): string[] {
  const characters = [...text];
  const before = characters.slice(0, position - 1).join('');
  const line = before.split('\n').length;
  const start = before.lastIndexOf('\n') + 1;
  const whole = text.slice(start).split('\n')[0]!;
  const lead = `LINE ${line}: `;
  return [`${lead}${whole}`, `${' '.repeat(lead.length + [...before.slice(start)].length)}^`];
}
