import { asOwner } from './as-owner.ts';
import type { HouseMigration } from './house-migration.ts';

/** Buckets and objects as Supabase has them: projects insert buckets and put policies and triggers on objects. */
export const storage: HouseMigration = {
  name: '0003-storage',
  sql: asOwner('supabase_storage_admin', `
    create type storage.buckettype as enum ('STANDARD', 'ANALYTICS', 'VECTOR');

    create table storage.migrations (
      id integer primary key,
      name varchar(100) not null unique,
      hash varchar(40) not null,
      executed_at timestamp default current_timestamp
    );

    create table storage.buckets (
      id text primary key,
      name text not null,
      owner uuid,
      created_at timestamptz default now(),
      updated_at timestamptz default now(),
      public boolean default false,
      avif_autodetection boolean default false,
      file_size_limit bigint,
      allowed_mime_types text[],
      owner_id text,
      type storage.buckettype not null default 'STANDARD'
    );
    create unique index bname on storage.buckets (name);
    comment on column storage.buckets.owner is 'Field is deprecated, use owner_id instead';

    create table storage.objects (
      id uuid primary key default gen_random_uuid(),
      bucket_id text constraint "objects_bucketId_fkey" references storage.buckets (id),
      name text,
      owner uuid,
      created_at timestamptz default now(),
      updated_at timestamptz default now(),
      last_accessed_at timestamptz default now(),
      metadata jsonb,
      path_tokens text[] generated always as (string_to_array(name, '/')) stored,
      version text,
      owner_id text,
      user_metadata jsonb
    );
    create unique index bucketid_objname on storage.objects (bucket_id, name);
    create index name_prefix_search on storage.objects (name text_pattern_ops);
    create index idx_objects_bucket_id_name on storage.objects (bucket_id, name collate "C");
    comment on column storage.objects.owner is 'Field is deprecated, use owner_id instead';

    create table storage.s3_multipart_uploads (
      id text primary key,
      in_progress_size bigint not null default 0,
      upload_signature text not null,
      bucket_id text not null references storage.buckets (id),
      key text not null collate "C",
      version text not null,
      owner_id text,
      created_at timestamptz not null default now(),
      user_metadata jsonb
    );
    create index idx_multipart_uploads_list on storage.s3_multipart_uploads (bucket_id, key, created_at);

    create table storage.s3_multipart_uploads_parts (
      id uuid primary key default gen_random_uuid(),
      upload_id text not null references storage.s3_multipart_uploads (id) on delete cascade,
      size bigint not null default 0,
      part_number integer not null,
      bucket_id text not null references storage.buckets (id),
      key text not null collate "C",
      etag text not null,
      owner_id text,
      version text not null,
      created_at timestamptz not null default now()
    );

    alter table storage.migrations enable row level security;
    alter table storage.buckets enable row level security;
    alter table storage.objects enable row level security;
    alter table storage.s3_multipart_uploads enable row level security;
    alter table storage.s3_multipart_uploads_parts enable row level security;

    grant all on storage.buckets, storage.objects, storage.s3_multipart_uploads, storage.s3_multipart_uploads_parts to postgres with grant option;
    grant all on storage.buckets, storage.objects to anon, authenticated, service_role;
    grant all on storage.s3_multipart_uploads, storage.s3_multipart_uploads_parts to service_role;
    grant select on storage.s3_multipart_uploads, storage.s3_multipart_uploads_parts to anon, authenticated;

    create function storage.foldername(name text) returns text[] language sql immutable strict
      return (string_to_array(name, '/'))[1:array_length(string_to_array(name, '/'), 1) - 1];
    create function storage.filename(name text) returns text language sql immutable strict
      return (string_to_array(name, '/'))[array_length(string_to_array(name, '/'), 1)];
    create function storage.extension(name text) returns text language sql immutable strict
      return reverse(split_part(reverse(storage.filename(name)), '.', 1));

    create function storage.update_updated_at_column() returns trigger language plpgsql set search_path = '' as $$
      begin
        new.updated_at = now();
        return new;
      end
    $$;
    create trigger update_objects_updated_at before update on storage.objects
      for each row execute function storage.update_updated_at_column();

    create function storage.get_size_by_bucket() returns table (size bigint, bucket_id text) language sql stable
      begin atomic
        select coalesce(sum((o.metadata ->> 'size')::bigint), 0)::bigint, o.bucket_id from storage.objects o group by o.bucket_id;
      end;

    -- One level of a folder: its files, and its sub-folders with all but the name null. Rows are the caller's to see or not.
    create function storage.search(
      prefix text, bucketname text, limits integer default 100, levels integer default 1, offsets integer default 0,
      search text default '', sortcolumn text default 'name', sortorder text default 'asc')
    returns table (name text, id uuid, updated_at timestamptz, created_at timestamptz, last_accessed_at timestamptz, metadata jsonb)
    language plpgsql stable set search_path = '' as $$
      declare
        column_name text := case when sortcolumn in ('name', 'updated_at', 'created_at', 'last_accessed_at') then sortcolumn else 'name' end;
        direction text := case when lower(sortorder) = 'desc' then 'desc' else 'asc' end;
        pattern text := replace(replace(replace(prefix || search, '\\', '\\\\'), '%', '\\%'), '_', '\\_') || '%';
      begin
        return query execute format($query$
          with found as (
            select o.*, array_length(o.path_tokens, 1) > $1 as is_folder, o.path_tokens[$1] as item
            from storage.objects o
            where o.bucket_id = $2 and o.name ilike $3 and array_length(o.path_tokens, 1) >= $1
          ), items as (
            select f.item as name, null::uuid as id, null::timestamptz as updated_at, null::timestamptz as created_at,
              null::timestamptz as last_accessed_at, null::jsonb as metadata, 0 as rank
            from found f where f.is_folder group by f.item
            union all
            select f.item, f.id, f.updated_at, f.created_at, f.last_accessed_at, f.metadata, 1 from found f where not f.is_folder
          )
          select i.name, i.id, i.updated_at, i.created_at, i.last_accessed_at, i.metadata from items i
          order by i.rank, i.%I %s, i.name limit $4 offset $5
        $query$, column_name, direction) using levels, bucketname, pattern, limits, offsets;
      end
    $$;
  `),
};
