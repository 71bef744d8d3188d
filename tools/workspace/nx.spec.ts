import { spawnSync } from 'node:child_process';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyWorkspace, type WorkspaceCopy } from './copy-workspace.ts';

/** Nx is started some ten times here, beside other specs on the same cores. */
const patienceMs = 120_000;

interface Graph {
  readonly nodes: Readonly<Record<string, { readonly data: { readonly targets?: Readonly<Record<string, unknown>> } }>>;
  readonly dependencies: Readonly<Record<string, readonly { readonly target: string }[]>>;
}

describe('the workspace', () => {
  let workspace: WorkspaceCopy;
  let graph: Graph;

  const nx = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['node_modules/nx/dist/bin/nx.js', ...args], {
      cwd: workspace.directory,
      encoding: 'utf8',
      env: { ...process.env, NX_DAEMON: 'false', NX_ISOLATE_PLUGINS: 'false', NODE_OPTIONS: '', PATH: `${workspace.directory}/node_modules/.bin:${process.env['PATH']}` },
    });
    if (status !== 0) throw new Error(`nx ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
    return stdout;
  };
  const read = (file: string) => readFileSync(join(workspace.directory, file), 'utf8');
  /** What is to be built again is decided by what a build reads, not by what it does; so it does next to nothing from here on. */
  const makeBuildsShort = () => {
    for (const [file, target] of [['nx.json', 'targetDefaults'], ['apps/console/package.json', 'nx.targets']] as const) {
      const json = JSON.parse(read(file)) as Record<string, any>;
      const targets = target.split('.').reduce((value, key) => value[key], json);
      targets['build'].command = 'node --print 0';
      writeFileSync(join(workspace.directory, file), JSON.stringify(json));
    }
  };
  const change = (file: string) => appendFileSync(join(workspace.directory, file), '\n// changed\n');

  /** Builds every app and gives those that did not come from the cache. */
  const rebuilt = () => {
    nx('run-many', '-t', 'build', '--parallel=2', '--output-style=static');
    const { tasks } = JSON.parse(read('.nx/cache/run.json')) as { tasks: { projectName: string; cacheStatus: string }[] };
    expect(tasks.length).toBe(withTarget('build').length);
    return tasks.filter(({ cacheStatus }) => cacheStatus === 'cache-miss').map(({ projectName }) => projectName).sort();
  };

  const withTarget = (target: string) => Object.keys(graph.nodes).filter((name) => graph.nodes[name]?.data.targets?.[target] !== undefined).sort();
  const uses = (name: string) => (graph.dependencies[name] ?? []).map(({ target }) => target).filter((target) => target in graph.nodes);

  /** The project itself and all that reach it by arrows, found by asking each one, not by Nx. */
  const dependants = (changed: string) => {
    const reaches = (name: string, seen = new Set<string>()): boolean =>
      name === changed || uses(name).some((next) => !seen.has(next) && reaches(next, seen.add(next)));
    return Object.keys(graph.nodes).filter((name) => reaches(name)).sort();
  };

  beforeAll(() => {
    workspace = copyWorkspace();
    nx('graph', '--file=graph.json');
    graph = (JSON.parse(read('graph.json')) as { graph: Graph }).graph;
  }, patienceMs);
  afterAll(() => workspace.remove());

  describe('as a graph', () => {
    it.each([
      ['api', 'rest'],
      ['api', 'auth'],
      ['api', 'automation'],
      ['api', 'collections'],
      ['worker', 'automation'],
      ['worker', 'queue'],
      ['cli', 'embedded'],
      ['rest', 'dialect'],
      ['rest', 'persistence'],
      ['automation', 'persistence'],
      ['dialect', 'domain'],
      ['testing', 'embedded'],
      ['e2e', 'testing'],
    ])('%s uses %s', (user, used) => {
      expect(uses(user)).toContain(used);
    });

    it('every project can be linted, type-checked and tested by itself', () => {
      for (const target of ['lint', 'typecheck', 'test']) expect(withTarget(target)).toEqual(Object.keys(graph.nodes).sort());
    });

    it('apps are built, libraries are not', () => {
      expect(withTarget('build')).toEqual(['api', 'cli', 'console', 'worker']);
    });
  });

  describe('rebuilds', () => {
    beforeAll(() => {
      expect(rebuilt()).toEqual(withTarget('build'));
      makeBuildsShort();
      expect(rebuilt()).toEqual(withTarget('build'));
    }, patienceMs);

    it('nothing when nothing changed', () => {
      expect(rebuilt()).toEqual([]);
    }, patienceMs);

    it('nothing when only a spec changed', () => {
      appendFileSync(join(workspace.directory, 'libs/domain/src/changed.spec.ts'), `it('is new', () => {});\n`);
      expect(rebuilt()).toEqual([]);
    }, patienceMs);

    it('exactly the dependants of a library', () => {
      change('libs/dialect/src/index.ts');
      const expected = dependants('dialect').filter((name) => withTarget('build').includes(name));
      expect(expected).toContain('api');
      expect(expected).not.toContain('console');
      expect(rebuilt()).toEqual(expected);
    }, patienceMs);

    it('one app when only that app changed', () => {
      change('apps/worker/src/main.ts');
      expect(rebuilt()).toEqual(['worker']);
    }, patienceMs);

    it('everything when the compiler’s options changed', () => {
      appendFileSync(join(workspace.directory, 'tsconfig.base.json'), '\n');
      expect(rebuilt()).toEqual(withTarget('build'));
    }, patienceMs);
  });

  it.each(['queue', 'collections', 'console'])('a change of %s affects exactly its dependants', (changed) => {
    const folder = changed === 'console' ? 'apps' : 'libs';
    const affected = JSON.parse(nx('show', 'projects', '--affected', `--files=${folder}/${changed}/src/index.ts`, '--json')) as string[];
    expect(affected.sort()).toEqual(dependants(changed));
  }, patienceMs);
});
