import { connectAsUser, type Database } from '@mainstay/testing';

/** Runs SQL as the migrating role `postgres`, as a person with psql would. */
export async function runSql(dbUrl: string, text: string): Promise<Record<string, unknown>[]> {
  const database: Database = connectAsUser(dbUrl);
  try {
    return await database.rows(text);
  } finally {
    await database.close();
  }
}
