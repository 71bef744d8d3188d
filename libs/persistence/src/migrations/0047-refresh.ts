import { asOwner } from './as-owner.ts';
import type { HouseMigration } from './house-migration.ts';
import { refreshedSession } from './refreshed-session.ts';

/**
 * The common refresh in one round trip and one transaction: the live token of a living session is replaced by its child. Null where
 * anything is otherwise; then whoever asks looks at the family in a transaction of their own.
 */
export const refreshAtOnce: HouseMigration = {
  name: '0047-refresh',
  sql: `
    grant create on schema mainstay_internal to supabase_auth_admin;
    ${asOwner('supabase_auth_admin', `
      create function mainstay_internal.refresh_at_once(in_token text, in_child text, in_user_agent text, in_address text) returns jsonb
        language plpgsql volatile set search_path = '' as $$
          declare
            session auth.sessions;
            owner auth.users;
          begin
            -- The lock of the family. Everything after it is read after it: each statement of such a function sees what has been committed by then.
            select s.* into session from auth.sessions s where s.id = (select t.session_id from auth.refresh_tokens t where t.token = in_token) for update;
            -- What an application holds for its user is refreshed by that application alone, which has to show who it is.
            if not found or session.not_after <= clock_timestamp() or session.oauth_client_id is not null then
              return null;
            end if;
            update auth.refresh_tokens t set revoked = true, updated_at = clock_timestamp() where t.token = in_token and t.session_id = session.id and (t.revoked = false or t.revoked is null);
            if not found then
              return null;
            end if;
            select u.* into owner from auth.users u where u.id = session.user_id;
            if not found or owner.banned_until > clock_timestamp() or owner.deleted_at is not null then
              -- As if nothing had been touched: the answer has to be worded, and the token stays what it is.
              update auth.refresh_tokens t set revoked = false where t.token = in_token;
              return null;
            end if;
            -- A second live token of the family, as another system may have left it, goes the same way.
            update auth.refresh_tokens t set revoked = true, updated_at = clock_timestamp() where t.session_id = session.id and (t.revoked = false or t.revoked is null);
            ${refreshedSession}
          end
        $$;
      revoke execute on function mainstay_internal.refresh_at_once from public;
    `)}
    revoke create on schema mainstay_internal from supabase_auth_admin;
  `,
};
