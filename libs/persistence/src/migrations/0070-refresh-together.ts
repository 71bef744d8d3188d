import { asOwner } from './as-owner.ts';
import type { HouseMigration } from './house-migration.ts';
import { refreshedSession } from './refreshed-session.ts';

/**
 * The common refresh, many of them in one transaction: those that are asked at once share a round trip and a flush to disk. So none
 * may wait for another's family: where somebody holds it, the answer is null, and whoever asks waits for it in a transaction of their own.
 */
export const refreshTogether: HouseMigration = {
  name: '0070-refresh-together',
  sql: `
    grant create on schema mainstay_internal to supabase_auth_admin;
    ${asOwner('supabase_auth_admin', `
      create or replace function mainstay_internal.refresh_at_once(in_token text, in_child text, in_user_agent text, in_address text) returns jsonb
        language plpgsql volatile set search_path = '' as $$
          declare
            session auth.sessions;
            owner auth.users;
          begin
            -- The lock of the family. Everything after it is read after it: each statement of such a function sees what has been committed by then.
            select s.* into session from auth.sessions s where s.id = (select t.session_id from auth.refresh_tokens t where t.token = in_token) for update skip locked;
            -- What an application holds for its user is refreshed by that application alone, which has to show who it is.
            if not found or session.not_after <= clock_timestamp() or session.oauth_client_id is not null then
              return null;
            end if;
            select u.* into owner from auth.users u where u.id = session.user_id;
            if not found or owner.banned_until > clock_timestamp() or owner.deleted_at is not null then
              return null;
            end if;
            -- A second live token of the family, as another system may have left it, goes the same way.
            update auth.refresh_tokens t set revoked = true, updated_at = clock_timestamp()
            where t.session_id = session.id and (t.revoked = false or t.revoked is null)
              and exists (select from auth.refresh_tokens own where own.token = in_token and own.session_id = session.id and own.revoked is not true);
            if not found then
              return null;
            end if;
            ${refreshedSession}
          end
        $$;
    `)}
    revoke create on schema mainstay_internal from supabase_auth_admin;
  `,
};
