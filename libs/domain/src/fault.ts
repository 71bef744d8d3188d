/** What one answer-on-purpose looks like in a catalogue: its HTTP status and the sentence used when none is given. */
export interface FaultKind {
  readonly status: number;
  readonly message: string;
}

/** What may be added to a fault where it is raised. */
export interface FaultMore {
  readonly message?: string;
  /** A string, or a list where the protocol wants one (PGRST201). */
  readonly details?: unknown;
  readonly hint?: string | null;
  /** Overrides the catalogue's status where the protocol lets the database choose it. */
  readonly status?: number;
  /** Headers that must go with the answer, such as `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An answer that we meant to give. Everything else that is thrown is a bug and is answered as 500 with an id. */
export class Fault extends Error {
  readonly code: string;
  readonly status: number;
  readonly details: unknown;
  readonly hint: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: string, kind: FaultKind, more: FaultMore = {}) {
    super(more.message ?? kind.message, { cause: more.cause });
    this.name = 'Fault';
    this.code = code;
    this.status = more.status ?? kind.status;
    this.details = more.details ?? null;
    this.hint = more.hint ?? null;
    this.headers = more.headers ?? {};
  }
}

export type Catalogue = Readonly<Record<string, FaultKind>>;

/**
 * Makes the function that raises the faults of one protocol's catalogue.
 *
 *     export const fault = faultsOf({ import_not_found: { status: 404, message: 'There is no such import' } });
 *     throw fault('import_not_found', { details: id });
 */
export function faultsOf<C extends Catalogue>(catalogue: C): (code: keyof C & string, more?: FaultMore) => Fault {
  return (code, more) => new Fault(code, catalogue[code] as FaultKind, more);
}
