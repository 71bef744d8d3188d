import { Histogram } from './histogram.ts';

describe('a histogram', () => {
  it('counts a value where it is at most the bound', () => {
    const histogram = new Histogram([1, 2]);
    for (const value of [0, 1, 1.5, 2, 2.1, 100]) histogram.observe(value);
    expect([...histogram.counts]).toEqual([2, 2, 2]);
    expect(histogram.sum).toBeCloseTo(106.6);
    expect(histogram.count).toBe(6);
  });

  it('gives what came since the last time, once', () => {
    const histogram = new Histogram([1]);
    expect(histogram.take()).toBeNull();
    histogram.observe(0.5);
    histogram.observe(3);
    expect(histogram.take()).toEqual({ counts: [1, 1], sum: 3.5 });
    expect(histogram.take()).toBeNull();
    histogram.add({ counts: [2, 0], sum: 0.25 });
    expect(histogram.take()).toEqual({ counts: [2, 0], sum: 0.25 });
  });
});
