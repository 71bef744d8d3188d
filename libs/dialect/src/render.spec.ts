import { faultOfDatabase } from './fault-of-database.ts';
import { readOutcome, verify, withEstimate, type Outcome } from './outcome.ts';
import { parse } from './parse.ts';
import { makePlan, type StatementPlan } from './plan.ts';
import { render, renderDescription } from './render.ts';
import { ask, shop, shopOptions } from './shop.ts';

function planOf(line: string, more: Parameters<typeof ask>[1] = {}): StatementPlan {
  const plan = makePlan(parse(ask(line, { body: '{"id":1}', ...more }), shopOptions, { mayChooseTx: true }), shop, shopOptions);
  if (plan.kind === 'describe') throw new Error('no statement');
  return plan;
}

const gave = (outcome: Partial<Outcome>): Outcome => ({ total: null, page: 1, body: '[]', headers: null, status: null, inserted: null, location: null, ...outcome });
const headersOf = (answer: ReturnType<typeof render>) => Object.fromEntries(answer.headers);

describe('reads', () => {
  it.each([
    ['/orders', { page: 3 }, 200, '0-2/*'],
    ['/orders', { page: 0 }, 200, '*/*'],
    ['/orders?limit=2&offset=4', { page: 2, total: 9 }, 206, '4-5/9'],
    ['/orders', { page: 9, total: 9 }, 200, '0-8/9'],
    ['/orders?limit=0', { page: 0, total: 9 }, 206, '*/9'],
    ['/orders', { page: 0, total: 0 }, 200, '*/0'],
  ])('%s giving %j is %i with %s', (line, outcome, status, range) => {
    const answer = render(planOf(line), gave(outcome));
    expect(answer.status).toBe(status);
    expect(headersOf(answer)).toMatchObject({ 'Content-Range': range, 'Content-Type': 'application/json; charset=utf-8', Vary: 'Accept, Prefer, Range' });
  });

  it('an offset beyond the last row is 416', () => {
    expect(() => render(planOf('/orders?offset=10'), gave({ page: 0, total: 9 }))).toThrow(expect.objectContaining({ code: 'PGRST103', status: 416, details: 'An offset of 10 was requested, but there are only 9 rows.', headers: { 'Content-Range': '*/9', 'Content-Location': '/orders?offset=10', Vary: 'Accept, Prefer, Range' } }));
  });

  it('the location tells the question in one form', () => {
    expect(headersOf(render(planOf('/orders?select=id&id=gt.1'), gave({})))).toMatchObject({ 'Content-Location': '/orders?id=gt.1&select=id' });
  });

  it('one object was asked for, and its type is told', () => {
    const plan = planOf('/orders', { headers: { accept: 'application/vnd.pgrst.object+json' } });
    expect(headersOf(render(plan, gave({})))).toMatchObject({ 'Content-Type': 'application/vnd.pgrst.object+json; charset=utf-8' });
    expect(() => verify(plan, gave({ page: 2 }))).toThrow(expect.objectContaining({ code: 'PGRST116', status: 406, details: 'The result contains 2 rows' }));
    expect(() => verify(plan, gave({ page: 1 }))).not.toThrow();
  });

  it('an embed named by its target though it has an alias is answered with a warning', () => {
    expect(headersOf(render(planOf('/orders?select=c:customers(id)&customers.id=eq.1'), gave({})))['Warning']).toContain('Update `customers` to `c`');
  });

  it('the planner’s guess is taken where it was asked for', () => {
    const rows = [['[{"Plan": {"Plan Rows": 1234}}]']];
    const outcome = gave({ total: 11 });
    expect(withEstimate(planOf('/orders', { headers: { prefer: 'count=planned' } }), outcome, rows).total).toBe(1234);
    expect(withEstimate(planOf('/orders', { headers: { prefer: 'count=estimated' } }), outcome, rows).total).toBe(11);
  });
});

describe('writes', () => {
  const prefer = (text: string) => ({ headers: { prefer: text } });
  it.each([
    ['POST /orders', {}, { page: 1 }, 201, '*/*', null],
    ['POST /orders', prefer('return=representation,count=exact'), { page: 2 }, 201, '*/2', '[]'],
    ['POST /orders', prefer('resolution=merge-duplicates'), { inserted: 0 }, 200, '*/*', null],
    ['POST /orders', prefer('resolution=merge-duplicates'), { inserted: 1 }, 201, '*/*', null],
    ['PATCH /orders', {}, { page: 3 }, 204, '0-2/*', null],
    ['PATCH /orders', prefer('return=representation'), { page: 0 }, 200, '*/*', '[]'],
    ['DELETE /orders', prefer('count=exact'), { page: 3 }, 204, '*/3', null],
    ['PUT /orders?id=eq.1', {}, { inserted: 1 }, 204, undefined, null],
    ['PUT /orders?id=eq.1', prefer('return=representation'), { inserted: 1 }, 201, undefined, '[]'],
    ['PUT /orders?id=eq.1', prefer('return=representation'), { inserted: 0 }, 200, undefined, '[]'],
  ])('%s %j giving %j is %i', (line, more, outcome, status, range, body) => {
    const answer = render(planOf(line, more), gave(outcome));
    expect(answer).toMatchObject({ status, body });
    expect(headersOf(answer)['Content-Range']).toBe(range);
  });

  it('a new row tells where it is', () => {
    const answer = render(planOf('POST /orders', prefer('return=headers-only')), gave({ location: '{"id":"5 &","b":null}' }));
    expect(headersOf(answer)).toMatchObject({ Location: '/orders?id=eq.5%20%26&b=is.null', 'Preference-Applied': 'return=headers-only' });
  });

  it.each([
    ['POST /orders', 'resolution=merge-duplicates,missing=default,return=minimal,count=exact,tx=commit,handling=lenient,max-affected=5', 'resolution=merge-duplicates, missing=default, return=minimal, count=exact, tx=commit, handling=lenient'],
    ['PATCH /orders', 'handling=strict,max-affected=5,resolution=merge-duplicates', 'handling=strict, max-affected=5'],
    ['GET /orders', 'return=minimal,timezone=UTC', 'timezone=UTC'],
    ['GET /orders', 'foo', undefined],
  ])('%s applies of %s: %s', (line, text, applied) => {
    expect(headersOf(render(planOf(line, prefer(text)), gave({})))['Preference-Applied']).toBe(applied);
  });

  it('a result that may not stand is refused', () => {
    expect(() => verify(planOf('PUT /orders?id=eq.1'), gave({ page: 0 }))).toThrow(expect.objectContaining({ code: 'PGRST115' }));
    expect(() => verify(planOf('DELETE /orders', prefer('handling=strict,max-affected=2')), gave({ page: 3 }))).toThrow(expect.objectContaining({ code: 'PGRST124', details: 'The query affects 3 rows' }));
    expect(() => verify(planOf('DELETE /orders', prefer('max-affected=2')), gave({ page: 3 }))).not.toThrow();
  });
});

describe('what SQL says of its answer', () => {
  it('status and headers of its own replace ours', () => {
    const answer = render(planOf('/orders'), gave({ status: '299', headers: '[{"Content-Type":"x/y"},{"Set-Cookie":"a=1"},{"Set-Cookie":"b=2"}]' }));
    expect(answer.status).toBe(299);
    expect(answer.headers.filter(([name]) => name === 'Content-Type' || name === 'Set-Cookie')).toEqual([['Content-Type', 'x/y'], ['Set-Cookie', 'a=1'], ['Set-Cookie', 'b=2']]);
  });

  it.each([
    [{ headers: '{"a":"b"}' }, 'PGRST111'],
    [{ headers: '[{"a":1}]' }, 'PGRST111'],
    [{ headers: '[{"a":"b","c":"d"}]' }, 'PGRST111'],
    [{ headers: 'x' }, 'PGRST111'],
    [{ headers: '[{"a":"b\\r\\nc: d"}]' }, 'PGRST111'],
    [{ status: '20' }, 'PGRST112'],
    [{ status: 'x' }, 'PGRST112'],
  ])('%j is refused: %s', (outcome, code) => {
    expect(() => render(planOf('/orders'), gave(outcome))).toThrow(expect.objectContaining({ code, status: 500 }));
  });

  it.each([
    ['/orders', 'OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE'],
    ['/paid_orders', 'OPTIONS,GET,HEAD,PATCH,DELETE'],
    ['/rpc/reset', 'OPTIONS,POST'],
    ['/', 'OPTIONS,GET,HEAD'],
  ])('OPTIONS %s allows %s', (path, allow) => {
    const plan = makePlan(parse(ask(`OPTIONS ${path}`), shopOptions, { mayChooseTx: false }), shop, shopOptions);
    expect(plan.kind === 'describe' && renderDescription(plan)).toMatchObject({ status: 200, headers: [['Allow', allow], ['Access-Control-Allow-Origin', '*']] });
  });

  it('the outcome is read by place', () => {
    expect(readOutcome([['9', '2', '[1]', null, '201', '1', '{"id":"1"}']])).toEqual({ total: 9, page: 2, body: '[1]', headers: null, status: '201', inserted: 1, location: '{"id":"1"}' });
    expect(readOutcome([])).toMatchObject({ page: 0, body: null });
  });
});

describe('errors of PostgreSQL', () => {
  it.each([
    ['23505', 409], ['23503', 409], ['23502', 400], ['23514', 400], ['22P02', 400], ['42703', 400], ['42P01', 404], ['42883', 404], ['25006', 405],
    ['57014', 500], ['57P01', 503], ['53300', 503], ['53400', 500], ['08006', 503], ['40001', 500], ['P0001', 400], ['P0002', 500], ['XX000', 500],
    ['28000', 403], ['0L000', 403], ['42P17', 500], ['54000', 400], ['PT418', 418], ['PTxyz', 500], ['99999', 400],
  ])('%s is %i', (code, status) => {
    expect(faultOfDatabase({ code, message: 'm', detail: 'd', hint: 'h' }, false)).toMatchObject({ code, status, message: 'm', details: 'd', hint: 'h' });
  });

  it('a missing right is 401 for a guest, who might sign in, and 403 for others', () => {
    expect(faultOfDatabase({ code: '42501', message: 'permission denied' }, true)).toMatchObject({ status: 401, headers: { 'WWW-Authenticate': 'Bearer' } });
    expect(faultOfDatabase({ code: '42501', message: 'permission denied' }, false)).toMatchObject({ status: 403, headers: {} });
  });

  it.each([
    ['22023', 'role "x" does not exist', 401],
    ['22023', 'invalid value', 400],
    ['21000', 'DELETE requires a WHERE clause', 400],
    ['21000', 'more than one row returned by a subquery', 500],
    ['21000', 'ON CONFLICT DO UPDATE command cannot affect row a second time', 400],
  ])('%s %s is %i', (code, message, status) => {
    expect(faultOfDatabase({ code, message }, false).status).toBe(status);
  });

  it('RAISE may hand in the whole answer', () => {
    expect(faultOfDatabase({ code: 'PGRST', message: '{"code":"C","message":"M","details":"D","hint":"H"}', detail: '{"status":418,"headers":{"X-A":"b"}}' }, false)).toMatchObject({ code: 'C', message: 'M', details: 'D', hint: 'H', status: 418, headers: { 'X-A': 'b' } });
  });

  it.each([
    ['x', '{"status":418,"headers":{}}', "Invalid JSON value for MESSAGE: 'x'"],
    ['{"code":"C"}', '{"status":418,"headers":{}}', `Invalid JSON value for MESSAGE: '{"code":"C"}'`],
    ['{"code":"C","message":"M"}', undefined, 'DETAIL is missing in the RAISE statement'],
    ['{"code":"C","message":"M"}', '{"status":418}', `Invalid JSON value for DETAIL: '{"status":418}'`],
  ])('RAISE with %s and %s is malformed', (message, detail, details) => {
    expect(faultOfDatabase({ code: 'PGRST', message, detail }, false)).toMatchObject({ code: 'PGRST121', status: 500, details });
  });
});
