// One bundle per app: workspace code, and the packages that consist of hundreds of small files. Loading files one by one is
// what takes a process so long to start: api and worker read 1,800 and 1,500 of them, and start twice as fast without.
const app = process.env.APP;
if (!app) throw new Error('APP names the app to build: api, worker or cli');

/** Packages of pure code in many files. What carries files of its own (scripts, binaries, pages) stays in node_modules. */
const inlined = /^(@nestjs|@mikro-orm|rxjs|kysely|class-validator|validator|libphonenumber-js|jose|semver|iterare|reflect-metadata|croner|ipaddr\.js)(\/|$)/;
const own = /^(\.|\/|\0|@mainstay\/|@oxc-project\/runtime)/;

export default {
  input: `apps/${app}/src/main.ts`,
  platform: 'node',
  tsconfig: 'tsconfig.base.json',
  // \0 and the runtime hold decorator helpers.
  external: (id) => !own.test(id) && !inlined.test(id),
  // A package that nothing is used of is not loaded at all; this one alone is imported for what it does.
  treeshake: { moduleSideEffects: (id, isExternal) => !isExternal || id === 'reflect-metadata' },
  // Nest names its optional packages, and does without those that are not there.
  logLevel: 'warn',
  onLog: (level, log, handle) => void (log.code === 'UNRESOLVED_IMPORT' && /node_modules/.test(log.loc?.file ?? log.id ?? log.message) ? null : handle(level, log)),
  plugins: [withoutMapOf('packages'), withoutMapOf('orm')],
  output: {
    dir: `dist/apps/${app}`,
    entryFileNames: 'main.js',
    chunkFileNames: '[name]-[hash].js',
    cleanDir: true,
    format: 'esm',
    sourcemap: true,
    keepNames: true,
    codeSplitting: app === 'cli' ? undefined : { groups: [{ name: 'orm', test: /node_modules.(@mikro-orm|kysely|semver)/, priority: 2 }, { name: 'packages', test: /node_modules/, priority: 1 }] },
  },
};

/** Node reads a source map with its file, and that of the packages is larger than all of ours. */
function withoutMapOf(name) {
  return {
    name: 'without-map',
    generateBundle(_, bundle) {
      for (const [file, chunk] of Object.entries(bundle)) {
        if (chunk.name !== name && !file.startsWith(`${name}-`)) continue;
        if (file.endsWith('.map')) delete bundle[file];
        else if (chunk.type === 'chunk') chunk.code = chunk.code.replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n');
      }
    },
  };
}
