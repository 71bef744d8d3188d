import { nameCollection, nameFields, nameProblem, toName } from './name-fields.ts';

describe('names', () => {
  it.each([
    ['Flight Date (UTC)', 'flight_date_utc'],
    ['flightDate', 'flight_date'],
    ['HTTPStatus', 'httpstatus'],
    ['Größe', 'grosse'],
    ['2001', 'n_2001'],
    ['  ', 'column_1'],
    ['航空便', '航空便'],
    ['__proto__', 'proto'],
  ])('%j becomes %s', (text, name) => expect(toName(text, 'column_1')).toBe(name));

  it('are all different', () => {
    expect(nameFields(['a', 'A', 'a 2', null, 'a'])).toEqual(['a', 'a_2', 'a_2_2', 'column_4', 'a_3']);
  });

  it('of a collection come from the file', () => {
    expect(['Flights 2001.csv.gz', 'airports.TSV', '.csv'].map(nameCollection)).toEqual(['flights_2001', 'airports', 'imported']);
  });

  it('are refused in words', () => {
    expect(nameProblem(' ')).toMatch(/needed/);
    expect(nameProblem('é'.repeat(32))).toMatch(/63 bytes/);
    expect(nameProblem('1st')).toMatch(/begins/);
    expect(nameProblem('a.b')).toMatch(/holds/);
    expect(nameProblem('a ')).toMatch(/holds/);
    expect(nameProblem('Any Name')).toBeNull();
    expect(nameProblem('航空便-2')).toBeNull();
  });
});
