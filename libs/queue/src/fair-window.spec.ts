import { bundleSize, nextWindow, restedWindow, widest } from './fair-window.ts';

/** Works through a full window again and again at a steady rate: an id waits as long as those before it take. */
function settle(jobsPerSecond: number, narrowest: number): number {
  let size = narrowest;
  for (let i = 0; i < 20_000; i += 1) size = nextWindow(size, (size / jobsPerSecond) * 1000, narrowest);
  return size;
}

describe('the window', () => {
  it('opens to its widest for quick jobs', () => {
    expect(settle(5000, 32)).toBe(widest);
  });

  it('holds about half a second of work', () => {
    const size = settle(400, 32);
    expect(size).toBeGreaterThanOrEqual(100);
    expect(size).toBeLessThanOrEqual(200);
  });

  it('stays at its narrowest for slow jobs, so that another owner waits for few of them', () => {
    expect(settle(0.1, 4)).toBe(4);
  });

  it('closes within a few claims when jobs become slow', () => {
    let size = widest;
    for (let i = 0; i < 40; i += 1) size = nextWindow(size, 2000, 4);
    expect(size).toBe(4);
  });

  it('is narrow again after a rest: what comes next may be slow', () => {
    expect(restedWindow(widest, 5000, 4)).toBe(4);
    expect(restedWindow(widest, 300, 4)).toBe(widest);
  });
});

describe('a bundle', () => {
  it('is one id where the window is not several rounds deep', () => {
    expect([bundleSize(10, 10), bundleSize(79, 10), bundleSize(widest, 64)]).toEqual([1, 1, 1]);
  });

  it('grows with a window that quick jobs have opened, and leaves every slot several', () => {
    expect(bundleSize(80, 10)).toBe(2);
    expect(bundleSize(widest, 10)).toBe(12);
    expect(bundleSize(widest, 4)).toBe(16);
  });
});
