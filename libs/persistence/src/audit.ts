import { randomUUID } from 'node:crypto';
import type { Transaction } from './statement.ts';

/** What the audit log says of one security event, in GoTrue's words. */
export interface AuditEntry {
  /** `login`, `logout`, `user_signedup`, … */
  readonly action: string;
  /** Who did it: a user, or the administration. */
  readonly actor: { readonly id: string; readonly username: string; readonly name?: string | null; readonly isSso?: boolean };
  readonly traits?: Readonly<Record<string, unknown>>;
  readonly address: string | null;
}

/** GoTrue's kinds of actions, for whoever filters by them. */
const kinds: Readonly<Record<string, string>> = {
  login: 'account', logout: 'account', invite_accepted: 'account', user_signedup: 'team', user_invited: 'team', user_deleted: 'team', user_modified: 'user', user_recovery_requested: 'user',
  user_confirmation_requested: 'user', user_repeated_signup: 'user', user_reauthenticate_requested: 'user', user_updated_password: 'user', token_revoked: 'token', token_refreshed: 'token', generate_recovery_codes: 'user',
  factor_in_progress: 'factor', factor_unenrolled: 'factor', challenge_created: 'factor', verification_attempted: 'factor', factor_deleted: 'factor', recovery_codes_deleted: 'recovery_codes', factor_updated: 'factor',
  mfa_code_login: 'factor', identity_linked: 'user', identity_unlinked: 'user',
};

/** Writes an entry in the transaction of what it tells: one is there if and only if the other happened. */
export async function writeAudit(tx: Pick<Transaction, 'rows'>, { action, actor, traits, address }: AuditEntry): Promise<void> {
  const payload = {
    action,
    actor_id: actor.id,
    actor_username: actor.username,
    ...(actor.name ? { actor_name: actor.name } : {}),
    actor_via_sso: actor.isSso ?? false,
    log_type: kinds[action] ?? 'account',
    ...(traits === undefined ? {} : { traits }),
  };
  await tx.rows(
    `insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address)
     values ('00000000-0000-0000-0000-000000000000', $1::uuid, jsonb_set($2::jsonb, '{timestamp}', to_jsonb(to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))::json, now(), $3)`,
    [randomUUID(), JSON.stringify(payload), address ?? ''],
  );
}

/** An entry as the log shows it. */
export interface KeptAuditEntry {
  readonly id: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly created_at: Date;
  readonly ip_address: string;
}

/** What a search of the log looks at, in GoTrue's words: who acted, what was done, of what kind it was. */
export const auditScopes = ['author', 'action', 'type'] as const;

export interface AuditSearch {
  readonly scope: (typeof auditScopes)[number] | null;
  /** Part of what stands there. */
  readonly text: string;
  readonly page: number;
  readonly perPage: number;
}

const searched: Readonly<Record<(typeof auditScopes)[number], readonly string[]>> = { author: ['actor_username', 'actor_name'], action: ['action'], type: ['log_type'] };

/** One page of the log, newest first, and how many entries there are. */
export async function listAudit(tx: Pick<Transaction, 'rows'>, { scope, text, page, perPage }: AuditSearch): Promise<{ readonly entries: readonly KeptAuditEntry[]; readonly total: number }> {
  const isAll = scope === null || text === '';
  const where = isAll ? 'true' : `(${searched[scope].map((name) => `payload ->> '${name}' ilike $1`).join(' or ')})`;
  const values = isAll ? [] : [`%${text.replace(/[\\%_]/g, '\\$&')}%`];
  const after = values.length;
  const entries = await tx.rows<KeptAuditEntry>(
    `select id, payload, created_at, ip_address from auth.audit_log_entries where ${where} order by created_at desc nulls last, id limit $${after + 1} offset $${after + 2}`,
    [...values, perPage, (page - 1) * perPage],
  );
  const [counted] = await tx.rows<{ total: number }>(`select count(*)::int as total from auth.audit_log_entries where ${where}`, values);
  return { entries: entries.map((entry) => ({ ...entry, created_at: new Date(entry.created_at) })), total: counted!.total };
}
