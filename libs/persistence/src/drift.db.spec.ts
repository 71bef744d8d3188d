import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { MikroORM } from '@mikro-orm/postgresql';
import { makeAccountsOrm } from './orm.ts';

let db: TestDatabase;
let orm: MikroORM;
beforeAll(async () => {
  db = await makeTestDatabase();
  orm = await makeAccountsOrm(db.settings);
});
afterAll(async () => {
  await orm.close();
  await db.close();
});

it('the ORM and the migrations agree on every table, column, type and null that the ORM knows', async () => {
  const statements = (await orm.schema.getUpdateSchemaSQL({ safe: true, dropTables: false, wrap: false, schema: 'auth' })).split('\n').filter((line) => line !== '');
  // Indexes, constraints and defaults are the migrations' alone: the entities only read and write rows.
  const differences = statements.filter((line) => !/ drop (constraint|default)|^drop index/.test(line));
  // The ORM sees PostgreSQL's enum as text, and writes it as such.
  expect(differences).toEqual(['alter table "auth"."sessions" alter column "aal" type varchar(255) using ("aal"::varchar(255));']);
});
