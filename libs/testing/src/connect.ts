import { Database } from '@mainstay/persistence';

/** A database by its URL, as a person with a client of their own reaches it. */
export function connectAsUser(url: string): Database {
  return new Database({ connection: { connectionString: url }, max: 2 });
}
