import { stuckQueues } from './progress.ts';

const quiet = { queue: 'upkeep', waitingSeconds: 0, freeSlots: 16, secondsSinceClaim: 3600 };

describe('a queue', () => {
  it.each([
    ['with nothing to do is well', quiet, []],
    ['with a backlog that is worked off is well', { ...quiet, waitingSeconds: 600, freeSlots: 3, secondsSinceClaim: 0.01 }, []],
    ['whose slots are all busy is well', { ...quiet, waitingSeconds: 600, freeSlots: 0, secondsSinceClaim: 300 }, []],
    ['whose job has only just come is well', { ...quiet, waitingSeconds: 2 }, []],
    ['whose job waits before free slots is stuck', { ...quiet, waitingSeconds: 20 }, ['upkeep']],
  ])('%s', (_, standing, stuck) => {
    expect(stuckQueues([standing])).toEqual(stuck);
  });
});
