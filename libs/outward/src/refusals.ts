/** Why a call is never made, whatever the other side is. */
export type RefusalCode =
  | 'url_not_valid'
  | 'scheme_refused'
  | 'userinfo_refused'
  | 'port_refused'
  | 'address_refused'
  | 'name_not_resolved'
  | 'method_refused'
  | 'header_refused'
  | 'body_too_large';

/** Why a call that was made brought no answer. */
export type FailureCode = 'timed_out' | 'connection_failed' | 'certificate_refused' | 'answer_not_valid' | 'aborted';

/** A call that is not made. Every one but `name_not_resolved` would meet the same refusal again. */
export class OutwardRefusal extends Error {
  override name = 'OutwardRefusal';

  constructor(
    readonly code: RefusalCode,
    message: string,
    readonly hint: string | null = null,
    cause?: unknown,
  ) {
    super(message, { cause });
  }

  /** A name server may answer differently in a while; nothing else changes by itself. */
  get isForGood(): boolean {
    return this.code !== 'name_not_resolved';
  }
}

/** A call that was made, or begun, and brought no whole answer: worth another try. */
export class OutwardFailure extends Error {
  override name = 'OutwardFailure';

  constructor(
    readonly code: FailureCode,
    message: string,
    /** From the beginning of the call. */
    readonly ms: number,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}
