import { guessKey } from './guess-key.ts';

describe('the key', () => {
  it.each([
    [['name', 'id'], ['text', 'bigint'], [['a', 'a'], ['1', '2']], 1],
    [['id'], ['bigint'], [['1', '1']], null],
    [['id'], ['bigint'], [['1', null]], null],
    [['flight_id', 'delay'], ['bigint', 'bigint'], [['1', '2'], ['3', '4']], 0],
    [['delay', 'flight_id'], ['bigint', 'bigint'], [['1', '2'], ['3', '4']], null],
    [['line', 'id'], ['bigint', 'jsonb'], [['1', '2'], ['{}', '[]']], 0],
  ] as const)('of %j is column %#', (names, types, columns, key) => expect(guessKey(names, types, columns)).toBe(key));
});
