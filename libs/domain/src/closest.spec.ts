import { closest } from './closest.ts';

describe('closest', () => {
  it.each([
    ['creatd_at', ['id', 'created_at', 'creator'], 'created_at'],
    ['createdAt', ['id', 'created_at'], 'created_at'],
    ['dealy', ['distance', 'delay'], 'delay'],
    ['delay', [], null],
    ['price', ['id', 'distance'], null],
    ['x'.repeat(1_000_000), ['id'], null],
    ['__proto__', ['proto', 'id'], 'proto'],
    ['idd', ['id'], 'id'],
  ])('case %#', (name, candidates, meant) => {
    expect(closest(name, candidates)).toBe(meant);
  });
});
