import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { AuthModule, makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeListener } from '@mainstay/persistence';
import { RestService, SchemaKeeper, termsSource } from '@mainstay/rest';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { FastifyInstance } from 'fastify';
import { DescriptionsController } from './descriptions.controller.ts';
import { serveDocs } from './docs-pages.ts';
import { makeHttpServer } from './http-server.ts';
import { RestFilter } from './rest.filter.ts';
import { settingsToken } from './settings-token.ts';

const require = createRequire(import.meta.url);
const root = join(import.meta.dirname, '../../..');

let database: TestDatabase;
let secrets: Record<string, string>;
let keeper: SchemaKeeper;
let app: NestFastifyApplication;
let url: string;

beforeAll(async () => {
  database = await makeTestDatabase();
  await database.admin.rows(`
    create type mood as enum ('calm', 'wild');
    create table towns (id int primary key, name text not null, mood mood, extra jsonb, tags text[], at timestamptz default now(), "select" int, code varchar(3) not null default 'x');
    create table "strange {näme}/x" ("ключ" text primary key, town_id int references towns);
    create table strange__n_me__x (id int generated always as identity primary key);
    create view town_names as select name from towns;
    create function add(a int, b int default 1) returns int language sql immutable as $$ select a + b $$;
    create function add(a text) returns text language sql immutable as $$ select a $$;
    create function whole(json) returns json language sql immutable as $$ select $1 $$;
    create function find(part text) returns setof towns language sql stable as $$ select * from public.towns $$;
    create function nothing() returns void language sql as $$ select $$;
    create function pairs() returns table(x int, y text) language sql stable as $$ select 1, 'a' $$;
    grant all on all tables in schema public to service_role;`);
  secrets = await makeSecrets(database.environment);
  const settings = readSettings({ ...database.environment, ...secrets });
  const pool = database.as('authenticator');
  keeper = new SchemaKeeper(pool, makeListener(settings, 'authenticator'), termsSource(settings));
  await keeper.start();
  const module = await Test.createTestingModule({
    imports: [AuthModule.with(settings)],
    controllers: [DescriptionsController],
    providers: [RestFilter, { provide: settingsToken, useValue: settings }, { provide: RestService, useValue: new RestService(pool, keeper, 'anon') }],
  }).compile();
  app = module.createNestApplication<NestFastifyApplication>(makeHttpServer(settings), { bodyParser: false, logger: false });
  await serveDocs(app.getHttpAdapter().getInstance() as unknown as FastifyInstance);
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
});

afterAll(async () => {
  await app.close();
  await keeper.close();
  await database.close();
});

const ask = (path: string, key?: string): Promise<Response> => fetch(url + path, { headers: key === undefined ? {} : { apikey: key }, redirect: 'manual' });

async function readDocument(): Promise<any> {
  const answer = await ask('/openapi/rest.json', secrets['SERVICE_ROLE_KEY']);
  expect(answer.status).toBe(200);
  return answer.json();
}

describe('/openapi/rest.json', () => {
  it.each([
    ['a guest', () => undefined],
    ['the anon key', () => secrets['ANON_KEY']],
    ['the publishable key', () => secrets['SUPABASE_PUBLISHABLE_KEY']],
  ])('is not for %s', async (_who, key) => {
    const answer = await ask('/openapi/rest.json', key());
    expect({ status: answer.status, body: await answer.json() }).toMatchObject({ status: 403, body: { code: 'PGRSTX70' } });
  });

  it('tells rows, what may be inserted and updated, and functions', async () => {
    const document = await readDocument();
    expect(document).toMatchObject({ openapi: '3.1.0', servers: [{ url: '/rest/v1' }] });
    const { towns, towns_insert: insert, towns_update: update } = document.components.schemas;
    expect(towns.required).toEqual(['id', 'name', 'code']);
    expect(insert.required).toEqual(['id', 'name']);
    expect(update).not.toHaveProperty('required');
    expect(towns.properties).toMatchObject({ mood: { type: ['string', 'null'], enum: ['calm', 'wild', null] }, tags: { type: ['array', 'null'], items: { type: 'string' } }, at: { format: 'date-time' }, code: { maxLength: 3 } });
    expect(Object.keys(document.paths)).toContain('/strange%20%7Bn%C3%A4me%7D%2Fx');
    expect(document.paths['/rpc/find'].get.responses['200'].content['application/json'].schema).toEqual({ type: 'array', items: { $ref: '#/components/schemas/towns' } });
    expect(document.paths['/town_names'].get.operationId).toBe('list_town_names');
  });

  it('another schema is described when it is named, if it is exposed', async () => {
    expect((await (await ask('/openapi/rest.json?schema=nope', secrets['SERVICE_ROLE_KEY'])).json())).toMatchObject({ code: 'PGRST106' });
    expect((await (await ask('/openapi/rest.json?schema=graphql_public', secrets['SERVICE_ROLE_KEY'])).json())).toMatchObject({ openapi: '3.1.0' });
  });

  it('passes the recommended rules of redocly', async () => {
    const { lintFromString, createConfig } = await import('@redocly/openapi-core');
    const problems = await lintFromString({ source: JSON.stringify(await readDocument()), config: await createConfig({ extends: ['recommended'] }) });
    expect(problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} (${location[0]?.pointer})`)).toEqual([]);
  });
});

describe('clients made from it', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(root, 'node_modules/.cache/generated-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('those of openapi-typescript and of hey-api compile', async () => {
    const document = await readDocument();
    await Promise.all([writeTypes(folder, document), writeHeyClient(folder, document)]);
    expect(await compile(folder, ['use.ts', 'use-hey.ts'])).toEqual([]);
  }, 120_000);
});

async function writeTypes(folder: string, document: any): Promise<void> {
  const { default: generate, astToString } = await import('openapi-typescript');
  writeFileSync(join(folder, 'schema.ts'), astToString(await generate(document)));
  writeFileSync(join(folder, 'use.ts'), `import type { components, paths } from './schema.ts';
    export const town: components['schemas']['towns'] = { id: 1, name: 'x', code: 'abc', mood: 'calm', at: null };
    export const fresh: components['schemas']['towns_insert'] = { id: 1, name: 'x' };
    // @ts-expect-error a mood that there is not
    export const wrong: components['schemas']['towns'] = { id: 1, name: 'x', code: 'abc', mood: 'sad' };
    export type Found = paths['/rpc/find']['get']['responses'][200]['content']['application/json'][number]['name'];
    export const name: Found = 'x';`);
}

async function writeHeyClient(folder: string, document: any): Promise<void> {
  const { createClient } = await import('@hey-api/openapi-ts');
  writeFileSync(join(folder, 'rest.json'), JSON.stringify(document));
  await createClient({ input: join(folder, 'rest.json'), output: join(folder, 'hey'), logs: { level: 'silent' }, plugins: ['@hey-api/typescript', '@hey-api/sdk', '@hey-api/client-fetch'] } as any);
  writeFileSync(join(folder, 'use-hey.ts'), `import { listTowns, insertTowns, callAdd } from './hey/index.ts';
    export const towns = listTowns({ query: { select: 'id', name: 'eq.x' } });
    export const made = insertTowns({ body: [{ id: 1, name: 'x' }] });
    export const sum = callAdd({ body: { a: 1 } });`);
}

/** What the compiler says of files, as strictly as a user may have it. */
async function compile(folder: string, names: readonly string[]): Promise<string[]> {
  const { default: ts } = await import('typescript');
  const program = ts.createProgram(names.map((name) => join(folder, name)), {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.Preserve,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    allowImportingTsExtensions: true,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: [],
  });
  return ts.getPreEmitDiagnostics(program).map(({ messageText, file }) => `${file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
}

describe('/docs', () => {
  it('is a page of this server, and takes nothing from outside', async () => {
    expect((await ask('/docs')).headers.get('location')).toBe('/docs/');
    const answer = await ask('/docs/');
    const text = await answer.text();
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none';script-src 'self'");
    expect([...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path)).toEqual(['/docs/parts/favicon-32x32.png', '/docs/parts/swagger-ui.css', '/docs/page.css', '/docs/parts/swagger-ui-bundle.js', '/docs/start.js']);
    for (const path of ['/docs/parts/swagger-ui.css', '/docs/page.css', '/docs/parts/swagger-ui-bundle.js', '/docs/start.js']) expect((await ask(path)).status).toBe(200);
    expect(await (await ask('/docs/parts/swagger-ui-bundle.js')).text()).toBe(readFileSync(join(dirname(require.resolve('swagger-ui-dist/package.json')), 'swagger-ui-bundle.js'), 'utf8'));
  });

  it.each(['/docs/parts/index.html', '/docs/parts/package.json', '/docs/parts/../../package.json'])('%s is not served', async (path) => {
    expect((await ask(path)).status).toBe(404);
  });
});
