import { isJson } from './batch-references.ts';
import { objectOf } from './json-spans.ts';
import type { RestAnswer } from './render.ts';

/** One answer of a batch as JSON: status, headers by lower-case name, and the body: JSON as PostgreSQL wrote it, anything else as a text. */
export function renderBatchAnswer({ status, headers, body }: RestAnswer): string {
  const byName = Map.groupBy(headers, ([name]) => name.toLowerCase());
  const named = [...byName].map(([name, values]) => [name, JSON.stringify(values.length === 1 ? values[0]![1] : values.map(([, value]) => value))] as const);
  return `{"status":${status},"headers":${objectOf(named)},"body":${bodyOf(headers, body)}}`;
}

/** Bytes that are no text are written in base64. */
function bodyOf(headers: RestAnswer['headers'], body: RestAnswer['body']): string {
  if (body === null || body === '') return 'null';
  if (typeof body === 'string') return isJson(headers) ? body : JSON.stringify(body);
  if (body instanceof Uint8Array) return JSON.stringify(base64Of(body));
  throw new Error('a stream cannot be part of a batch');
}

const signs = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function base64Of(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const three = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const there = Math.min(3, bytes.length - i) + 1;
    text += [18, 12, 6, 0].map((shift, place) => (place < there ? signs[(three >> shift) & 63] : '=')).join('');
  }
  return text;
}
