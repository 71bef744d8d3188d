import { readdirSync } from 'node:fs';

const rooms = ['apps', 'libs'].flatMap((floor) =>
  readdirSync(floor).map((name) => ({ name, dir: `${floor}/${name}` })),
);
/** These start no servers and know no Nest. */
const pure = new Set(['domain', 'config', 'outward', 'cli', 'console', 'tools']);

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

const project = ({ name, dir }) => ({
  displayName: name,
  rootDir: '.',
  roots: [`<rootDir>/${dir}`],
  testMatch: ['**/*.spec.ts'],
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts', '.tsx'],
  transform: { '^.+\\.ts$': swc(false), '^.+\\.tsx$': swc(true) },
  transformIgnorePatterns: ['/node_modules/(?!@mainstay/)', '/libs/.*/node_modules/'],
  ...(pure.has(name) ? {} : withServers(name)),
});

export default {
  testTimeout: 30_000,
  maxWorkers: 2,
  projects: [...rooms, { name: 'tools', dir: 'tools' }].map(project),
};
