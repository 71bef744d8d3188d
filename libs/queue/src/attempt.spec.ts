import { jest } from '@jest/globals';
import type { ClaimedJob } from '@mainstay/persistence';
import { Attempt, JobCancelled } from './attempt.ts';

const job: ClaimedJob = { jobId: 'j', token: 't', kind: 'ping', queue: 'upkeep', trace: null, payload: {}, attempt: 1, dueMs: 0, waitedMs: 0, callerIs: null, owner: null, role: 'service_role', claims: { role: 'service_role' } };
const attempt = (): Attempt => new Attempt({} as never, {} as never, job, 15, 900, 1000);

describe('an attempt', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('gives up a handler that does not heed its signal, so that its slot is free again', async () => {
    const one = attempt();
    const never = one.within(new Promise(() => {}));
    one.abort(new JobCancelled());
    const seen = expect(never).rejects.toBeInstanceOf(JobCancelled);
    await jest.advanceTimersByTimeAsync(10_000);
    await seen;
  });

  it('waits for a handler that ends its work in time', async () => {
    const one = attempt();
    const soon = one.within(new Promise((resolve) => setTimeout(() => resolve('tidied up'), 5000)));
    one.abort(new JobCancelled());
    await jest.advanceTimersByTimeAsync(5000);
    expect(await soon).toBe('tidied up');
  });

  it('is over by its own clock when no heartbeat has come through for as long as the lease', () => {
    const one = attempt();
    expect(one.isOver(16_000)).toBe(false);
    expect(one.isOver(16_001)).toBe(true);
    one.renewed(10_000);
    expect(one.isOver(25_000)).toBe(false);
  });

  it('acts as who asked, with the time limit of its kind', () => {
    expect(attempt().session).toEqual({
      role: 'service_role',
      settings: { statement_timeout: '900s', 'request.jwt.claims': '{"role":"service_role"}', 'request.jwt.claim.sub': '' },
    });
  });
});
