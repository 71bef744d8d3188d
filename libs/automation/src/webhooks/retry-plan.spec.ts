import { readSettings } from '@mainstay/config';
import { makeRetryPlan, mostAttempts, pauseAfter } from './retry-plan.ts';

const plan = makeRetryPlan(readSettings({}).webhookRetries);

it('there are ten tries in seventy-five hours', () => {
  expect(mostAttempts(plan)).toBe(10);
  expect(plan.pauses.reduce((sum, pause) => sum + pause, 0) / 3600).toBeCloseTo(75.6, 1);
});

it.each([
  ['the first pause', 1, null, 0, 5],
  ['with all of chance', 2, null, 1, 330],
  ['the last', 9, null, 0, 86_400],
  ['after the tenth try none', 10, null, 0, null],
  ['a longer one that the receiver asks for', 1, 120, 0.5, 120],
  ['a shorter one is not heard', 4, 1, 0, 7200],
  ['nor more than a day', 1, 10_000_000, 0, 86_400],
  ['nor one after the last try', 10, 60, 0, null],
])('%s', (_, attempt, retryAfter, chance, seconds) => {
  const pause = pauseAfter(plan, attempt, retryAfter, chance);
  if (seconds === null) expect(pause).toBeNull();
  else expect(pause).toBeCloseTo(seconds, 6);
});
