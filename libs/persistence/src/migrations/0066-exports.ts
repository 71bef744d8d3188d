import type { HouseMigration } from './house-migration.ts';

/**
 * Files that are made of a collection by a job: `exports` says what and how far, `export_chunks` holds the file in pieces of one
 * size, so that a byte's piece is found by division.
 *
 * Each attempt begins the file anew under its own number and can add pieces only while the export is its own, so no file is ever
 * made of two snapshots. A state is its job's, followed in the transaction in which the job's changes (as imports do).
 */
export const exportTables: HouseMigration = {
  name: '0066-exports',
  sql: `
    create table mainstay_internal.exports (
      id uuid primary key default mainstay_internal.uuid_v7(),
      owner text not null,
      -- The account that asked, where it is one of ours: a link that it gave away ends with it.
      subject uuid,
      job_id uuid unique,
      collection_schema text not null,
      collection_name text not null,
      -- As the data API reads it: select, filters, order.
      query text not null,
      format text not null,
      options jsonb not null,

      state text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed', 'dead', 'cancelled')),
      attempt integer not null default 0,
      rows_estimated bigint,
      rows_written bigint not null default 0,
      bytes_written bigint not null default 0,
      -- What is stored of them now: nothing any more when the file was let go.
      bytes_kept bigint not null default 0,
      -- Of the finished file.
      sha256 bytea,
      error jsonb,
      created_at timestamptz not null default now(),
      started_at timestamptz,
      finished_at timestamptz,
      -- When the file is let go; it is gone from then on, whenever the sweep comes.
      expires_at timestamptz
    );
    create index exports_owned on mainstay_internal.exports (owner, id);
    create index exports_kept on mainstay_internal.exports (owner) where bytes_kept > 0;
    create index exports_finished on mainstay_internal.exports (finished_at) where finished_at is not null;
    create index exports_expiring on mainstay_internal.exports (expires_at) where bytes_kept > 0 and expires_at is not null;

    create table mainstay_internal.export_chunks (
      export_id uuid not null references mainstay_internal.exports (id) on delete cascade,
      attempt integer not null,
      -- The first is 0; every one but the last has the same size.
      chunk_no integer not null,
      bytes bytea not null,
      primary key (export_id, attempt, chunk_no)
    );
    -- Slices are cut out of it without unpacking the whole.
    alter table mainstay_internal.export_chunks alter column bytes set storage external;

    create function mainstay_internal.export_follows_job() returns trigger
      language plpgsql security definer set search_path = '' as $$
        begin
          update mainstay_internal.exports
          set state = new.state, finished_at = new.finished_at, started_at = coalesce(exports.started_at, new.started_at),
            error = case when new.finished_at is not null then new.error end,
            rows_written = case when new.state = 'done' then exports.rows_written else 0 end,
            bytes_written = case when new.state = 'done' then exports.bytes_written else 0 end,
            bytes_kept = case when new.state = 'done' then exports.bytes_kept else 0 end
          where exports.job_id = new.id;
          -- No half file is kept: the next attempt begins anew, and what nobody can fetch would only fill the database.
          if new.state <> 'done' then
            delete from mainstay_internal.export_chunks using mainstay_internal.exports
            where exports.job_id = new.id and export_chunks.export_id = exports.id;
          end if;
          return null;
        end
      $$;
    create trigger export_follows_job after update of state on mainstay_internal.jobs
      for each row when (new.kind = 'export-rows' and new.state is distinct from old.state)
      execute function mainstay_internal.export_follows_job();

    -- What a signed link opens: no caller stands behind it, so it reads what no policy would show.
    create function mainstay_internal.export_file(export_id uuid) returns table (
      state text, collection_schema text, collection_name text, format text, options jsonb, bytes bigint, sha256 bytea, finished_at timestamptz, is_expired boolean, owner_is text
    ) language sql stable security definer set search_path = '' as $$
        select state, collection_schema, collection_name, format, options, bytes_written, sha256, finished_at, expires_at <= clock_timestamp(), mainstay_internal.why_gone(subject)
        from mainstay_internal.exports where id = export_file.export_id
      $$;
    -- Slices of one chunk, small enough for one message each.
    create function mainstay_internal.export_slices(export_id uuid, chunk_no integer, first_byte integer, bytes integer, slice_bytes integer) returns setof bytea
      language sql stable security definer set search_path = '' as $$
        select substring(chunk.bytes from export_slices.first_byte + slice + 1 for least(export_slices.slice_bytes, export_slices.bytes - slice))
        from mainstay_internal.exports export
        join mainstay_internal.export_chunks chunk on chunk.export_id = export.id and chunk.attempt = export.attempt
        cross join generate_series(0, export_slices.bytes - 1, export_slices.slice_bytes) slice
        where export.id = export_slices.export_id and export.state = 'done' and chunk.chunk_no = export_slices.chunk_no
        order by slice
      $$;
    revoke execute on function mainstay_internal.export_follows_job(), mainstay_internal.export_file(uuid), mainstay_internal.export_slices(uuid, integer, integer, integer, integer) from public;
    grant execute on function mainstay_internal.export_file(uuid), mainstay_internal.export_slices(uuid, integer, integer, integer, integer) to mainstay_api;

    alter table mainstay_internal.exports enable row level security;
    alter table mainstay_internal.export_chunks enable row level security;

    grant select, insert, delete on mainstay_internal.exports to mainstay_api;
    grant update (job_id, subject) on mainstay_internal.exports to mainstay_api;
    create policy of_the_caller on mainstay_internal.exports to mainstay_api
      using (mainstay_internal.owns(owner)) with check (mainstay_internal.owns(owner));

    grant select, update, delete on mainstay_internal.exports to mainstay_worker;
    grant select, insert, delete on mainstay_internal.export_chunks to mainstay_worker;
    create policy all_of_them on mainstay_internal.exports to mainstay_worker using (true) with check (true);
    create policy all_of_them on mainstay_internal.export_chunks to mainstay_worker using (true) with check (true);
  `,
};
