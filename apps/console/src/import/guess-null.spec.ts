import { guessNullText } from './guess-null.ts';

describe('the text for null', () => {
  it.each([
    [[['1', 'x'], ['NA', 'y'], ['3', 'z']], 'NA'],
    [[['1'], ['\\N']], '\\N'],
    [[['1'], [null]], ''],
    [[['NA'], ['x']], ''],
    [[['1'], ['NA'], [null]], ''],
  ])('in %j is %j', (rows, text) => expect(guessNullText(rows)).toBe(text));
});
