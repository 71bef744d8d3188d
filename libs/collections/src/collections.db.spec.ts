import { makeCaller } from '@mainstay/domain';
import type { Database } from '@mainstay/persistence';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { CollectionsService } from './collections.service.ts';
import { fieldTypes } from './field-types.ts';

const service = makeCaller('key', { role: 'service_role' });
const member = makeCaller('user', { sub: '11111111-1111-4111-8111-111111111111', role: 'authenticated' });
const guest = makeCaller('anonymous', {});

describe('collections', () => {
  let test: TestDatabase;
  let collections: CollectionsService;
  let worker: Database;

  beforeAll(async () => {
    test = await makeTestDatabase();
    worker = test.as('mainstay_worker');
    collections = new CollectionsService(test.as('mainstay_api'), ['public']);
  });
  afterAll(() => test.close());

  const create = (name: string, access: string, fields: unknown[] = [{ name: 'id', type: 'int', is_primary_key: true }, { name: 'n', type: 'numeric' }]) => collections.create(service, { name, access, fields });
  /** What a role is told when it tries something; null when it may. */
  const refused = (role: string, text: string): Promise<string | null> =>
    worker.transaction({ role, settings: {} }, (tx) => tx.rows(text)).then(() => null, (error: Error) => error.message);

  it('are made closed, owned by postgres, with row security forced', async () => {
    expect(await create('Drop me', 'service')).toEqual({
      schema: 'public', name: 'Drop me', kind: 'table', row_estimate: 0, has_row_security: true, policies: [],
      fields: [
        { name: 'id', type: 'integer', is_nullable: false, default: null, is_primary_key: true, is_generated: false, references: null },
        { name: 'n', type: 'numeric', is_nullable: true, default: null, is_primary_key: false, is_generated: false, references: null },
      ],
    });
    expect(await test.admin.rows(`select pg_get_userbyid(relowner) as owner, relforcerowsecurity as forced from pg_class where relname = 'Drop me'`)).toEqual([{ owner: 'postgres', forced: true }]);
  });

  it.each([
    ['service', [], { anon: false, authenticated: false }],
    ['signed_in', [{ name: 'signed-in users may read', command: 'SELECT', roles: ['authenticated'] }], { anon: false, authenticated: true }],
    ['everyone', [{ name: 'everyone may read', command: 'SELECT', roles: ['anon', 'authenticated'] }], { anon: true, authenticated: true }],
  ])('with access "%s" are read by those alone, and written by the service role', async (access, policies, may) => {
    const name = `of_${access}`;
    expect((await create(name, access)).policies).toEqual(policies);
    await worker.transaction({ role: 'service_role', settings: {} }, (tx) => tx.rows(`insert into public.${name} values (1, 2.5)`));
    for (const role of ['anon', 'authenticated'] as const) {
      expect(await refused(role, `select from public.${name}`)).toBe(may[role] ? null : `permission denied for table ${name}`);
      expect(await refused(role, `insert into public.${name} values (2)`)).toBe(`permission denied for table ${name}`);
      expect(await refused(role, `delete from public.${name}`)).toBe(`permission denied for table ${name}`);
      expect(await refused(role, `truncate public.${name}`)).toBe(`permission denied for table ${name}`);
    }
    const seen = await worker.transaction({ role: may.anon ? 'anon' : may.authenticated ? 'authenticated' : 'service_role', settings: {} }, (tx) => tx.rows(`select * from public.${name}`));
    expect(seen).toEqual([{ id: 1, n: '2.5' }]);
  });

  it('may have every type of the list', async () => {
    const fields = Object.keys(fieldTypes).map((type, i) => ({ name: `f${i}`, type }));
    const made = await create('all_types', 'service', fields);
    expect(made.fields.map(({ type }) => type)).toEqual(Object.keys(fieldTypes));
  });

  it('show keys, references, defaults, computed fields, kinds and policies', async () => {
    await test.admin.transaction({ role: 'postgres', settings: {} }, async (tx) => {
      await tx.rows('create table public.parent (id bigint generated always as identity primary key)');
      await tx.rows('create table public.child (id int default 7, parent bigint references public.parent, twice int generated always as (id * 2) stored, primary key (id))');
      await tx.rows('create view public.children as select id from public.child');
      await tx.rows('create materialized view public.kept as select id from public.child');
      await tx.rows('create policy mine on public.child for update to authenticated using (true)');
    });
    const all = await collections.list(service);
    const find = (name: string) => all.find((collection) => collection.name === name);
    expect(find('child')).toMatchObject({
      has_row_security: false,
      policies: [{ name: 'mine', command: 'UPDATE', roles: ['authenticated'] }],
      fields: [
        { name: 'id', default: '7', is_primary_key: true },
        { name: 'parent', references: { schema: 'public', collection: 'parent', field: 'id' } },
        { name: 'twice', is_generated: true },
      ],
    });
    expect(find('parent')?.fields[0]).toMatchObject({ default: 'generated always as identity' });
    expect([find('children')?.kind, find('kept')?.kind]).toEqual(['view', 'materialized view']);
  });

  it('are not made twice, nor under a name that every table has already', async () => {
    await create('once', 'service');
    await expect(create('once', 'service')).rejects.toMatchObject({ status: 409, code: 'collection_exists' });
    await expect(create('system', 'service', [{ name: 'ctid', type: 'int' }])).rejects.toMatchObject({ status: 400, code: 'collection_not_valid' });
    await expect(create('keyed by json', 'service', [{ name: 'a', type: 'json', is_primary_key: true }])).rejects.toMatchObject({ status: 400, code: 'collection_not_valid' });
  });

  it.each([['guest', guest], ['member', member]])('are not for a %s', async (_, caller) => {
    await expect(collections.list(caller)).rejects.toMatchObject({ status: 403 });
    await expect(collections.create(caller, {})).rejects.toMatchObject({ status: 403 });
  });

  describe('the function that makes them', () => {
    const call = (login: Database, claims: string, ...values: unknown[]) =>
      login.transaction({ role: null, settings: { 'request.jwt.claims': claims } }, (tx) => tx.rows('select mainstay_internal.create_collection($1, $2, $3, $4)', values));
    const asService = '{"role":"service_role"}';
    const field = (type: string) => JSON.stringify([{ name: 'a', type, is_nullable: true, is_primary_key: false }]);

    it.each([['no claims', ''], ['a member’s', '{"role":"authenticated"}'], ['none that say a role', '{}']])('asks the claims itself: %s', async (_, claims) => {
      await expect(call(test.as('mainstay_api', 1), claims, 'public', 'x', field('int'), 'service')).rejects.toThrow('only the service role');
    });

    // `postgres` owns it and what it makes, and may make tables without it.
    it.each([['anon', 'permission denied'], ['authenticated', 'permission denied'], ['service_role', 'permission denied'], ['postgres', 'only the service role']])('is not for role %s', async (role, reason) => {
      await expect(test.admin.transaction({ role, settings: {} }, (tx) => tx.rows(`select mainstay_internal.create_collection('public', 'x', '[]', 'service')`))).rejects.toThrow(reason);
    });

    it.each(['auth.users', 'int); drop table public.once; --', 'no_such', 'anyelement', 'public.once'])('takes no type but PostgreSQL’s own: %s', async (type) => {
      await expect(call(test.as('mainstay_api', 1), asService, 'public', 'x', field(type), 'service')).rejects.toThrow();
      expect(await test.admin.rows(`select from public.once`)).toEqual([]);
    });

    it('quotes every name', async () => {
      const evil = `x"; drop table public.once; --`;
      await call(test.as('mainstay_api', 1), asService, 'public', evil, JSON.stringify([{ name: evil, type: 'int', is_nullable: true, is_primary_key: true }]), 'everyone');
      expect(await test.admin.rows('select from public.once')).toEqual([]);
      expect((await collections.list(service)).map(({ name }) => name)).toContain(evil);
    });
  });
});
