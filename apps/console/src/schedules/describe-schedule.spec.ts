import { cronInWords, localTime, presets, runInWords, targetInWords } from './describe-schedule.ts';

describe('a schedule in words', () => {
  it.each([
    ['0 9 * * 1-5', 'At 09:00, Monday through Friday'],
    [' 0  9 * * mon#1', 'At 09:00, on the first Monday of the month'],
    ['0 0 lw * *', 'At 00:00, on the last weekday of the month'],
    ['*/5 * * * * *', 'Every 5 seconds'],
    ['30 seconds', 'Every 30 seconds'],
    ['1 hour', 'Every hour'],
    ['@daily', 'Every day at 00:00'],
    ['@Reboot', 'At each start of the database'],
    ['whenever', null],
    ['', null],
  ])('%s: %s', (cron, words) => expect(cronInWords(cron)).toBe(words));

  it('has words for what it offers', () => {
    for (const { cron } of presets) expect(cronInWords(cron)).not.toBeNull();
  });

  it('says what it does', () => {
    const nothing = { function: null, sql: null, url: null, method: null };
    expect(targetInWords({ ...nothing, kind: 'function', function: 'public.tidy' })).toBe('calls public.tidy');
    expect(targetInWords({ ...nothing, kind: 'sql', sql: 'delete\n  from old' })).toBe('delete from old');
    expect(targetInWords({ ...nothing, kind: 'url', url: 'https://example.com', method: 'GET' })).toBe('GET https://example.com');
  });

  it('shows times as the clocks of its zone do', () => {
    expect(localTime('2026-07-01T07:00:00Z', 'Asia/Tokyo')).toMatch(/^Wed, 1 Jul 2026, 16:00:00 /);
  });

  it.each([
    [{ state: 'skipped', reason: 'overlap', skipped_count: 1, error: null, message: null }, 'passed over: the run before it was not over'],
    [{ state: 'skipped', reason: 'missed', skipped_count: 12, error: null, message: null }, '12 runs passed over: no worker was there at its time'],
    [{ state: 'dead', reason: null, skipped_count: null, error: { code: 'x', message: 'It broke' }, message: null }, 'It broke'],
    [{ state: 'done', reason: null, skipped_count: null, error: null, message: 'DELETE 3' }, 'DELETE 3'],
  ] as const)('%j', (run, words) => expect(runInWords(run)).toBe(words));
});
