import type { Deadline } from './deadline.ts';
import { OutwardFailure } from './refusals.ts';

interface Circumstances {
  readonly deadline: Deadline;
  readonly host: string;
  readonly timeoutMs: number;
  readonly ms: number;
}

/** What went wrong with a call that was begun, in one sentence that names the host and nothing of what was sent. */
export function failureOf(error: unknown, { deadline, host, timeoutMs, ms }: Circumstances): OutwardFailure {
  if (deadline.isOver) return new OutwardFailure('timed_out', `${host} gave no whole answer within ${timeoutMs} ms`, ms, error);
  if (deadline.failure !== null) return withTime(deadline.failure, ms);
  if (deadline.signal.aborted) return new OutwardFailure('aborted', `The call to ${host} was stopped`, ms, error);
  if (error instanceof OutwardFailure) return withTime(error, ms);
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return new OutwardFailure('connection_failed', `${host} took no connection in time`, ms, error);
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return new OutwardFailure('answer_not_valid', `${host} answers with too many headers`, ms, error);
  if (isBroken(error)) return new OutwardFailure('answer_not_valid', `What ${host} answers is not HTTP: ${message.slice(0, 200)}`, ms, error);
  if (isAboutCertificates(code)) return new OutwardFailure('certificate_refused', `The certificate of ${host} is not right: ${message.slice(0, 200)}`, ms, error);
  return new OutwardFailure('connection_failed', `The connection to ${host} failed: ${(code ?? message).slice(0, 200)}`, ms, error);
}

function withTime({ code, message, cause }: OutwardFailure, ms: number): OutwardFailure {
  return new OutwardFailure(code, message, ms, cause);
}

function isBroken(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return (error as Error).name === 'HTTPParserError' || code.startsWith('HPE_') || code.startsWith('Z_') || code.startsWith('ERR_BROTLI') || code.startsWith('ERR__ERROR_FORMAT') || code.startsWith('ZSTD_') || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH';
}

function isAboutCertificates(code: string | undefined): boolean {
  return /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_|ERR_SSL_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/.test(code ?? '');
}
