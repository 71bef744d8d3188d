import { CronExpressionParser } from 'cron-parser';
import fc from 'fast-check';
import { lastRuns, makeClockwork, nextRuns } from './next-runs.ts';
import { CronRefusal, parseCron, type CronDialect } from './parse-cron.ts';
import { isZone, Zone } from './zone.ts';

const shown = (expression: string, zone: string, from: string, count: number) => nextRuns(expression, zone, new Date(from), count).map((run) => run.toISOString().replace('.000', ''));

describe('a day on which the clocks are changed', () => {
  it.each([
    // Berlin, forward: 02:00 to 03:00 (01:00 UTC) on 28 March 2027.
    ['30 2 * * *', 'Europe/Berlin', '2027-03-27T12:00:00Z', ['2027-03-28T01:00:00Z', '2027-03-29T00:30:00Z']],
    ['*/15 2 * * *', 'Europe/Berlin', '2027-03-28T00:00:00Z', ['2027-03-28T01:00:00Z', '2027-03-29T00:00:00Z', '2027-03-29T00:15:00Z']],
    ['0 2,3 * * *', 'Europe/Berlin', '2027-03-28T00:00:00Z', ['2027-03-28T01:00:00Z', '2027-03-29T00:00:00Z', '2027-03-29T01:00:00Z']],
    ['0 */2 * * *', 'Europe/Berlin', '2027-03-27T23:00:00Z', ['2027-03-28T01:00:00Z', '2027-03-28T02:00:00Z']],
    ['30 * * * *', 'Europe/Berlin', '2027-03-28T00:00:00Z', ['2027-03-28T00:30:00Z', '2027-03-28T01:30:00Z']],
    ['59 59 1 * * *', 'Europe/Berlin', '2027-03-27T12:00:00Z', ['2027-03-28T00:59:59Z', '2027-03-28T23:59:59Z']],
    // Berlin, back: 03:00 to 02:00 (01:00 UTC) on 25 October 2026.
    ['30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', ['2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z']],
    ['*/30 2 * * *', 'Europe/Berlin', '2026-10-25T00:10:00Z', ['2026-10-25T00:30:00Z', '2026-10-26T01:00:00Z']],
    // Asked in the hour that comes again.
    ['30 2 * * *', 'Europe/Berlin', '2026-10-25T01:10:00Z', ['2026-10-26T01:30:00Z']],
    ['0 3 * * *', 'Europe/Berlin', '2026-10-25T01:10:00Z', ['2026-10-25T02:00:00Z']],
    // What names no hour means the time that passes.
    ['30 * * * *', 'Europe/Berlin', '2026-10-25T00:00:00Z', ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z', '2026-10-25T02:30:00Z']],
    ['*/20 0-23 * * *', 'Europe/Berlin', '2026-10-25T00:30:00Z', ['2026-10-25T00:40:00Z', '2026-10-25T01:00:00Z', '2026-10-25T01:20:00Z']],
    // New York, forward: 02:00 to 03:00 (07:00 UTC) on 14 March 2027; back: 02:00 to 01:00 (06:00 UTC) on 1 November 2026.
    ['15 2 * * *', 'America/New_York', '2027-03-13T12:00:00Z', ['2027-03-14T07:00:00Z', '2027-03-15T06:15:00Z']],
    ['15 1 * * *', 'America/New_York', '2026-10-31T12:00:00Z', ['2026-11-01T05:15:00Z', '2026-11-02T06:15:00Z']],
    ['0 12 1 11 *', 'America/New_York', '2026-05-01T00:00:00Z', ['2026-11-01T17:00:00Z']],
    // Lord Howe moves by half an hour: forward 02:00 to 02:30 on 4 October 2026, back 02:00 to 01:30 on 4 April 2027.
    ['0 2 * * *', 'Australia/Lord_Howe', '2026-10-03T00:00:00Z', ['2026-10-03T15:30:00Z', '2026-10-04T15:00:00Z']],
    ['15,45 2 * * *', 'Australia/Lord_Howe', '2026-10-03T00:00:00Z', ['2026-10-03T15:30:00Z', '2026-10-03T15:45:00Z']],
    ['45 1 * * *', 'Australia/Lord_Howe', '2027-04-03T00:00:00Z', ['2027-04-03T14:45:00Z', '2027-04-04T15:15:00Z']],
    ['45 * * * *', 'Australia/Lord_Howe', '2027-04-03T14:00:00Z', ['2027-04-03T14:45:00Z', '2027-04-03T15:15:00Z', '2027-04-03T16:15:00Z']],
    // Kathmandu is 5 h 45 min ahead all year.
    ['0 9 * * 1-5', 'Asia/Kathmandu', '2026-11-20T12:00:00Z', ['2026-11-23T03:15:00Z', '2026-11-24T03:15:00Z']],
    // Midnight itself does not exist (Beirut, 28 March 2027), and a whole day did not (Apia, 30 December 2011).
    ['0 0 * * *', 'Asia/Beirut', '2027-03-27T12:00:00Z', ['2027-03-27T22:00:00Z', '2027-03-28T21:00:00Z']],
    ['0 12 30 12 *', 'Pacific/Apia', '2011-12-01T00:00:00Z', ['2011-12-30T10:00:00Z', '2012-12-29T22:00:00Z']],
  ])('%s in %s after %s', (expression, zone, from, expected) => {
    expect(shown(expression, zone, from, expected.length)).toEqual(expected);
  });
});

describe('what an expression may say', () => {
  it.each([
    ['$ is the last day of a month', '0 11 $ * *', ['2027-01-31T11:00:00Z', '2027-02-28T11:00:00Z', '2027-03-31T11:00:00Z']],
    ['L is as well', '0 11 15,L * *', ['2027-01-15T11:00:00Z', '2027-01-31T11:00:00Z', '2027-02-15T11:00:00Z']],
    ['the last Friday', '0 0 * * 5L', ['2027-01-29T00:00:00Z', '2027-02-26T00:00:00Z']],
    ['the second Monday', '0 0 * * mon#2', ['2027-01-11T00:00:00Z', '2027-02-08T00:00:00Z']],
    ['the working day nearest to the 16th', '0 0 16W * *', ['2027-01-15T00:00:00Z', '2027-02-16T00:00:00Z']],
    ['seconds', '*/20 0 0 1 1 *', ['2027-01-01T00:00:20Z', '2027-01-01T00:00:40Z', '2028-01-01T00:00:00Z']],
    ['names, in any case', '0 0 1 JAN,jul Sun-Tue', ['2027-01-03T00:00:00Z', '2027-01-04T00:00:00Z', '2027-01-05T00:00:00Z']],
    ['a step from a number on', '50/5 0 * * *', ['2027-01-01T00:50:00Z', '2027-01-01T00:55:00Z', '2027-01-02T00:50:00Z']],
    ['a step longer than its range', '*/90 1 * * *', ['2027-01-01T01:00:00Z', '2027-01-02T01:00:00Z']],
    ['Sunday is 0 and 7', '0 0 * * 6-7', ['2027-01-02T00:00:00Z', '2027-01-03T00:00:00Z', '2027-01-09T00:00:00Z']],
    ['one of two days is enough', '0 0 13 * 5', ['2027-01-08T00:00:00Z', '2027-01-13T00:00:00Z', '2027-01-15T00:00:00Z']],
    ['both days where one begins with a star', '0 0 */2 * 1', ['2027-01-11T00:00:00Z', '2027-01-25T00:00:00Z']],
    ['a star among others is all of them', '0 *,5 * * *', ['2027-01-01T01:00:00Z', '2027-01-01T02:00:00Z']],
    ['@weekly', ' @Weekly ', ['2027-01-03T00:00:00Z', '2027-01-10T00:00:00Z']],
    ['an interval counts from its beginning', '90 seconds', ['2027-01-01T00:01:30Z', '2027-01-01T00:03:00Z']],
    ['an interval of hours', '6 hours', ['2027-01-01T06:00:00Z', '2027-01-01T12:00:00Z']],
    ['29 February', '0 0 29 2 *', ['2028-02-29T00:00:00Z', '2032-02-29T00:00:00Z']],
    ['a day that never comes', '0 0 30 2 *', []],
  ])('%s', (_, expression, expected) => {
    expect(shown(expression, 'UTC', '2027-01-01T00:00:00Z', Math.max(expected.length, 1))).toEqual(expected);
  });

  it.each<[string, CronDialect, string, number]>([
    ['', 'mainstay', 'it is empty', 1],
    ['* * * *', 'mainstay', 'it has 4 fields, and five are needed: minute, hour, day of the month, month, day of the week', 8],
    ['* * * * * * *', 'mainstay', 'it has more than 6 fields', 13],
    ['* * * * * *', 'pg_cron', 'it has more than 5 fields', 11],
    ['0 25 * * *', 'mainstay', '"25" is no hour (0 to 23)', 3],
    ['0 5-30 * * *', 'mainstay', '"30" is no hour (0 to 23)', 5],
    ['0 0 * * fry', 'mainstay', '"fry" is no day of the week (0 to 7, sun to sat)', 9],
    ['0 0 0 * *', 'mainstay', '"0" is no day of the month (1 to 31)', 5],
    ['0 0 1,,2 * *', 'mainstay', 'an item of the day of the month is missing', 7],
    ['0 17-9 * * *', 'mainstay', '"17-9" goes backwards', 3],
    ['*/0 * * * *', 'mainstay', '"0" is no step: a whole number from 1 on is', 3],
    ['*/x * * * *', 'mainstay', '"x" is no step: a whole number from 1 on is', 3],
    ['0 0 L * *', 'pg_cron', '"l" is no day of the month (1 to 31)', 5],
    ['0 11 $foo * *', 'pg_cron', '"$foo" is no day of the month (1 to 31)', 6],
    ['* 0 * $ *', 'pg_cron', '"$" is no month (1 to 12, jan to dec)', 7],
    ['60 seconds', 'pg_cron', 'an interval has 1 to 59 seconds, not 60', 1],
    ['0 seconds', 'mainstay', 'an interval has 1 second to 366 days', 1],
    ['5 minutes', 'pg_cron', 'an interval is given in seconds', 3],
    ['@reboot', 'mainstay', '"@reboot" is none of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly', 1],
    ['@daily *', 'mainstay', 'nothing may follow "@daily"', 8],
  ])('%s of %s is refused: %s', (expression, dialect, message, at) => {
    expect(() => parseCron(expression, dialect)).toThrow(expect.objectContaining({ name: 'CronRefusal', message, at }));
  });

  it('nothing but a refusal comes of any text', () => {
    const text = fc.oneof(fc.string(), fc.array(fc.constantFrom(...'0159*/-,$LW#@ \tsunjanECONDS'), { maxLength: 20 }).map((characters) => characters.join('')));
    fc.assert(
      fc.property(text, fc.constantFrom<CronDialect>('mainstay', 'pg_cron'), (expression, dialect) => {
        try {
          parseCron(expression, dialect);
        } catch (error) {
          expect(error).toBeInstanceOf(CronRefusal);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it.each([['Europe/Berlin', true], ['utc', true], ['Mars/Olympus', false], ['+02:00', false], ['', false]])('zone "%s" is known: %s', (name, isKnown) => {
    expect(isZone(name)).toBe(isKnown);
  });
});

describe('two more opinions', () => {
  /** Values and ranges that do not overlap: cron-parser refuses what says a value twice. */
  const within = (low: number, high: number) =>
    fc.tuple(fc.uniqueArray(fc.integer({ min: low, max: high }), { minLength: 1, maxLength: 5 }), fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 5, maxLength: 5 })).map(([values, steps]) => {
      const sorted = values.sort((a, b) => a - b);
      const items = Array.from({ length: Math.ceil(sorted.length / 2) }, (_, i) => sorted.slice(i * 2, i * 2 + 2));
      return items.map(([from, to = from], i) => (from === to ? `${from}` : steps[i] === 0 ? `${from}-${to}` : `${from}-${to}/${steps[i]}`)).join(',');
    });
  const orStar = (field: fc.Arbitrary<string>, low: number, high: number) => fc.oneof({ weight: 2, arbitrary: field }, { weight: 2, arbitrary: fc.constant('*') }, { weight: 1, arbitrary: fc.integer({ min: 2, max: high - low }).map((step) => `*/${step}`) });
  const starOr = (field: fc.Arbitrary<string>) => fc.oneof({ weight: 3, arbitrary: fc.constant('*') }, { weight: 1, arbitrary: field });
  const clock = fc.tuple(orStar(within(0, 59), 0, 59), orStar(within(0, 23), 0, 23));
  // cron-parser reads a stepped star of a day field, and a list of all days, in its own way: here the days are stars or lists of some.
  const date = fc.tuple(starOr(within(1, 28)), starOr(within(1, 12)), starOr(within(1, 6)));

  it('cron-parser says the same of any expression, in any zone, on days without a change of clocks', () => {
    const zones = fc.constantFrom('UTC', 'Asia/Kathmandu', 'Asia/Kolkata', 'America/Phoenix', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe');
    const from = fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2034, 0, 1) });
    fc.assert(
      fc.property(clock, date, fc.option(within(0, 59)), zones, from, ([minute, hour], [day, month, weekday], second, zone, start) => {
        const expression = [...(second === null ? [] : [second]), minute, hour, day, month, weekday].join(' ');
        const mine = nextRuns(expression, zone, new Date(start), 5).map((run) => run.toISOString());
        const rules = new Zone(zone);
        const isCalm = [start, ...mine.map((run) => Date.parse(run))].every((instant) => rules.changeBetween(instant - 86_400_000, instant + 86_400_000) === null);
        fc.pre(isCalm);
        const other = CronExpressionParser.parse(expression, { tz: zone, currentDate: new Date(start) });
        expect(mine).toEqual(Array.from({ length: mine.length }, () => other.next().toDate().toISOString()));
      }),
      { numRuns: 200 },
    );
  });

  it('walking minute by minute through a change of clocks finds the same', () => {
    const changes = fc.constantFrom(
      ...([['Europe/Berlin', '2027-03-28T01:00Z'], ['Europe/Berlin', '2026-10-25T01:00Z'], ['America/New_York', '2027-03-14T07:00Z'], ['America/New_York', '2026-11-01T06:00Z'], ['Australia/Lord_Howe', '2026-10-03T15:30Z'], ['Australia/Lord_Howe', '2027-04-03T15:00Z'], ['Asia/Beirut', '2027-03-27T22:00Z'], ['Africa/Casablanca', '2027-02-07T02:00Z']] as const),
    );
    fc.assert(
      fc.property(fc.tuple(orStar(within(0, 59), 0, 59), orStar(within(0, 4), 0, 23)), changes, fc.integer({ min: -300, max: 120 }), ([minute, hour], [zone, change], offset) => {
        const from = Date.parse(change) + offset * 60_000;
        const expected = walk(minute, hour, zone, from, from + 5 * 3_600_000);
        const clockwork = makeClockwork(`${minute} ${hour} * * *`, zone, new Date(from));
        expect(lastRuns(clockwork, new Date(from), new Date(from + 5 * 3_600_000), 1000).runs.map((run) => run.getTime())).toEqual(expected);
      }),
      { numRuns: 120 },
    );
  });

  /** The rule in other words: a named time runs when the clock first reaches or passes it; without a named hour, whenever it is shown. */
  function walk(minute: string, hour: string, zone: string, from: number, until: number): number[] {
    const rules = new Zone(zone);
    const fits = (local: number) => isIn(minute, new Date(local).getUTCMinutes()) && isIn(hour, new Date(local).getUTCHours());
    const runs: number[] = [];
    // What was shown before `from` counts as passed.
    let passed = rules.localOf(from - 6 * 3_600_000);
    for (let instant = from - 6 * 3_600_000 + 60_000; instant <= until; instant += 60_000) {
      const local = rules.localOf(instant);
      const reached = Array.from({ length: Math.max(0, (local - passed) / 60_000) }, (_, i) => passed + (i + 1) * 60_000);
      const isDue = hour === '*' ? fits(local) : reached.some(fits);
      if (isDue && instant > from) runs.push(instant);
      passed = Math.max(passed, local);
    }
    return runs;
  }

  function isIn(field: string, value: number): boolean {
    return field.split(',').some((item) => {
      const [range, step = '1'] = item.split('/');
      const [low, high = low] = range === '*' ? ['0', '59'] : range!.split('-');
      return value >= Number(low) && value <= Number(high) && (value - Number(low)) % Number(step) === 0;
    });
  }
});

describe('the last runs of a stretch of time', () => {
  const clockwork = makeClockwork('*/10 * * * *', 'UTC', new Date(0));

  it('are all of them where they are few', () => {
    const { runs, areAll } = lastRuns(clockwork, new Date('2026-11-01T00:00:00Z'), new Date('2026-11-01T00:30:00Z'), 5);
    expect([runs.map((run) => run.getUTCMinutes()), areAll]).toEqual([[10, 20, 30], true]);
  });

  it('are the newest where they are many, found without going through the others', () => {
    const { runs, areAll } = lastRuns(makeClockwork('* * * * * *', 'Europe/Berlin', new Date(0)), new Date('2016-11-01T00:00:00Z'), new Date('2026-11-01T00:00:00Z'), 3);
    expect([runs.map((run) => run.toISOString()), areAll]).toEqual([['2026-10-31T23:59:58.000Z', '2026-10-31T23:59:59.000Z', '2026-11-01T00:00:00.000Z'], false]);
  });
});
