import { OutwardRefusal } from './refusals.ts';

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** They say how the connection is used or where the message ends: ours to say, and a way to smuggle a second request for others. */
const ours = new Set([
  ...['host', 'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer'],
  ...['transfer-encoding', 'content-length', 'upgrade', 'expect', 'http2-settings', ':authority', ':path', ':method', ':scheme'],
]);
const mostHeaders = 100;
const mostHeaderBytes = 16 * 1024;
const mostBodyBytes = 10 * 1024 * 1024;

/** @throws OutwardRefusal for a method that is none of HTTP's common ones */
export function checkMethod(method: string): string {
  const known = method.toUpperCase();
  if (!methods.has(known)) throw new OutwardRefusal('method_refused', `"${method.slice(0, 32)}" is none of ${[...methods].join(', ')}`);
  return known;
}

/** The headers as they are sent: names in small letters, each once. @throws OutwardRefusal */
export function checkHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const checked: Record<string, string> = { 'user-agent': 'Mainstay', accept: '*/*', 'accept-encoding': 'identity' };
  const entries = Object.entries(headers);
  if (entries.length > mostHeaders) throw new OutwardRefusal('header_refused', `More than ${mostHeaders} headers are not sent`);
  let bytes = 0;
  for (const [name, value] of entries) {
    const key = name.toLowerCase();
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(key)) throw new OutwardRefusal('header_refused', `"${name.slice(0, 100)}" is no name of a header`);
    if (ours.has(key)) throw new OutwardRefusal('header_refused', `The header ${key} belongs to the connection and cannot be given`);
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) throw new OutwardRefusal('header_refused', `The value of the header ${key} has a line break, a control character or a letter beyond Latin-1 in it`);
    bytes += key.length + value.length + 4;
    checked[key] = value;
  }
  if (bytes > mostHeaderBytes) throw new OutwardRefusal('header_refused', `Headers of more than ${mostHeaderBytes} bytes are not sent`);
  return checked;
}

/** @throws OutwardRefusal for a body that no receiver should be sent */
export function checkBody(body: Buffer | string | null): Buffer | null {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  if (bytes !== null && bytes.length > mostBodyBytes) throw new OutwardRefusal('body_too_large', `A body of more than ${mostBodyBytes} bytes is not sent`);
  return bytes;
}
