/** What ends a refresh that may be: the child of the spent token, the session as it is now, and both and their owner as JSON. */
export const refreshedSession = `insert into auth.refresh_tokens (instance_id, token, user_id, revoked, created_at, updated_at, parent, session_id)
            values ('00000000-0000-0000-0000-000000000000', in_child, session.user_id::text, false, clock_timestamp(), clock_timestamp(), in_token, session.id);
            update auth.sessions s set refreshed_at = clock_timestamp() at time zone 'utc', updated_at = clock_timestamp(),
              user_agent = coalesce(in_user_agent, s.user_agent), ip = coalesce(in_address::inet, s.ip)
            where s.id = session.id;
            return jsonb_build_object(
              'session', jsonb_build_object('id', session.id, 'userId', session.user_id, 'aal', coalesce(session.aal::text, 'aal1'), 'amr', (
                select coalesce(jsonb_agg(jsonb_build_object('method', c.authentication_method, 'timestamp', floor(extract(epoch from c.updated_at))::bigint) order by c.updated_at desc), '[]')
                from auth.mfa_amr_claims c where c.session_id = session.id)),
              'user', to_jsonb(owner),
              'identities', (select coalesce(jsonb_agg(to_jsonb(i) order by i.created_at, i.id), '[]') from auth.identities i where i.user_id = owner.id),
              'factors', (select coalesce(jsonb_agg(to_jsonb(f) - 'secret' - 'web_authn_credential' order by f.created_at, f.id), '[]') from auth.mfa_factors f where f.user_id = owner.id));`;
