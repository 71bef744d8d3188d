import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const pages = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md', { cwd: root })];
const rooms = ['apps', 'libs'].flatMap((floor) => readdirSync(join(root, floor)));

describe('the pages', () => {
  it.each(pages)('every link in %s leads somewhere', (page) => {
    const targets = [...read(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)(#[^)]*)?\)/g)].map((match) => match[1]!);
    expect(targets.filter((target) => !existsSync(join(root, dirname(page), target)))).toEqual([]);
  });

  it('every command of the README that shows a claim has specs to run', () => {
    for (const [, project, pattern] of read('README.md').matchAll(/npx nx test (\S+?)(?: ([\w-]+))?`/g)) {
      const specs = globSync(`{apps,libs}/${project}/src/**/*${pattern ?? ''}*.spec.ts`, { cwd: root });
      expect([project, pattern, specs.length > 0]).toEqual([project, pattern, true]);
    }
  });

  it('every npm script that they name exists', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = pages.flatMap((page) => [...read(page).matchAll(/npm run ([a-z]+)/g)].map((match) => match[1]!));
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining([...new Set(named)]));
  });
});

describe('docs/architecture.md', () => {
  const text = read('docs/architecture.md');

  it.each(rooms)('has a word on %s', (room) => {
    expect(text).toContain(`\`${room}\``);
  });

  it('names files that exist', () => {
    const lines = text.split('\n').filter((line) => line.includes('` → `'));
    expect(lines.length).toBe(2);
    for (const [, room, file] of lines.join('\n').matchAll(/`([a-z]+)\/([\w.-]+)`/g)) {
      expect([`${room}/${file}`, globSync(`{apps,libs}/${room}/src/${file}.ts`, { cwd: root }).length]).toEqual([`${room}/${file}`, 1]);
    }
  });
});
