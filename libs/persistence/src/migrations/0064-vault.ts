import { asOwner } from './as-owner.ts';
import type { HouseMigration } from './house-migration.ts';

/**
 * Supabase's vault: secrets that are sealed at rest, by keys that do not lie in the database. It stands from the start and not by
 * the extension `supabase_vault`, which is empty: so it is there on servers that cannot have our extensions, and no DROP EXTENSION
 * takes the secrets with it.
 *
 * Everything belongs to `mainstay_vault`, who alone may read the keys (`mainstay_internal.vault_keys`, made at set-up), and who does
 * nothing but what stands here. Only functions of PostgreSQL itself are used: whoever may create in the schema of pgcrypto could put
 * a function of their own in the place of its, and would be handed the key.
 */
export const vault: HouseMigration = {
  name: '0064-vault',
  sql: `
    grant usage, create on schema vault, mainstay_internal to mainstay_vault;
    grant usage on schema vault to postgres with grant option;
    grant usage on schema vault to service_role;

    ${asOwner('mainstay_vault', `
      -- The keys as text, a line each: the version, a blank, 64 hexadecimal digits. Null asks for the newest.
      create function mainstay_internal.vault_key(wanted integer, out version integer, out key bytea)
        language plpgsql stable set search_path = '' as $$
          begin
            select split_part(k.line, ' ', 1)::integer, decode(split_part(k.line, ' ', 2), 'hex') into version, key
            from mainstay_internal.vault_keys k
            where k.line ~ '^[0-9]{1,9} [0-9a-f]{64}$' and (wanted is null or split_part(k.line, ' ', 1) = wanted::text)
            order by split_part(k.line, ' ', 1)::integer desc limit 1;
            if version is null then
              raise exception 'vault: the key%s not here', coalesce(' of version ' || wanted || ' i', ' i') using errcode = '58P01', hint = 'It is made at a start of Mainstay, from MAINSTAY_SECRET.';
            end if;
          end
        $$;

      -- HMAC with SHA-256, its inner and outer block two independent keys.
      create function mainstay_internal.vault_prf(key bytea, purpose text, message bytea) returns bytea
        language sql immutable set search_path = '' as $$
          select sha256(sha512(key || convert_to(purpose || ' outer', 'utf8')) || sha256(sha512(key || convert_to(purpose || ' inner', 'utf8')) || message))
        $$;

      -- XOR with the function's values at tag and 0, 1, 2 …; the same opens what it closed.
      create function mainstay_internal.vault_stream(key bytea, tag bytea, message bytea) returns bytea
        language sql immutable set search_path = '' as $$
          select case when length(message) = 0 then message else (
            select substring(varbit_send(('x' || encode(message, 'hex'))::varbit # ('x' || encode(substring(string_agg(sha256(k.outer_key || sha256(k.inner_key || tag || int4send(i))), ''::bytea order by i) from 1 for length(message)), 'hex'))::varbit) from 5)
            from generate_series(0, (length(message) - 1) / 32) i, (select sha512(key || 'stream outer'::bytea) as outer_key, sha512(key || 'stream inner'::bytea) as inner_key) k
          ) end
        $$;

      -- What the tag proves: text, row, column and key.
      create function mainstay_internal.vault_tag(key bytea, version integer, message bytea, additional bytea, nonce bytea) returns bytea
        language sql immutable set search_path = '' as $$
          select mainstay_internal.vault_prf(key, 'tag', 'vault.secrets.secret'::bytea || int4send(version) || int4send(length(additional)) || additional || int4send(length(nonce)) || nonce || message)
        $$;

      -- Deterministic authenticated encryption with a synthetic IV: the tag of the plain text is the stream's start, so a nonce used twice gives nothing away.
      create function mainstay_internal.vault_seal(message bytea, additional bytea, nonce bytea) returns bytea
        language plpgsql stable set search_path = '' as $$
          declare
            k record := mainstay_internal.vault_key(null);
            tag bytea := mainstay_internal.vault_tag(k.key, k.version, message, coalesce(additional, ''), coalesce(nonce, ''));
          begin
            return 'MSVAULT1'::bytea || int4send(k.version) || tag || mainstay_internal.vault_stream(k.key, tag, message);
          end
        $$;

      -- Of what is sealed: eight letters, the version, the tag, the stream. Null for anything else.
      create function mainstay_internal.vault_version(sealed bytea) returns integer
        language sql immutable set search_path = '' as $$
          select case when length(sealed) >= 44 and substring(sealed from 1 for 8) = 'MSVAULT1'::bytea then ('x' || encode(substring(sealed from 9 for 4), 'hex'))::bit(32)::integer end
        $$;

      -- Null where it was sealed for another row or with another key, or changed since.
      create function mainstay_internal.vault_open(sealed bytea, additional bytea, nonce bytea) returns bytea
        language plpgsql stable set search_path = '' as $$
          declare
            tag bytea := substring(sealed from 13 for 32);
            k record;
            message bytea;
          begin
            if mainstay_internal.vault_version(sealed) is null then
              return null;
            end if;
            k := mainstay_internal.vault_key(mainstay_internal.vault_version(sealed));
            message := mainstay_internal.vault_stream(k.key, tag, substring(sealed from 45));
            return case when mainstay_internal.vault_tag(k.key, k.version, message, coalesce(additional, ''), coalesce(nonce, '')) = tag then message end;
          end
        $$;

      create function mainstay_internal.vault_bytes(secret text) returns bytea
        language sql immutable set search_path = '' as $$
          select case when secret ~ '^[A-Za-z0-9+/]+={0,2}$' and length(secret) % 4 = 0 then decode(secret, 'base64') end
        $$;

      create function vault._crypto_aead_det_noncegen() returns bytea
        language sql volatile set search_path = '' as $$
          select substring(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) from 1 for 16)
        $$;

      create function vault._crypto_aead_det_encrypt(message bytea, additional bytea, key_id bigint, context bytea default 'pgsodium', nonce bytea default null) returns bytea
        language sql stable security definer set search_path = '' as $$
          select mainstay_internal.vault_seal(message, additional, nonce)
        $$;

      create function vault._crypto_aead_det_decrypt(message bytea, additional bytea, key_id bigint, context bytea default 'pgsodium', nonce bytea default null) returns bytea
        language plpgsql stable security definer set search_path = '' as $$
          declare
            opened bytea := mainstay_internal.vault_open(message, additional, nonce);
          begin
            if opened is null and message is not null then
              raise exception 'vault: invalid ciphertext' using errcode = '22000', detail = 'It was sealed for another row or with another key, or it was changed.';
            end if;
            return opened;
          end
        $$;

      create table vault.secrets (
        id uuid primary key default gen_random_uuid(),
        name text,
        description text not null default '',
        secret text not null,
        key_id uuid,
        nonce bytea default vault._crypto_aead_det_noncegen(),
        created_at timestamptz not null default current_timestamp,
        updated_at timestamptz not null default current_timestamp
      );
      create unique index secrets_name_idx on vault.secrets (name) where name is not null;
      comment on table vault.secrets is 'Table with encrypted \`secret\` column for storing sensitive information on disk.';

      -- Whatever is written is sealed. What is sealed for its row already stays: so come a restored copy and a rotation.
      create function vault.seal_secret() returns trigger
        language plpgsql security definer set search_path = '' as $$
          declare
            plain text := new.secret;
          begin
            if tg_op = 'UPDATE' and new.id = old.id and new.secret = old.secret then
              new.nonce := old.nonce;
              return new;
            end if;
            if tg_op = 'UPDATE' and new.secret = old.secret then
              plain := convert_from(vault._crypto_aead_det_decrypt(mainstay_internal.vault_bytes(old.secret), convert_to(old.id::text, 'utf8'), 0, 'pgsodium', old.nonce), 'utf8');
            elsif new.secret is null then
              return new;
            elsif mainstay_internal.vault_version(mainstay_internal.vault_bytes(new.secret)) is not null then
              perform vault._crypto_aead_det_decrypt(mainstay_internal.vault_bytes(new.secret), convert_to(new.id::text, 'utf8'), 0, 'pgsodium', new.nonce);
              return new;
            end if;
            new.nonce := vault._crypto_aead_det_noncegen();
            new.secret := translate(encode(mainstay_internal.vault_seal(convert_to(plain, 'utf8'), convert_to(new.id::text, 'utf8'), new.nonce), 'base64'), E'\\n', '');
            return new;
          end
        $$;
      create trigger seal_secret before insert or update on vault.secrets for each row execute function vault.seal_secret();

      create view vault.decrypted_secrets as
        select s.id, s.name, s.description, s.secret,
          convert_from(vault._crypto_aead_det_decrypt(message => decode(s.secret, 'base64'), additional => convert_to(s.id::text, 'utf8'), key_id => 0, context => 'pgsodium'::bytea, nonce => s.nonce), 'utf8') as decrypted_secret,
          s.key_id, s.nonce, s.created_at, s.updated_at
        from vault.secrets s;

      create function vault.create_secret(new_secret text, new_name text default null, new_description text default '', new_key_id uuid default null) returns uuid
        language sql set search_path = '' as $$
          insert into vault.secrets (secret, name, description, key_id) values (new_secret, new_name, coalesce(new_description, ''), new_key_id) returning id
        $$;

      create function vault.update_secret(secret_id uuid, new_secret text default null, new_name text default null, new_description text default null, new_key_id uuid default null) returns void
        language sql set search_path = '' as $$
          update vault.secrets s set secret = coalesce(new_secret, s.secret), name = coalesce(new_name, s.name), description = coalesce(new_description, s.description),
            key_id = coalesce(new_key_id, s.key_id), updated_at = current_timestamp
          where s.id = secret_id
        $$;

      -- Seals up to so many secrets with the newest key; gives how many older ones are left.
      create function mainstay_internal.vault_rotate(most integer) returns bigint
        language plpgsql security definer set search_path = '' as $$
          declare
            newest integer := (mainstay_internal.vault_key(null)).version;
            found record;
            fresh bytea;
          begin
            for found in
              select s.id, s.nonce, mainstay_internal.vault_bytes(s.secret) as sealed from vault.secrets s
              where mainstay_internal.vault_version(mainstay_internal.vault_bytes(s.secret)) is distinct from newest
              order by s.id limit most for update
            loop
              fresh := vault._crypto_aead_det_noncegen();
              update vault.secrets s set nonce = fresh, secret = translate(encode(mainstay_internal.vault_seal(
                  vault._crypto_aead_det_decrypt(found.sealed, convert_to(found.id::text, 'utf8'), 0, 'pgsodium', found.nonce), convert_to(found.id::text, 'utf8'), fresh), 'base64'), E'\\n', '')
              where s.id = found.id;
            end loop;
            return (select count(*) from vault.secrets s where mainstay_internal.vault_version(mainstay_internal.vault_bytes(s.secret)) is distinct from newest);
          end
        $$;

      -- Which keys are in use, and whether each opens what it should.
      create function mainstay_internal.vault_versions() returns table (version integer, secrets bigint)
        language sql security definer set search_path = '' as $$
          select mainstay_internal.vault_version(mainstay_internal.vault_bytes(s.secret)), count(*) from vault.secrets s group by 1 order by 1
        $$;

      revoke execute on all functions in schema vault from public;
      revoke execute on function mainstay_internal.vault_key, mainstay_internal.vault_prf, mainstay_internal.vault_stream, mainstay_internal.vault_tag, mainstay_internal.vault_seal, mainstay_internal.vault_version,
        mainstay_internal.vault_open, mainstay_internal.vault_bytes, mainstay_internal.vault_rotate, mainstay_internal.vault_versions from public;
      grant execute on function mainstay_internal.vault_rotate, mainstay_internal.vault_versions to supabase_admin;
      grant select, insert, update, delete, truncate, references on vault.secrets, vault.decrypted_secrets to postgres with grant option;
      grant select, insert, update, delete on vault.secrets, vault.decrypted_secrets to service_role;
      grant execute on function vault.create_secret, vault.update_secret, vault._crypto_aead_det_encrypt, vault._crypto_aead_det_decrypt, vault._crypto_aead_det_noncegen to postgres with grant option;
      grant execute on function vault.create_secret, vault.update_secret, vault._crypto_aead_det_encrypt, vault._crypto_aead_det_decrypt, vault._crypto_aead_det_noncegen to service_role;
      grant select, insert, update, delete on vault.secrets to supabase_admin;
    `)}
    revoke create on schema vault, mainstay_internal from mainstay_vault;
  `,
};
