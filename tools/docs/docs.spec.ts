import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { commentAbove, table } from './markdown.ts';

it('the generated pages say what the code says', () => {
  const { status, stderr } = spawnSync(process.execPath, ['tools/docs/write.ts', '--check'], {
    cwd: join(import.meta.dirname, '../..'),
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
}, 120_000);

describe('markdown', () => {
  it('a bar in a cell does not end the cell', () => {
    expect(table(['a'], [['x | y']])).toBe('| a |\n| --- |\n| x \\| y |');
  });

  it('the comment above a declaration is its description, and no other comment is', () => {
    const source = '/** First. */\nconst a = 1;\n\n/**\n * Second,\n * in two lines.\n */\nexport const b = 2;\n';
    expect(commentAbove(source, 'export const b ')).toBe('Second, in two lines.');
    expect(commentAbove(`${source}export const c = 3;`, 'export const c ')).toBe('');
  });
});
