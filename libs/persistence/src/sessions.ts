import type { Transaction } from './statement.ts';

/** A session in a list. */
export interface KeptSession {
  readonly id: string;
  readonly created_at: Date;
  readonly last_used_at: Date;
  readonly user_agent: string | null;
  readonly ip: string | null;
  readonly aal: string;
}

/** What time has done to a session. */
export interface SessionStanding {
  readonly ageSeconds: number;
  /** Since it was opened or last refreshed. */
  readonly idleSeconds: number;
  /** Its user has opened another one since. */
  readonly hasNewer: boolean;
}

type Runner = Pick<Transaction, 'rows'>;

/** The live sessions of a user, the last used first. */
export async function listSessions(tx: Runner, userId: string): Promise<KeptSession[]> {
  const rows = await tx.rows<KeptSession & { created_at: string; last_used_at: string }>(
    `select id, to_json(created_at) #>> '{}' as created_at, to_json(coalesce(updated_at, created_at)) #>> '{}' as last_used_at, user_agent, host(ip) as ip, coalesce(aal::text, 'aal1') as aal
     from auth.sessions where user_id = $1::uuid and (not_after is null or not_after > now()) order by coalesce(updated_at, created_at) desc, id`,
    [userId],
  );
  return rows.map((row) => ({ ...row, created_at: new Date(row.created_at), last_used_at: new Date(row.last_used_at) }));
}

/** By what a session was earned, as `amr` names it. */
export async function listMethods(tx: Runner, sessionId: string): Promise<string[]> {
  const rows = await tx.rows<{ method: string }>('select authentication_method as method from auth.mfa_amr_claims where session_id = $1::uuid', [sessionId]);
  return rows.map(({ method }) => method);
}

/** How old a session is, by the database's clock. */
export async function sessionStanding(tx: Runner, sessionId: string): Promise<SessionStanding> {
  const [row] = await tx.rows<SessionStanding>(
    `select coalesce(extract(epoch from clock_timestamp() - s.created_at), 0)::float8 as "ageSeconds", coalesce(extract(epoch from clock_timestamp() - s.updated_at), 0)::float8 as "idleSeconds",
       exists (select from auth.sessions o where o.user_id = s.user_id and o.created_at > s.created_at) as "hasNewer"
     from auth.sessions s where s.id = $1::uuid`,
    [sessionId],
  );
  return row ?? { ageSeconds: 0, idleSeconds: 0, hasNewer: false };
}
