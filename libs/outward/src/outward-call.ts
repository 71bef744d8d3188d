/** A call as it is asked for. */
export interface OutwardCall {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | string | null;
  /** For all of it: name, connection, request, and the last byte of the answer. */
  readonly timeoutMs: number;
  /** So much of the answer's body is read and kept. */
  readonly maxAnswerBytes: number;
  readonly signal?: AbortSignal;
}

/** What came back, as far as it was read. */
export interface OutwardAnswer {
  readonly status: number;
  /** Names in small letters; those that came several times are joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** There was more than `maxAnswerBytes`. */
  readonly isCut: boolean;
  readonly ms: number;
}
