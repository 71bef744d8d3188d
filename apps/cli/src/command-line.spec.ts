import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commands, helpOf } from './commands.ts';
import { sentenceFor } from './explained.ts';
import { homeAt, refuseForeign } from './home.ts';
import { flag, readOptions, text } from './options.ts';

describe('what stands behind a command', () => {
  const read = (...args: string[]) => readOptions('import', args, { into: text, 'no-header': flag }, 1);

  it('is its options, and as many words as it takes', () => {
    expect(read('a.csv', '--into', 'flights', '--no-header')).toMatchObject({ values: { into: 'flights', 'no-header': true }, positionals: ['a.csv'] });
  });

  it.each([
    ['an option that is not there', ['--in', 'flights'], /Unknown option '--in'\.\nAll options: npm run mainstay -- import --help/],
    ['an option without its value', ['--into'], /'--into <value>' argument missing/],
    ['a word too many', ['a.csv', 'b.csv'], /"b\.csv" is a word too many/],
  ])('is refused for %s', (_, args, words) => {
    expect(() => read(...args)).toThrow(words);
  });

  it.each(commands)('is on the help page of $name', (command) => {
    for (const [option] of command.options) expect(helpOf(command)).toContain(option);
  });
});

describe('an error is put in a sentence', () => {
  it.each([
    ['no server', Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED', syscall: 'connect' }), /cannot be reached: connect ECONNREFUSED 127\.0\.0\.1:1\./],
    ['no server at either address of a name', Object.assign(new AggregateError([new Error('connect ECONNREFUSED ::1:1')]), { code: 'ECONNREFUSED' }), /cannot be reached: connect ECONNREFUSED ::1:1\./],
    ['a wrong password', Object.assign(new Error('password authentication failed for user "x"'), { code: '28P01', severity: 'FATAL' }), /refuses the connection: password/],
    ['a folder that is not one’s own', Object.assign(new Error("EACCES: permission denied, mkdir '/x'"), { code: 'EACCES', syscall: 'mkdir', path: '/x' }), /The system refuses: EACCES/],
    ['a bug of ours', new TypeError('x is undefined'), null],
  ])('for %s', (_, error, words) => {
    if (words === null) expect(sentenceFor(error)).toBeNull();
    else expect(sentenceFor(error)).toMatch(words);
  });
});

describe('a home', () => {
  let folder: string;
  const home = () => homeAt(folder);
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'mainstay-home-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('may be a new folder, an empty one, one that was begun, and one with secrets whatever else is in it', () => {
    refuseForeign(homeAt(join(folder, 'new')));
    refuseForeign(home());
    mkdirSync(home().logs);
    refuseForeign(home());
    writeFileSync(home().secrets, '');
    writeFileSync(join(folder, 'notes.txt'), '');
    refuseForeign(home());
  });

  it('is not made of a folder with other files, which a reset would delete', () => {
    writeFileSync(join(folder, 'thesis.odt'), '');
    expect(() => refuseForeign(home())).toThrow(/holds files that are not Mainstay’s \(thesis\.odt\): set MAINSTAY_HOME/);
  });

  it('is not a file', () => {
    const path = join(folder, 'file');
    writeFileSync(path, '');
    expect(() => refuseForeign(homeAt(path))).toThrow(/must be a folder/);
  });
});
