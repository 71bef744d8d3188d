import { keyHeaders, noAnswer, Problem, problemOf } from '../api.ts';
import { currentKey } from '../session.ts';

export interface Upload {
  readonly file: Blob;
  readonly path: string;
  readonly contentType: string;
  readonly isGzip: boolean;
  /** Makes a second try of the same upload one import. */
  readonly idempotencyKey: string;
  /** Hears how many bytes have left. */
  readonly onProgress: (sentBytes: number) => void;
  readonly signal: AbortSignal;
}

/** Sends a file from the disk, without reading it into memory; `fetch` could not tell how far it is. */
export function upload({ file, path, contentType, isGzip, idempotencyKey, onProgress, signal }: Upload): Promise<{ id: string }> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    for (const [name, value] of Object.entries(keyHeaders(currentKey()))) request.setRequestHeader(name, value);
    request.setRequestHeader('content-type', contentType);
    request.setRequestHeader('idempotency-key', idempotencyKey);
    if (isGzip) request.setRequestHeader('content-encoding', 'gzip');
    request.upload.addEventListener('progress', ({ loaded }) => onProgress(loaded));
    request.addEventListener('load', () => (request.status === 202 ? resolve(JSON.parse(request.responseText) as { id: string }) : reject(problemOf(request.status, request.responseText))));
    request.addEventListener('error', () => reject(new Problem(0, { ...noAnswer, message: 'The connection broke while the file was being sent. Try again: the same file is imported once.' })));
    request.addEventListener('abort', () => reject(new Problem(-1, { code: 'cancelled', message: 'Sending was stopped. Nothing was imported.' })));
    signal.addEventListener('abort', () => request.abort());
    request.send(file);
  });
}
