import { cutCode, findSettings, valueInWords } from './describe-setting.ts';

const setting = { name: 'GOTRUE_X', synonyms: [], group: 'Ways in', meaning: 'Allows X.', type: 'true or false', value: false as unknown, is_secret: false, is_set: false, default_text: null as string | null };

describe('a setting, described', () => {
  it.each([
    ['a flag', { value: true }, 'on'],
    ['a flag that is off', { value: false, is_set: true }, 'off'],
    ['a span', { type: 'duration (ms, s, m, h)', value: 3600 }, '1 hour'],
    ['a span without end', { type: 'duration (ms, s, m, h)', value: 0, default_text: 'no limit' }, 'no limit'],
    ['a number', { type: 'a whole number from 1 to 9', value: 12_000 }, '12,000'],
    ['a list', { value: ['a', 'b'], is_set: true }, 'a, b'],
    ['an empty list', { value: [] }, 'not set'],
    ['nothing, with words for it', { value: null, default_text: 'the host of SITE_URL' }, 'the host of SITE_URL'],
    ['a table', { value: { CONFIRMATION: 'Welcome' }, is_set: true }, 'CONFIRMATION: Welcome'],
    ['a secret that is there', { is_secret: true, value: null, is_set: true }, 'set (secret)'],
    ['a secret that is not', { is_secret: true, value: null, default_text: 'none' }, 'not set'],
  ])('%s', (_what, part, words) => expect(valueInWords({ ...setting, ...part })).toBe(words));

  it('is found by its name, its other names and its meaning', () => {
    const all = [setting, { ...setting, name: 'GOTRUE_Y', synonyms: ['OLD_Y'], meaning: 'Refuses Y.', group: 'Limits' }];
    const names = (search: string): string[] => [...findSettings(all, search).values()].flat().map(({ name }) => name);
    expect(names('')).toEqual(['GOTRUE_X', 'GOTRUE_Y']);
    expect(names('old')).toEqual(['GOTRUE_Y']);
    expect(names('allows ways')).toEqual(['GOTRUE_X']);
    expect(names('nothing')).toEqual([]);
  });

  it('has code in its meaning', () => expect(cutCode('Such as `a.b` or c.')).toEqual([{ text: 'Such as ', isCode: false }, { text: 'a.b', isCode: true }, { text: ' or c.', isCode: false }]));
});
