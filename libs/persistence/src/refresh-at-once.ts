import type { Database } from './database.ts';
import { factorOf, type Factor, type FactorRow } from './factors.ts';
import type { Identity } from './identity.entity.ts';
import { timeOfJson } from './timestamp.ts';
import type { User } from './user.entity.ts';

/** A session whose live token has just been replaced, and whose it is. */
export interface RefreshedSession {
  readonly account: { readonly user: User; readonly identities: readonly Identity[]; readonly factors: readonly Factor[] };
  readonly facts: { readonly id: string; readonly userId: string; readonly aal: string; readonly amr: readonly { readonly method: string; readonly timestamp: number }[] };
}

/** What the function gives: rows as JSON. */
interface Refreshed {
  readonly session: RefreshedSession['facts'];
  readonly user: JsonRow;
  readonly identities: readonly JsonRow[];
  readonly factors: readonly FactorRow[];
}

type JsonRow = Readonly<Record<string, unknown>>;

const nobody = { role: null, settings: {} };

/**
 * Replaces the live token of a living session by its child: one prepared statement, past the ORM, since nothing of `/auth/v1` is asked as often.
 * Null where anything is otherwise: the token was used before, the session is over, the account may not come in. Nothing has happened then.
 */
export async function refreshAtOnce(database: Database, tokenDigest: string, childDigest: string, { userAgent, address }: { readonly userAgent: string | null; readonly address: string | null }): Promise<RefreshedSession | null> {
  const values = [tokenDigest, childDigest, userAgent, address];
  const { rows } = await database.once(nobody, { name: 'refresh_at_once', text: 'select mainstay_internal.refresh_at_once($1, $2, $3, $4)::text', values });
  const text = rows[0]?.[0] ?? null;
  if (text === null) return null;
  const { session, user, identities, factors } = JSON.parse(text) as Refreshed;
  return { account: { user: entityOf<User>(user), identities: identities.map((row) => entityOf<Identity>(row)), factors: factors.map(factorOf) }, facts: session };
}

/** The properties of an entity are its columns in camel case, and every column that ends so is a time. */
function entityOf<E>(row: JsonRow): E {
  return Object.fromEntries(Object.entries(row).map(([column, value]) => [nameOf(column), typeof value === 'string' && /_(at|until)$/.test(column) ? timeOfJson(value) : value])) as E;
}

const names = new Map<string, string>();

function nameOf(column: string): string {
  let name = names.get(column);
  if (name === undefined) names.set(column, (name = column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())));
  return name;
}
