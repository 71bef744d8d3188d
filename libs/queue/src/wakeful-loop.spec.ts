import { setTimeout as pause } from 'node:timers/promises';
import { Drowsiness } from './drowsiness.ts';
import { WakefulLoop } from './wakeful-loop.ts';

describe('a loop', () => {
  const words = { failing: 'fails', well: 'well' };
  const logOf = () => {
    const lines: string[] = [];
    const log = { info: (_: object, line: string) => void lines.push(line), warn: (_: object, line: string) => void lines.push(line) };
    return { lines, log };
  };

  it('rests as long as its pass says, unless it is woken', async () => {
    let passes = 0;
    const loop = new WakefulLoop({ pass: () => Promise.resolve(void (passes += 1)).then(() => 60_000), retryMs: 1, log: logOf().log, words });
    loop.start();
    await pause(20);
    expect(passes).toBe(1);
    loop.wake();
    await pause(20);
    expect(passes).toBe(2);
    await loop.stop();
    expect(passes).toBe(2);
  });

  it('that is woken during a pass makes another one at once', async () => {
    const passing = Promise.withResolvers<void>();
    let passes = 0;
    const loop = new WakefulLoop({ pass: () => ((passes += 1) === 1 ? passing.promise.then(() => 60_000) : Promise.resolve(60_000)), retryMs: 1, log: logOf().log, words });
    loop.start();
    loop.wake();
    passing.resolve();
    await pause(20);
    expect(passes).toBe(2);
    await loop.stop();
  });

  it('tries again after an error, and says once that it fails and once that it is well', async () => {
    const { lines, log } = logOf();
    let passes = 0;
    const loop = new WakefulLoop({ pass: () => ((passes += 1) < 3 ? Promise.reject(new Error('away')) : Promise.resolve(60_000)), retryMs: 1, log, words });
    loop.start();
    while (passes < 3) await pause(5);
    await loop.stop();
    expect(lines).toEqual(['fails', 'well']);
  });
});

describe('drowsiness', () => {
  it('stays awake while there is work, looks once more before it sleeps, and says so', async () => {
    const said: boolean[] = [];
    const drowsiness = new Drowsiness({ awakePollMs: 7, drowsyMs: 30, say: (isAsleep) => Promise.resolve(void said.push(isAsleep)) });
    expect(await drowsiness.rest(true)).toBe(7);
    expect(await drowsiness.rest(false)).toBe(7);
    await pause(40);
    expect(await drowsiness.rest(false)).toBe(1);
    expect(await drowsiness.rest(false)).toBe(1000);
    drowsiness.stir();
    expect(await drowsiness.rest(false)).toBe(7);
    expect(said).toEqual([false, true, true, false]);
  });
});
