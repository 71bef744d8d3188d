import { Fault } from '@mainstay/domain';

/** An answer in OAuth's own shape: `{error, error_description}`. */
export class OAuthFault extends Fault {
  readonly error: string;

  constructor(error: string, description: string, more: { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly cause?: unknown } = {}) {
    super(error.replaceAll(' ', '_'), { status: more.status ?? 400, message: description }, more);
    this.error = error;
  }
}
