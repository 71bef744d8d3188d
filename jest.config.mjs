import { readdirSync } from 'node:fs';

/** These start no servers and know no Nest. */
const pure = new Set(['domain', 'config', 'outward', 'cli', 'console', 'tools']);
const rooms = [...['apps', 'libs'].flatMap((floor) => readdirSync(floor).map((name) => ({ name, folders: [`${floor}/${name}`] }))), { name: 'tools', folders: ['tools'] }];

/**
 * A room that is asked for by `--selectProjects` is a project. A whole run knows the three kinds alone: Jest keeps what it
 * has read and transformed for each project by itself, and would do all of it for a library in each room that uses it.
 */
const isWhole = !process.argv.some((word) => word.startsWith('--selectProjects'));
const kindOf = ({ name }) => (pure.has(name) ? 'pure' : name === 'e2e' ? 'e2e' : 'served');
const kinds = ['e2e', 'served', 'pure'].map((kind) => ({ name: kind, folders: rooms.filter((room) => kindOf(room) === kind).flatMap(({ folders }) => folders) }));

const swc = (tsx) => [
  '@swc/jest',
  {
    swcrc: false,
    jsc: {
      // Without it `with { type: 'json' }` is lost on the way, and Jest complains.
      experimental: { keepImportAttributes: true },
      target: 'es2024',
      parser: { syntax: 'typescript', decorators: true, tsx },
      transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false, react: { runtime: 'automatic' } },
    },
    module: { type: 'es6' },
  },
];

/** Servers start once for a run, whatever number of projects asks for them. */
const withServers = (name) => ({
  // A CommonJS package that requires Nest fails in a cycle unless Nest was imported first.
  setupFiles: ['<rootDir>/tools/jest/first-imports.mjs'],
  globalSetup: `<rootDir>/tools/jest/${name === 'e2e' ? 'stack' : 'servers'}-up.ts`,
  globalTeardown: '<rootDir>/tools/jest/servers-down.ts',
  ...(name === 'e2e' ? { setupFilesAfterEnv: ['<rootDir>/tools/jest/patience.mjs'] } : {}),
});

const project = ({ name, folders }) => ({
  displayName: name,
  rootDir: '.',
  roots: folders.map((folder) => `<rootDir>/${folder}`),
  testMatch: ['**/*.spec.ts'],
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts', '.tsx'],
  transform: { '^.+\\.ts$': swc(false), '^.+\\.tsx$': swc(true) },
  transformIgnorePatterns: ['/node_modules/(?!@mainstay/)', '/libs/.*/node_modules/'],
  ...(name === 'pure' || pure.has(name) ? {} : withServers(name)),
});

export default {
  testTimeout: 30_000,
  maxWorkers: 2,
  testSequencer: '<rootDir>/tools/jest/longest-first.mjs',
  projects: (isWhole ? kinds : rooms).map(project),
};
