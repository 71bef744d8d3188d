import { parse } from './parse.ts';
import { ask, shopOptions } from './shop.ts';

const read = (line: string, more: Parameters<typeof ask>[1] = {}) => parse(ask(line, more), shopOptions, { mayChooseTx: true });
const json = { 'content-type': 'application/json' };

describe('what is asked', () => {
  it.each([
    ['GET /orders', { kind: 'read', collection: 'orders', isHead: false }],
    ['HEAD /orders', { kind: 'read', collection: 'orders', isHead: true }],
    ['GET /%D0%B8%D0%BC%D1%8F+%20x', { kind: 'read', collection: 'имя+ x', isHead: false }],
    ['POST /orders', { kind: 'insert', collection: 'orders' }],
    ['PATCH /orders', { kind: 'update', collection: 'orders' }],
    ['PUT /orders', { kind: 'put', collection: 'orders' }],
    ['DELETE /orders', { kind: 'delete', collection: 'orders' }],
    ['GET /rpc/add', { kind: 'call', function: 'add', method: 'GET' }],
    ['POST /rpc/add', { kind: 'call', function: 'add', method: 'POST' }],
    ['OPTIONS /orders', { kind: 'describe', of: 'collection', name: 'orders' }],
    ['OPTIONS /rpc/add', { kind: 'describe', of: 'function', name: 'add' }],
    ['OPTIONS /', { kind: 'describe', of: 'root', name: null }],
    ['GET /', { kind: 'root', isHead: false }],
  ])('%s', (line, action) => {
    expect(read(line, { headers: json, body: '{}' }).action).toEqual(action);
  });

  it.each([
    ['GET /a/b', 'PGRST125', 404],
    ['GET /rpc/a/b', 'PGRST125', 404],
    ['PUT /rpc/add', 'PGRST101', 405],
    ['TRACE /orders', 'PGRST117', 405],
    ['POST /', 'PGRST117', 405],
    ['GET /%ff', 'PGRST100', 400],
    ['GET /a%00', 'PGRST100', 400],
    ['GET /orders?name=eq.%00', 'PGRST100', 400],
    ['GET /orders?name=eq.%ff', 'PGRST100', 400],
    ['GET /orders?name=eq.%ed%a0%80', 'PGRST100', 400],
    [`GET /orders?${Array(101).fill('id=eq.1').join('&')}`, 'PGRST100', 400],
    ['GET /orders?limit=-1', 'PGRST103', 416],
    ['PUT /orders?id=eq.1&limit=1', 'PGRST114', 400],
  ])('%s is refused: %s', (line, code, status) => {
    expect(() => read(line, { headers: json, body: '{}' })).toThrow(expect.objectContaining({ code, status }));
  });

  it('a schema that is not exposed is refused with those that are', () => {
    expect(() => read('GET /orders', { headers: { 'accept-profile': 'private' } })).toThrow(expect.objectContaining({ code: 'PGRST106', status: 406, hint: 'Only the following schemas are exposed: shop' }));
    expect(read('POST /orders', { headers: { ...json, 'content-profile': 'shop', 'accept-profile': 'private' }, body: '{}' })).toMatchObject({ schema: 'shop', isSchemaNegotiated: true });
  });
});

describe('the query string', () => {
  it('a plus is a blank, and a lone per cent sign stands for itself', () => {
    expect(read('GET /t?name=eq.a+b%2Bc%zz').query.filters).toMatchObject([{ what: { operation: { value: 'a b+c%zz' } } }]);
  });

  it('raw bytes of the request line are UTF-8', () => {
    const latin1 = String.fromCharCode(...new TextEncoder().encode('é'));
    expect(read(`GET /t?name=eq.${latin1}`).query.filters).toMatchObject([{ what: { operation: { value: 'é' } } }]);
  });

  it('its canonical text is sorted, and joins what has one name', () => {
    expect(read('GET /t?select=a,b&id=gt.1&id=lt.5').query.canonical).toBe('id=gt.1,lt.5&select=a%2Cb');
    expect(read("GET /t?a=eq.x'y z*").query.canonical).toBe('a=eq.x%27y%20z%2A');
  });

  it('what has no value is ignored', () => {
    expect(read('GET /t?id&select').query).toMatchObject({ filters: [], select: [{ field: { name: '*' } }] });
  });

  it('a function called by GET takes as argument what is no filter', () => {
    const { query } = read('GET /rpc/f?a=1&b=eq.2&a=x%2Cy&limit=3');
    expect(query.args).toEqual([['a', '1'], ['a', 'x,y']]);
    expect(query.filters).toHaveLength(1);
  });
});

describe('what follows a complete parameter', () => {
  it.each(['select=id)x', 'select=*!hint', 'columns=id)x', 'id!=eq.1', 'id=in.(1,2)x', 'id=is.null)', 'and=(id.eq.1),(id.eq.2)'])('%s is passed over in a read', (query) => {
    expect(() => read(`GET /orders?${query}`)).not.toThrow();
  });

  it.each(['id!=eq.1', 'id=in.(1,2)x', 'id=is.null)', 'and=(id.eq.1),(id.eq.2)'])('%s is refused where the filter chooses what is changed', (query) => {
    for (const method of ['PATCH', 'PUT', 'DELETE']) expect(() => read(`${method} /orders?${query}`, { headers: json, body: '{}' })).toThrow(expect.objectContaining({ code: 'PGRST100' }));
  });
});

describe('the window', () => {
  it.each([
    ['GET /t', '', { offset: 0, limit: null }],
    ['GET /t?limit=5&offset=2', '', { offset: 2, limit: 5 }],
    ['GET /t?limit=0', '', { offset: 0, limit: 0 }],
    ['GET /t?limit=x', '', { offset: 0, limit: null }],
    ['GET /t', '2-4', { offset: 2, limit: 3 }],
    ['GET /t', '2-', { offset: 2, limit: null }],
    ['GET /t?limit=5&offset=2', '4-100', { offset: 4, limit: 3 }],
    ['GET /t?offset=-5', '', { offset: 0, limit: null }],
    ['HEAD /t', '2-4', { offset: 0, limit: null }],
  ])('%s with range %s', (line, range, window) => {
    expect(read(line, range === '' ? {} : { headers: { range } }).window).toEqual(window);
  });

  it('a range from high to low is refused', () => {
    expect(() => read('GET /t', { headers: { range: '4-2' } })).toThrow(expect.objectContaining({ code: 'PGRST103', status: 416 }));
  });
});

describe('the body', () => {
  const body = (text: string, type = 'application/json', line = 'POST /orders') => read(line, { headers: { 'content-type': type }, body: text }).body;

  it.each([
    ['an object', '{"b":1,"a":2}', { kind: 'json', text: '{"b":1,"a":2}', isObject: true, keys: ['a', 'b'] }],
    ['rows', '[{"a":1},{"a":2}]', { kind: 'json', text: '[{"a":1},{"a":2}]', isObject: false, keys: ['a'] }],
    ['no rows', '[]', { kind: 'json', text: '[]', isObject: false, keys: [] }],
    ['a scalar is no rows', '3', { kind: 'json', text: '[]', isObject: false, keys: [] }],
    ['a key that is a trap', '{"__proto__":1}', { kind: 'json', text: '{"__proto__":1}', isObject: true, keys: ['__proto__'] }],
  ])('%s', (_what, text, expected) => {
    expect(body(text)).toEqual(expected);
  });

  it('long numbers stay as they were sent', () => {
    expect(body('{"n":12345678901234567890.12345678901234567890}')).toMatchObject({ text: '{"n":12345678901234567890.12345678901234567890}' });
  });

  it('with columns the rows may differ', () => {
    expect(body('[{"a":1},{"b":2}]', 'application/json', 'POST /orders?columns="a","b"')).toMatchObject({ keys: ['a', 'b'], isObject: false });
  });

  it.each([
    ['CSV', 'text/csv', 'a,b\n1,"x,""y"""\r\nNULL,\n', '[{"a":"1","b":"x,\\"y\\""},{"a":null,"b":""}]'],
    ['a form', 'application/x-www-form-urlencoded', 'a=1&b=x+y%21', '{"a":"1","b":"x y!"}'],
  ])('%s becomes rows of texts', (_what, type, text, expected) => {
    expect(body(text, type)).toMatchObject({ kind: 'json', text: expected, keys: ['a', 'b'] });
  });

  it('a call takes a form as arguments and bytes as they are', () => {
    expect(body('a=1&a=2', 'application/x-www-form-urlencoded', 'POST /rpc/f')).toEqual({ kind: 'form', pairs: [['a', '1'], ['a', '2']] });
    expect(body('\u0001z', 'application/octet-stream', 'POST /rpc/f')).toEqual({ kind: 'raw', text: '\\x017a' });
    expect(body('', 'application/json', 'POST /rpc/f')).toMatchObject({ text: '' });
  });

  it.each([
    ['nothing', '', 'Empty or invalid json'],
    ['half of it', '{"a":', 'Empty or invalid json'],
    ['rows of unlike keys', '[{"a":1},{"b":2}]', 'All object keys must match'],
    ['a list of numbers', '[1,2]', 'All object keys must match'],
    ['NUL', '{"a":"x\\u0000y"}', 'The JSON has a NUL character, which PostgreSQL cannot hold'],
    ['half of a pair', '{"a":"\\ud83d"}', 'The JSON has half of a surrogate pair, which is no character'],
    ['too much nesting', `{"a":${'['.repeat(64)}${']'.repeat(64)}}`, 'The JSON is nested deeper than 64 levels'],
  ])('%s is refused', (_what, text, message) => {
    expect(() => body(text)).toThrow(expect.objectContaining({ code: 'PGRST102', status: 400, message }));
  });

  it('bytes that are no UTF-8 are refused', () => {
    const http = { ...ask('POST /orders', { headers: json }), body: Uint8Array.of(0x22, 0xff, 0x22) };
    expect(() => parse(http, shopOptions, { mayChooseTx: false })).toThrow(expect.objectContaining({ code: 'PGRST102', message: 'The body is not valid UTF-8' }));
  });

  it.each([
    ['text/csv', 'a,b\n1\n1,2', 'All lines must have same number of fields'],
    ['text/csv', '', 'parse error (not enough input) at ""'],
    ['text/csv', 'a,b', 'parse error (not enough input) at ""'],
    ['text/csv', 'a\nx"y', 'The CSV cannot be read: a quote stands inside a field in line 2'],
    ['text/html', 'x', 'Content-Type not acceptable: text/html'],
    ['application/octet-stream', 'x', 'Content-Type not acceptable: application/octet-stream'],
  ])('%s %j is refused', (type, text, message) => {
    expect(() => body(text, type)).toThrow(expect.objectContaining({ code: 'PGRST102', message }));
  });
});

describe('headers', () => {
  it.each([
    ['count=exact, return=representation', { count: 'exact', return: 'representation', unknown: [] }],
    ['return=minimal,return=representation', { return: 'minimal' }],
    ['handling=strict, max-affected=5, foo=1, bar', { handling: 'strict', maxAffected: 5, unknown: ['foo=1', 'bar'] }],
    ['timezone=America/Los_Angeles', { timezone: 'America/Los_Angeles' }],
    ['tx=rollback', { tx: 'rollback' }],
    ['__proto__=1', { unknown: ['__proto__=1'] }],
  ])('Prefer: %s', (prefer, expected) => {
    expect(read('GET /t', { headers: { prefer } }).preferences).toMatchObject(expected);
  });

  it('the end of the transaction is chosen only by those who may', () => {
    expect(parse(ask('GET /t', { headers: { prefer: 'tx=rollback' } }), shopOptions, { mayChooseTx: false }).preferences.tx).toBeNull();
  });

  it.each([
    ['*/*', ['any']],
    ['text/csv;q=0.5, application/json', ['json', 'csv']],
    ['*/*, text/csv', ['csv', 'any']],
    ['application/vnd.pgrst.object+json;nulls=stripped', ['object']],
    ['application/vnd.pgrst.array+json', ['json']],
    ['application/vnd.pgrst.plan+json; for="text/csv"; options=analyze|buffers', ['plan']],
    ['Image/PNG', ['other']],
    ['text/csv;q=0', []],
  ])('Accept: %s', (accept, kinds) => {
    expect(read('GET /t', { headers: { accept } }).accepts.map(({ kind }) => kind)).toEqual(kinds);
  });
});
