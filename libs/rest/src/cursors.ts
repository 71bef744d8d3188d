import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import { fault, fingerprintOf, type Request, type RestAnswer, type RestRequest } from '@mainstay/dialect';

/**
 * Cursors of keyset paging: where a page ended, signed, so that nobody asks for places of their own making, and bound to their
 * query. They hold no secret: only values that the caller was allowed to order by.
 */
export class Cursors {
  constructor(private readonly key: Uint8Array) {}

  /** The request with the place that its cursor names. @throws Fault PGRSTX51 for a cursor that is altered, or of another query. */
  opened(request: Request): Request {
    if (request.cursor === null) return request;
    const [payload = '', signature = ''] = request.cursor.split('.');
    if (!isSame(signature, this.sign(payload))) throw fault('PGRSTX51', { details: 'It was not made by this server, or altered since.' });
    const [query, ...place] = JSON.parse(Buffer.from(payload, 'base64url').toString()) as [string, ...(string | null)[]];
    if (query !== digest(fingerprintOf(request))) throw fault('PGRSTX51', { details: 'It belongs to another query: select, filters and order must be those of the page before.' });
    return { ...request, place };
  }

  /** The answer with a link to the next page, if there is one. */
  linked({ path, externalPath, query }: RestRequest, answer: RestAnswer): RestAnswer {
    if (answer.next === undefined) return answer;
    const { place, fingerprint } = answer.next;
    const payload = Buffer.from(JSON.stringify([digest(fingerprint), ...place])).toString('base64url');
    const parts = query.split('&').filter((part) => part !== '' && !/^cursor=(~|%7e)/i.test(part));
    const target = `${externalPath ?? path}?${[...parts, `cursor=~${payload}.${this.sign(payload)}`].join('&')}`;
    return { ...answer, headers: [...answer.headers, ['Link', `<${escaped(target)}>; rel="next"`]] };
  }

  private sign(payload: string): string {
    return createHmac('sha256', this.key).update(payload).digest('base64url').slice(0, 22);
  }
}

/** The key that all processes of one house share. Without a secret a cursor is good for the process that gave it. */
export function cursorKeyOf({ secret, jwtSecret }: Pick<Settings, 'secret' | 'jwtSecret'>): Uint8Array {
  const shared = secret ?? jwtSecret;
  return shared === null ? randomBytes(32) : createHmac('sha256', shared).update('keyset cursor').digest();
}

function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 16);
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Node gives a request line byte by byte; what may not stand in a header's URL is encoded. */
function escaped(target: string): string {
  return target.replace(/[^!#$%&'()*+,\-./0-9:;=?@A-Z[\]_a-z~]/g, (sign) => `%${(sign.charCodeAt(0) & 0xff).toString(16).toUpperCase().padStart(2, '0')}`);
}
