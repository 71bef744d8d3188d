import { Stride } from './stride.ts';

describe('the stride', () => {
  it('is a whole chunk while that is quick', () => {
    const stride = new Stride();
    stride.adapt(50_000, 400);
    expect(stride.rows).toBe(Infinity);
  });

  it('shrinks to what takes a second, and grows again', () => {
    const stride = new Stride();
    stride.adapt(50_000, 100_000);
    expect(stride.rows).toBe(500);
    stride.adapt(500, 900);
    expect(stride.rows).toBe(500);
    stride.adapt(500, 200);
    expect(stride.rows).toBe(1000);
    // The short rest of a chunk says nothing about the whole stride.
    stride.adapt(10, 1);
    expect(stride.rows).toBe(1000);
  });

  it('shrinks to an eighth when a statement was ended, and never below one row', () => {
    const stride = new Stride();
    stride.shorten(80);
    expect(stride.rows).toBe(10);
    stride.shorten(3);
    expect(stride.rows).toBe(1);
  });
});
