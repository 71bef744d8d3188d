import { setTimeout as sleep } from 'node:timers/promises';
import { EvenTime } from './even-time.ts';

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const started = performance.now();
  await work().catch(() => {});
  return performance.now() - started;
};

describe('work of an even time', () => {
  it('ends at a full step, whether it succeeds or throws', async () => {
    const even = new EvenTime(200);
    expect(await timed(() => even.run(async () => 1))).toBeGreaterThanOrEqual(199);
    expect(await timed(() => even.run(async () => Promise.reject(new Error('no'))))).toBeGreaterThanOrEqual(199);
  });

  it('ends at the step that others have lately needed, though it is quicker itself', async () => {
    const even = new EvenTime(40);
    await Promise.all(Array.from({ length: 8 }, () => even.run(() => sleep(100))));
    expect(await timed(() => even.run(async () => 1))).toBeGreaterThanOrEqual(119);
  });

  it('gives back what the work gave, and waits for nothing without a step', async () => {
    await expect(new EvenTime(0).run(async () => 'done')).resolves.toBe('done');
  });
});
