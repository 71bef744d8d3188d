import type { Database } from './database.ts';
import { factorOf, type Factor, type FactorRow } from './factors.ts';
import { Gathered } from './gathered.ts';
import type { Identity } from './identity.entity.ts';
import { timeOfJson } from './timestamp.ts';
import type { User } from './user.entity.ts';

/** A session whose live token has just been replaced, and whose it is. */
export interface RefreshedSession {
  readonly account: { readonly user: User; readonly identities: readonly Identity[]; readonly factors: readonly Factor[] };
  readonly facts: { readonly id: string; readonly userId: string; readonly aal: string; readonly amr: readonly { readonly method: string; readonly timestamp: number }[] };
}

/** Who asks for what: digests of the token that is spent and of its child, and from where. */
interface Refresh {
  readonly token: string;
  readonly child: string;
  readonly agent: string | null;
  readonly address: string | null;
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

const text = `
  select mainstay_internal.refresh_at_once(asked.token, asked.child, asked.agent, asked.address)::text
  from rows from (json_to_recordset($1::json) as (token text, child text, agent text, address text)) with ordinality as asked (token, child, agent, address, place)
  order by asked.place`;

/**
 * The common refresh, past the ORM, since nothing of `/auth/v1` is asked as often: those that are asked while one is under way go
 * together in the next, one prepared statement and one flush to disk for all.
 */
export class RefreshAtOnce {
  private readonly refreshes: Gathered<Refresh, RefreshedSession | null>;

  constructor(database: Database) {
    this.refreshes = new Gathered(async (asked) => {
      const { rows } = await database.once(nobody, { name: 'refresh_at_once', text, values: [JSON.stringify(asked)] });
      return rows.map(([answer]) => (answer === null ? null : refreshedOf(JSON.parse(answer!) as Refreshed)));
    });
  }

  /**
   * Replaces the live token of a living session by its child.
   * Null where anything is otherwise: the token was used before, the session is over or in somebody's hands, the account may not come
   * in. Nothing has happened then.
   */
  ask(token: string, child: string, { userAgent, address }: { readonly userAgent: string | null; readonly address: string | null }): Promise<RefreshedSession | null> {
    return this.refreshes.ask({ token, child, agent: userAgent, address });
  }
}

function refreshedOf({ session, user, identities, factors }: Refreshed): RefreshedSession {
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
