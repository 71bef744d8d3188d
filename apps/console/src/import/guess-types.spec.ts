import { fits, guessJsonType, guessType } from './guess-types.ts';

describe('the type of a field', () => {
  it.each([
    [['1', '-2', null], 'bigint'],
    [['9223372036854775807'], 'bigint'],
    [['9223372036854775808'], 'numeric'],
    [['007', '1'], 'text'],
    [['1', '2.50'], 'numeric'],
    [['.5', '0.25'], 'numeric'],
    [['1', 'NaN'], 'double precision'],
    [['1e5', '2'], 'double precision'],
    [['true', 'f', 'NO'], 'boolean'],
    [['0', '1'], 'bigint'],
    [['2001-01-10', '2001/1/2'], 'date'],
    [['2001-02-30'], 'text'],
    [['01/02/2003'], 'text'],
    [['2001/01/10 09:10'], 'timestamp without time zone'],
    [['2001-01-10T09:10:00.123Z', '2001-01-10 09:10+02'], 'timestamp with time zone'],
    [['2001-01-10T09:10', '2001-01-10 09:10Z'], 'text'],
    [['09:10', '23:59:59.5'], 'time without time zone'],
    [['24:10'], 'text'],
    [['6fa459ea-ee8a-3ca4-894e-db77e160355e'], 'uuid'],
    [['{"a":1}', '[1]'], 'jsonb'],
    [['{broken'], 'text'],
    [['1', ''], 'text'],
    [[null, null], 'text'],
    [['-', '1'], 'text'],
    [['.', '1'], 'text'],
  ] as const)('of %j is %s', (cells, type) => expect(guessType(cells)).toBe(type));

  it.each([
    [['007', '1'], 'text'],
    [[1, 2.5, null], 'numeric'],
    [[1, 2], 'bigint'],
    [[true, false], 'boolean'],
    [[{ a: 1 }, 'x'], 'jsonb'],
    [[1, 'x'], 'text'],
    [['2001-01-10T09:10:00Z'], 'timestamp with time zone'],
    [[undefined, null], 'text'],
  ])('in JSON of %j is %s', (values, type) => expect(guessJsonType(values)).toBe(type));

  it.each([
    ['bigint', 'integer', true],
    ['numeric', 'integer', false],
    ['text', 'bigint', false],
    ['bigint', 'text', true],
    ['date', 'timestamp with time zone', true],
    ['bigint', 'boolean', true],
    ['text', 'public.mood', true],
    ['bigint', 'double precision', true],
  ] as const)('%s into %s: %s', (guess, type, answer) => expect(fits(guess, type)).toBe(answer));
});
