import { previewRuns } from './preview-runs.ts';

const now = new Date('2026-10-24T20:00:00Z');

describe('a preview', () => {
  it.each([
    [{ cron: '0 9 * * mon' }, ['2026-10-26T09:00:00.000Z', '2026-11-02T09:00:00.000Z', '2026-11-09T09:00:00.000Z', '2026-11-16T09:00:00.000Z', '2026-11-23T09:00:00.000Z']],
    // The clocks are put back in between.
    [{ cron: '0 9 * * *', time_zone: 'Europe/Berlin', count: '2' }, ['2026-10-25T08:00:00.000Z', '2026-10-26T08:00:00.000Z']],
    [{ cron: '0 0 30 2 *' }, []],
  ])('of %j', (query, runs) => {
    expect(previewRuns(query, now).next_runs.map((run) => run.toISOString())).toEqual(runs);
  });

  it.each([
    [{ cron: '0 25 * * *' }, /^"0 25 \* \* \*" is no schedule: /],
    [{}, /^"" is no schedule: /],
    [{ cron: '@daily', time_zone: 'Mars/Base' }, /^There is no time zone "Mars\/Base"$/],
    [{ cron: '@daily', count: '0' }, /^"count" must be a whole number from 1 to 50, not "0"$/],
    [{ cron: ['@daily', 'x'] as never }, /^"cron" is given twice$/],
  ])('of %j is refused', (query, sentence) => {
    expect(() => previewRuns(query, now)).toThrow(sentence);
  });
});
