// Loops between files, by values or by types. ESLint's cycle rules let type-only loops pass, so they are looked for here.
export default {
  forbidden: [
    {
      name: 'no-loop',
      severity: 'error',
      comment: 'No set of files imports itself in a loop, not even by types: move what both need into a file of its own.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-lost-import',
      severity: 'error',
      comment: 'An import that leads nowhere: a typing error, or a package that package.json does not name.',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    // Types count: they are looked at before the compiler strips them.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    doNotFollow: { path: 'node_modules/(?!@mainstay/)' },
    exclude: { path: '(^|/)dist/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'], extensions: ['.ts', '.tsx', '.mjs', '.js', '.json', '.d.ts'] },
    skipAnalysisNotInRules: true,
  },
};
