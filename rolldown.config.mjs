// One bundle per app: workspace code is inlined, npm packages stay outside (bundling them gave no faster start).
const app = process.env.APP;
if (!app) throw new Error('APP names the app to build: api, worker or cli');

export default {
  input: `apps/${app}/src/main.ts`,
  platform: 'node',
  tsconfig: 'tsconfig.base.json',
  // \0 and the runtime hold decorator helpers.
  external: (id) => !/^(\.|\/|\0|@mainstay\/|@oxc-project\/runtime)/.test(id),
  // A package that nothing is used of is not loaded at all; this one alone is imported for what it does.
  treeshake: { moduleSideEffects: (id, isExternal) => !isExternal || id === 'reflect-metadata' },
  // The command line loads each command when it is asked for.
  output: { dir: `dist/apps/${app}`, entryFileNames: 'main.js', cleanDir: true, format: 'esm', sourcemap: true, codeSplitting: app === 'cli' ? undefined : false },
};
