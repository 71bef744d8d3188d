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
