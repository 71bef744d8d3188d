import { OutwardFailure, OutwardRefusal } from '@mainstay/outward';

/** Why a request of pg_net brought no answer, in the words that pg_net takes from curl, so that what compares them goes on working. */
export function curlWords(error: unknown, timeoutMs: number): { readonly error: string; readonly hasTimedOut: boolean } {
  if (error instanceof OutwardRefusal) return { error: wordsOfRefusal(error), hasTimedOut: false };
  if (!(error instanceof OutwardFailure)) return { error: 'The request could not be sent', hasTimedOut: false };
  if (error.code === 'timed_out') return { error: `Timeout of ${timeoutMs} ms reached. Total time: ${error.ms} ms`, hasTimedOut: true };
  if (error.code === 'certificate_refused') return { error: 'SSL peer certificate or SSH remote key was not OK', hasTimedOut: false };
  if (error.code === 'answer_not_valid') return { error: `Weird server reply: ${error.message}`, hasTimedOut: false };
  const code = String((error.cause as { code?: unknown } | undefined)?.code ?? '');
  if (code === 'UND_ERR_SOCKET') return { error: 'Server returned nothing (no headers, no data)', hasTimedOut: false };
  if (code === 'ECONNRESET' || code === 'EPIPE') return { error: 'Failure when receiving data from the peer', hasTimedOut: false };
  return { error: `Couldn't connect to server`, hasTimedOut: false };
}

function wordsOfRefusal({ code, message, hint }: OutwardRefusal): string {
  if (code === 'url_not_valid') return 'URL using bad/illegal format or missing URL';
  if (code === 'scheme_refused') return 'Unsupported protocol';
  if (code === 'name_not_resolved') return `Couldn't resolve host name`;
  return hint === null ? message : `${message}. ${hint}`;
}
