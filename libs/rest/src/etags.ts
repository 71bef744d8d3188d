import { hash } from 'node:crypto';
import { compile, fault, parse, makePlan, readOutcome, type RestAnswer, type RestRequest, type WritePlan } from '@mainstay/dialect';
import type { Transaction } from '@mainstay/persistence';
import type { Known } from './schema-keeper.ts';

/**
 * The tag of a body: a digest of its bytes, so it is strong, and two callers who see different rows have different tags.
 * To be told 304 one must have got the very same bytes from one's own query just now.
 */
export function etagOf(body: string | Uint8Array): string {
  return `"${hash('sha256', body, 'base64url').slice(0, 27)}"`;
}

/** The answer to a read or a write with its tag; 304 and nothing else where the client has this body already. */
export function withEtag({ method, headers }: RestRequest, answer: RestAnswer): RestAnswer {
  if (method !== 'GET' && method !== 'PATCH' && method !== 'PUT') return answer;
  const { body, status } = answer;
  if ((status !== 200 && status !== 206) || body === null || !(typeof body === 'string' || body instanceof Uint8Array)) return answer;
  const own = answer.headers.find(([name]) => name.toLowerCase() === 'etag');
  const tag = own?.[1] ?? etagOf(body);
  const tagged: RestAnswer = own === undefined ? { ...answer, headers: [...answer.headers, ['ETag', tag]] } : answer;
  const known = method === 'GET' ? headers['if-none-match'] : undefined;
  if (known === undefined || !namesTag(known, tag, 'weakly')) return tagged;
  return { status: 304, headers: tagged.headers.filter(([name]) => name !== 'Content-Type'), body: null };
}

/** Checks, inside the transaction of a write, that the row is what the client believes it to be. @throws Fault PGRSTX40. */
export type Precondition = (tx: Transaction) => Promise<void>;

/** What `If-Match` and `If-None-Match` demand of a write, or null. */
export function preconditionOf(http: RestRequest, plan: WritePlan, known: Known): Precondition | null {
  const match = http.headers['if-match'];
  const noneMatch = http.headers['if-none-match'];
  if ((match === undefined && noneMatch === undefined) || plan.write === 'insert') return null;
  return async (tx) => {
    const current = new CurrentRow(tx, http, plan, known);
    if (match !== undefined && !(await current.isNamedBy(match))) throw await current.refusal();
    if (noneMatch !== undefined && (await current.isNamedBy(noneMatch))) throw await current.refusal();
  };
}

/** The row that a write is about, as reads of it would give it. */
class CurrentRow {
  private readonly bodies: Promise<{ page: number; body: string }>[] = [];

  constructor(
    private readonly tx: Transaction,
    private readonly http: RestRequest,
    private readonly plan: WritePlan,
    private readonly known: Known,
  ) {}

  /** Tags are compared with those of the row as an array and as one object, with the write's own `select` and with all columns. */
  async isNamedBy(header: string): Promise<boolean> {
    const { page, body } = await this.read(0);
    if (header.trim() === '*') return page > 0;
    if (page !== 1) return false;
    for (const shown of [body, (await this.read(1)).body, (await this.read(2)).body]) {
      if ([shown, shown.replace(/^\[(.*)\]$/s, '$1')].some((form) => namesTag(header, etagOf(form), 'strongly'))) return true;
    }
    return false;
  }

  async refusal(): Promise<Error> {
    const { page } = await this.read(0);
    const details = page === 0 ? 'No row matches the filters.' : page === 1 ? 'The row has changed, or was read with another select.' : `${page} rows match the filters; a tag names one.`;
    return fault('PGRSTX40', { details, hint: 'Read the row again, and write with the ETag of that answer.' });
  }

  private read(form: 0 | 1 | 2): Promise<{ page: number; body: string }> {
    return (this.bodies[form] ??= this.run(form));
  }

  private async run(form: 0 | 1 | 2): Promise<{ page: number; body: string }> {
    const { headers, query } = this.http;
    const accept = form === 2 ? headers['accept'] : 'application/json';
    const request: RestRequest = {
      method: 'GET',
      path: this.http.path,
      query: query.split('&').filter((part) => !ofWrites.test(part) && !(form === 1 && part.startsWith('select='))).join('&'),
      headers: { 'accept-profile': this.plan.request.schema, ...(accept === undefined ? {} : { accept }) },
      body: null,
    };
    const { options, cache } = this.known;
    const plan = makePlan(parse(request, options, { mayChooseTx: false }), cache, options);
    if (plan.kind !== 'read') throw new Error('a row is read by a read');
    const { page, body } = readOutcome((await this.tx.run(compile(plan).main)).rows);
    return { page, body: body ?? '' };
  }
}

/** What a read does not hear, or must not: a page of the rows would hide that there are several. */
const ofWrites = /^(columns|on_conflict|order|limit|offset)=/;

/** RFC 9110, 8.8.3.2: a weak comparison looks past `W/`, a strong one is never met by it. */
function namesTag(header: string, tag: string, how: 'weakly' | 'strongly'): boolean {
  if (header.trim() === '*') return true;
  const wanted = how === 'weakly' ? tag.replace(/^W\//, '') : tag;
  return [...header.matchAll(/(W\/)?("[^"]*")/g)].some(([, weak, opaque]) => opaque === wanted && (how === 'weakly' || weak === undefined));
}
