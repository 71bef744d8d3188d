import { counted, eventInWords, outcomeInWords, standingOf } from './describe-webhook.ts';

const table = { schema: 'public', table: 'orders', operations: ['insert'], filter: null, columns: null, broken: null, trouble: null };
const well = { state: 'active' as const, reason: null, breaker: { state: 'closed' as const, failures: 0, rests_until: null } };

describe('a webhook in words', () => {
  it.each([
    [table, 'public.orders: insert'],
    [{ ...table, operations: ['insert', 'update'], filter: 'status=eq.paid+in+full&total=gt.5', columns: ['id', 'total'] }, 'public.orders: insert, update where status=eq.paid in full and total=gt.5, with id, total'],
    [{ type: 'job.dead' }, 'a job used up its attempts'],
    [{ type: 'import.*' }, 'import.*'],
  ])('%j', (event, words) => expect(eventInWords(event)).toBe(words));

  it.each([
    [well, 'active'],
    [{ ...well, state: 'paused' as const }, 'paused'],
    [{ ...well, breaker: { ...well.breaker, state: 'open' as const } }, 'resting'],
    [{ ...well, state: 'disabled' as const, reason: { code: 'gone', message: 'It answered 410' } }, 'disabled'],
  ])('%j stands', (endpoint, word) => expect(standingOf(endpoint).word).toBe(word));

  it('says how far it counted, and what a try came to', () => {
    expect([counted(0), counted(1234), counted(10_000)]).toEqual(['0', '1,234', '10,000 or more']);
    expect([outcomeInWords(200, null), outcomeInWords(null, 'timed_out'), outcomeInWords(500, 'server_error')]).toEqual(['answered 200', 'timed out', 'answered 500']);
  });
});
