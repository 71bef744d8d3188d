import { makeClockwork } from './next-runs.ts';
import { planTurn } from './plan-turn.ts';

const hourly = makeClockwork('30 * * * *', 'UTC', new Date(0));
const at = (time: string) => new Date(`2027-01-01T${time}Z`);
const plan = (missed: 'skip' | 'once' | 'all', after: string, now: string, clockwork = hourly) => {
  const { starts, skipped, next } = planTurn(clockwork, missed, at(after), at(now));
  const time = (instant: Date | undefined) => instant?.toISOString().slice(11, 19) ?? null;
  return { starts: starts.map(({ slot, isMadeUp }) => `${time(slot)}${isMadeUp ? ' made up' : ''}`), skipped: skipped === null ? null : [time(skipped.slot), skipped.count], next: time(next ?? undefined) };
};

describe('a slot whose time has come', () => {
  it.each(['skip', 'once', 'all'] as const)('runs, with policy %s', (missed) => {
    expect(plan(missed, '00:29:59', '00:30:00')).toEqual({ starts: ['00:30:00'], skipped: null, next: '01:30:00' });
  });

  it('runs when it is less than a minute late', () => {
    expect(plan('skip', '00:29:59', '00:31:00')).toEqual({ starts: ['00:30:00'], skipped: null, next: '01:30:00' });
  });

  it('is not there before its time, and after it was seen to', () => {
    expect(plan('all', '00:30:00', '00:30:00')).toEqual({ starts: [], skipped: null, next: '01:30:00' });
    expect(plan('all', '00:30:00', '01:29:59')).toEqual({ starts: [], skipped: null, next: '01:30:00' });
  });
});

describe('slots that were missed', () => {
  it.each([
    ['skip', [], ['03:30:00', 4]],
    ['once', ['03:30:00 made up'], ['02:30:00', 3]],
    ['all', ['00:30:00 made up', '01:30:00 made up', '02:30:00 made up', '03:30:00 made up'], null],
  ] as const)('in four hours of downtime: %s', (missed, starts, skipped) => {
    expect(plan(missed, '00:00:00', '03:45:00')).toEqual({ starts, skipped, next: '04:30:00' });
  });

  it.each([
    ['skip', ['03:30:00'], ['02:30:00', 3]],
    ['once', ['03:30:00'], ['02:30:00', 3]],
    ['all', ['00:30:00 made up', '01:30:00 made up', '02:30:00 made up', '03:30:00'], null],
  ] as const)('while the last of them is on time: %s', (missed, starts, skipped) => {
    expect(plan(missed, '00:00:00', '03:30:10')).toEqual({ starts, skipped, next: '04:30:00' });
  });

  it('are made up for up to a hundred, and the others are not counted', () => {
    const { starts, skipped } = planTurn(makeClockwork('* * * * * *', 'UTC', new Date(0)), 'all', at('00:00:00'), at('10:00:00'));
    expect([starts.length, starts[0]!.slot.toISOString(), skipped?.count]).toEqual([100, '2027-01-01T09:58:21.000Z', null]);
  });
});

describe('a clock that jumps', () => {
  it('backwards brings no slot again', () => {
    expect(plan('all', '05:30:00', '02:00:00')).toEqual({ starts: [], skipped: null, next: '06:30:00' });
  });

  it('forwards is like time without a worker', () => {
    expect(plan('once', '00:30:00', '20:00:00')).toEqual({ starts: ['19:30:00 made up'], skipped: ['18:30:00', 18], next: '20:30:00' });
  });
});
