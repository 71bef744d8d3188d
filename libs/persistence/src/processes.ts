import { createHash, randomUUID } from 'node:crypto';
import { SettingError, type Settings } from '@mainstay/config';
import type { Database } from './database.ts';

export type ProcessKind = 'api' | 'worker';

/** A process that has not been seen for this long is gone. */
export const silentSeconds = 30;

/** How often a running process says that it is there. */
const beatSeconds = 10;

/** Equal for processes that verify each other's tokens and reach the same logins; tells nothing about the keys themselves. */
export function keyFingerprint(settings: Settings): string {
  const { secret, jwtSecret, jwtKeys, anonKey, serviceRoleKey, publishableKey, secretKey } = settings;
  return createHash('sha256').update(JSON.stringify([secret, jwtSecret, jwtKeys, anonKey, serviceRoleKey, publishableKey, secretKey])).digest('base64url');
}

/** A running process of the house, written down in the database while it runs. */
export class RegisteredProcess {
  private readonly timer: NodeJS.Timeout;

  private constructor(
    private readonly database: Database,
    readonly id: string,
    private readonly values: readonly [string, ProcessKind, string],
  ) {
    this.timer = setInterval(() => void this.beat(), beatSeconds * 1000).unref();
  }

  /**
   * Writes this process down, and says every few seconds that it still runs. `database` is the process's own login.
   * @throws SettingError if one with other keys runs: half of the requests would refuse the other half's tokens.
   */
  static async register(database: Database, kind: ProcessKind, settings: Settings): Promise<RegisteredProcess> {
    const values = [randomUUID(), kind, keyFingerprint(settings)] as const;
    await database.transaction({ role: null, settings: {} }, async (tx) => {
      // Of two that start at once with different keys, one comes first and stays.
      await tx.rows(`select pg_advisory_xact_lock(hashtextextended('mainstay_internal.processes', 0))`);
      const [stranger] = await tx.rows<Stranger>(findStranger, [values[2], silentSeconds]);
      if (stranger !== undefined) throw new SettingError(strangerSentence(stranger));
      await tx.rows(`delete from mainstay_internal.processes where seen_at < now() - interval '1 day'`);
      await tx.rows(noteSeen, values);
    });
    return new RegisteredProcess(database, values[0], values);
  }

  /** Takes the process off the list, so that one with new keys may start at once. */
  async leave(): Promise<void> {
    clearInterval(this.timer);
    await this.database.rows('delete from mainstay_internal.processes where id = $1', [this.id]).catch(ignoreLostDatabase);
  }

  private async beat(): Promise<void> {
    await this.database.rows(noteSeen, this.values).catch(ignoreLostDatabase);
  }
}

/** How many processes of a kind have been seen lately. */
export async function countRunning(database: Database, kind: ProcessKind): Promise<number> {
  const [row] = await database.rows<{ count: number }>(
    `select count(*)::int as count from mainstay_internal.processes where kind = $1 and seen_at > now() - make_interval(secs => $2)`,
    [kind, silentSeconds],
  );
  return row!.count;
}

export interface Stranger {
  readonly kind: ProcessKind;
  readonly startedAt: Date;
}

/** A process with other keys that has been seen lately: bound are our fingerprint and `silentSeconds`. */
export const findStranger = `
  select kind, started_at as "startedAt" from mainstay_internal.processes
  where key_fingerprint <> $1 and seen_at > now() - make_interval(secs => $2) order by started_at limit 1`;

export function strangerSentence({ kind, startedAt }: Stranger): string {
  const article = kind === 'api' ? 'An' : 'A';
  return (
    `${article} ${kind} with other keys runs on this database (since ${startedAt.toISOString()}): give every process the same MAINSTAY_SECRET, JWT_SECRET, JWT_KEYS and API keys; ` +
    `to change them, stop all processes and wait ${silentSeconds} s.`
  );
}

/** The row may have been swept while the process was asleep: then it is written anew. */
const noteSeen = `
  insert into mainstay_internal.processes (id, kind, key_fingerprint) values ($1, $2, $3)
  on conflict (id) do update set seen_at = now()`;

/** The next beat finds the database back; until then others may think us gone, and that is true enough. */
function ignoreLostDatabase(): void {}
