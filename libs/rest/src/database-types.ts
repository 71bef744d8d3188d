import { databaseTypes, makeSchemaCache } from '@mainstay/dialect';
import type { Database } from '@mainstay/persistence';
import { describeSchema } from './describe-schema.ts';
import { readCatalogue } from './introspect.ts';

/** The schemas of some names that the database has not. */
export class SchemasMissing extends Error {
  constructor(readonly schemas: readonly string[]) {
    super(`There is no schema ${schemas.map((schema) => `"${schema}"`).join(', ')} in the database.`);
  }
}

/** Reads some schemas and writes the TypeScript module that supabase-js takes its types from. @throws SchemasMissing */
export async function typesOfDatabase(database: Database, schemas: readonly string[]): Promise<string> {
  const there = new Set((await database.rows('select nspname::text as name from pg_namespace')).map((row) => (row as { name: string }).name));
  const missing = schemas.filter((schema) => !there.has(schema));
  if (missing.length > 0) throw new SchemasMissing(missing);
  const cache = makeSchemaCache(await readCatalogue(database, { schemas, extraSearchPath: [] }), schemas);
  const descriptions = [];
  for (const schema of schemas) descriptions.push(await describeSchema(database, { schema, role: null, followsPrivileges: false }));
  return databaseTypes(descriptions, cache);
}
