import { Fault } from '@mainstay/domain';
import { entryRequest } from './batch-entry.ts';
import { parseBatch, type BatchEntry } from './parse-batch.ts';
import { renderBatchAnswer } from './render-batch.ts';
import type { RestAnswer } from './render.ts';

const terms = { maxEntries: 10, jsonDepth: 64 };
const json = 'application/json; charset=utf-8';
const rows = (body: string): RestAnswer => ({ status: 201, headers: [['Content-Type', json], ['Location', '/t?id=eq.1']], body });
const answers = [rows('[{"id":7,"tags":["a","b,c"],"note":"x\\"y","big":12345678901234567890,"doc":{"k":[1,{"v":2.50}]},"none":null}]'), { status: 204, headers: [], body: null } satisfies RestAnswer];
const so = { answers, maxLength: 200 };

function entry(fields: object): BatchEntry {
  return parseBatch(new TextEncoder().encode(JSON.stringify([{ method: 'GET', path: '/t', ...fields }])), terms).entries[0]!;
}
const request = (fields: object) => entryRequest(entry(fields), so, { 'x-tenant': 't' });

describe('the request of an entry', () => {
  it.each<[object, string]>([
    [{ path: '/t?select=id&a=eq.1' }, 'select=id&a=eq.1'],
    [{ path: '/t?a=eq.1', query: { order: 'id', limit: 5 } }, 'a=eq.1&order=id&limit=5'],
    [{ query: { a: ['gt.1', 'lt.5'] } }, 'a=gt.1&a=lt.5'],
    [{ query: { a: { eq: 1.5 }, b: { neq: true } } }, 'a=eq.1.5&b=neq.true'],
    [{ query: { a: { gte: 1, lt: 5 } } }, 'a=gte.1&a=lt.5'],
    [{ query: { a: { in: ['x', 'y,z', '"q"'] } } }, 'a=in.(%22x%22%2C%22y%2Cz%22%2C%22%5C%22q%5C%22%22)'],
    [{ query: { a: { 'not.in': [1, 2] } } }, 'a=not.in.(%221%22%2C%222%22)'],
    [{ query: { a: { is: null }, b: { 'not.is': true } } }, 'a=is.null&b=not.is.true'],
    [{ query: { a: { cs: ['x', 'y'] }, b: { cs: { k: 1 } } } }, 'a=cs.%7B%22x%22%2C%22y%22%7D&b=cs.%7B%22k%22%3A1%7D'],
    [{ query: { a: { 'like(any)': ['a*', 'b*'] } } }, 'a=like(any).%7B%22a*%22%2C%22b*%22%7D'],
    [{ query: { 'rel.a': { eq: 'ü' } } }, 'rel.a=eq.%C3%BC'],
    [{ query: { a: { eq: { $ref: '0.body[0].id' } } } }, 'a=eq.7'],
    [{ query: { a: { eq: { $ref: '0.body[0].big' } } } }, 'a=eq.12345678901234567890'],
    [{ query: { a: { in: { $ref: '0.body[0].tags' } } } }, 'a=in.(%22a%22%2C%22b%2Cc%22)'],
    [{ query: { a: { in: [{ $ref: '0.body[0].id' }, 8] } } }, 'a=in.(%227%22%2C%228%22)'],
    [{ query: { a: { ov: { $ref: '0.body[0].tags' } } } }, 'a=ov.%7B%22a%22%2C%22b%2Cc%22%7D'],
    [{ query: { a: { cs: { $ref: '0.body[0].doc' } } } }, 'a=cs.%7B%22k%22%3A%5B1%2C%7B%22v%22%3A2.50%7D%5D%7D'],
    [{ path: '/t?a=eq.{"$ref":"0.body[0].note"}&b=eq.1' }, 'a=eq.x%22y&b=eq.1'],
    [{ path: '/t?a=in.{"$ref":"0.body[0].tags"}' }, 'a=in.(%22a%22%2C%22b%2Cc%22)'],
    [{ path: '/t?a=eq.{"$ref":1' }, 'a=eq.{"$ref":1'],
    [{ path: '/t?a=cs.{$ref}' }, 'a=cs.{$ref}'],
  ])('%j', (fields, query) => {
    expect(decodeURI(request(fields).query)).toBe(decodeURI(query));
  });

  it.each<[unknown, string]>([
    [{ a: { $ref: '0.body[0].id' } }, '{"a":7}'],
    [[{ a: { $ref: '0.body[0].doc.k[1]' }, b: [{ $ref: '0.status' }] }], '[{"a":{"v":2.50},"b":[201]}]'],
    [{ $ref: '0.body' }, answers[0]!.body as string],
    [{ a: { $literal: { $ref: 'x' } } }, '{"a":{"$ref":"x"}}'],
    [{ a: { $ref: '0.headers.location' }, b: { $ref: '0.headers["content-type"]' } }, `{"a":"/t?id=eq.1","b":"${json}"}`],
    [{ a: { $ref: '0.body[0].id', other: 1 } }, '{"a":{"$ref":"0.body[0].id","other":1}}'],
  ])('body %j', (body, text) => {
    expect(new TextDecoder().decode(request({ method: 'POST', body }).body!)).toBe(text);
  });

  it('has the headers of the batch around its own, and the path that a request has alone', () => {
    expect(request({ path: '/rest/v1/t?a=eq.1', headers: { Prefer: 'count=exact' } })).toMatchObject({ path: '/t', query: 'a=eq.1', headers: { 'x-tenant': 't', prefer: 'count=exact' } });
    expect(request({ path: 'café ü' }).path).toBe('/caf%C3%A9%20%C3%BC');
    expect(new TextDecoder().decode(request({ method: 'POST', headers: { 'content-type': 'text/csv' }, body: 'a,b\n1,2' }).body!)).toBe('a,b\n1,2');
  });

  it.each<[object, string]>([
    [{ query: { a: { eq: { $ref: '5.body' } } } }, '"5.body" names request 5, which is not before this one.'],
    [{ query: { a: { eq: { $ref: '1.body' } } } }, '"1.body" has nothing to name: that answer has no body; ask for one with "Prefer": "return=representation".'],
    [{ query: { a: { eq: { $ref: '0.body.id' } } } }, '"0.body.id": 0.body is no object (array).'],
    [{ query: { a: { eq: { $ref: '0.body[0].id[0]' } } } }, '"0.body[0].id[0]": 0.body[0].id is no list (number).'],
    [{ query: { a: { eq: null } } }, 'The value of "eq" is null.'],
    [{ query: { a: { equals: 1 } } }, '"equals" is no operator.'],
    [{ query: { a: null } }, '"query"."a" is null.'],
    [{ query: { limit: { $ref: '0.body[0].id' } } }, '"query"."limit" is a $ref without an operator.'],
    [{ query: { a: { imatch: { $ref: '0.body[0].note' } } } }, 'A $ref cannot stand after "imatch", which reads patterns or words.'],
    [{ method: 'POST', body: { $ref: 5 } }, 'A $ref must be a string.'],
    [{ method: 'POST', body: [{ $ref: '0.body' }, { $ref: '0.body' }] }, 'What the request refers to is longer than 200 characters.'],
  ])('%j is refused', (fields, details) => {
    expect(() => request(fields)).toThrow(expect.objectContaining({ details }));
  });
});

describe('answers', () => {
  it.each<[string, RestAnswer, string]>([
    ['JSON goes through as it is', { status: 200, headers: [['Content-Type', json]], body: '[{"n":1.10}]' }, `{"status":200,"headers":{"content-type":"${json}"},"body":[{"n":1.10}]}`],
    ['a text is a text', { status: 200, headers: [['Content-Type', 'text/csv; charset=utf-8']], body: 'a\n1' }, '{"status":200,"headers":{"content-type":"text/csv; charset=utf-8"},"body":"a\\n1"}'],
    ['bytes are base64', { status: 200, headers: [['Content-Type', 'image/png']], body: Uint8Array.of(0, 255, 1, 2) }, '{"status":200,"headers":{"content-type":"image/png"},"body":"AP8BAg=="}'],
    ['none is null', { status: 204, headers: [['Set-Cookie', 'a=1'], ['Set-Cookie', 'b=2']], body: null }, '{"status":204,"headers":{"set-cookie":["a=1","b=2"]},"body":null}'],
  ])('%s', (_what, answer, text) => {
    expect(renderBatchAnswer(answer)).toBe(text);
  });
});

describe('whatever is sent', () => {
  it('is read or refused by a fault', () => {
    const whole = JSON.stringify([{ method: 'POST', path: '/t?a=eq.{"$ref":"0.body[0].id"}', query: { a: { in: [{ $ref: '0.body[0].tags' }] } }, headers: { prefer: 'x' }, body: [{ a: { $ref: '0.body[0]["note"]' } }, { $literal: 1 }] }]);
    let state = 11;
    const random = (below: number): number => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) % below;
    const signs = ['"', '{', '}', '[', ']', ',', ':', '\\', '$ref', '0', 'null', '\ud800', '.', '\0', '€', ''];
    for (let i = 0; i < 2000; i += 1) {
      const at = random(whole.length);
      const text = whole.slice(0, at) + signs[random(signs.length)]! + whole.slice(at + random(4));
      try {
        for (const read of parseBatch(new TextEncoder().encode(text), terms).entries) entryRequest(read, so, {});
      } catch (error) {
        if (!(error instanceof Fault)) throw new Error(text, { cause: error });
      }
    }
  });
});
