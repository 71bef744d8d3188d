import type { HouseMigration } from './house-migration.ts';

/**
 * A file on its way into a collection: `imports` says what and how far, `import_chunks` holds what is not read yet,
 * `import_rejects` what was set aside.
 *
 * An import's state is its job's, followed by a trigger in the very transaction in which the job's changes; only
 * `uploading` comes before there is a job. So no reader ever sees the two disagree, however a job ends: completed, refused,
 * reaped, cancelled through either surface, sent again.
 */
export const importTables: HouseMigration = {
  name: '0020-imports',
  sql: `
    create table mainstay_internal.imports (
      id uuid primary key default mainstay_internal.uuid_v7(),
      owner text not null,
      job_id uuid unique,
      collection_schema text not null,
      collection_name text not null,
      format text not null check (format in ('csv', 'ndjson')),
      mode text not null check (mode in ('rows', 'all')),
      max_errors integer not null check (max_errors >= 0),
      -- Columns, keys and signs of the file, as agreed when it arrived.
      terms jsonb not null,

      state text not null default 'uploading' check (state in ('uploading', 'queued', 'running', 'done', 'failed', 'dead', 'cancelled')),
      bytes_total bigint not null default 0,
      bytes_read bigint not null default 0,
      rows_total bigint not null default 0,
      -- Also the cursor: the next row to read, committed together with the rows before it.
      rows_read bigint not null default 0,
      rows_written bigint not null default 0,
      rows_rejected bigint not null default 0,
      error jsonb,
      created_at timestamptz not null default now(),
      -- When the upload last grew: one that stands still belongs to a process that is gone.
      touched_at timestamptz not null default now(),
      started_at timestamptz,
      finished_at timestamptz
    );
    create index imports_owned on mainstay_internal.imports (owner, id);
    create index imports_waiting on mainstay_internal.imports (owner) where state in ('uploading', 'queued', 'running', 'dead');
    create index imports_finished on mainstay_internal.imports (finished_at) where finished_at is not null;
    create index imports_uploading on mainstay_internal.imports (touched_at) where state = 'uploading';

    create table mainstay_internal.import_chunks (
      import_id uuid not null references mainstay_internal.imports (id) on delete cascade,
      -- The first is 0.
      first_row bigint not null,
      rows integer not null,
      first_line bigint not null,
      -- COPY takes the bytes as they are: no empty lines, one kind of line ending.
      is_plain boolean not null,
      bytes bytea not null,
      primary key (import_id, first_row)
    );
    -- Packing a megabyte takes longer than writing it, and it is read once.
    alter table mainstay_internal.import_chunks alter column bytes set storage external;

    create table mainstay_internal.import_rejects (
      import_id uuid not null references mainstay_internal.imports (id) on delete cascade,
      row_no bigint not null,
      line bigint not null,
      column_name text,
      value text,
      reason text not null,
      primary key (import_id, row_no)
    );

    create function mainstay_internal.import_follows_job() returns trigger
      language plpgsql security definer set search_path = '' as $$
        begin
          update mainstay_internal.imports
          set state = new.state, finished_at = new.finished_at, error = case when new.finished_at is not null then new.error end, started_at = coalesce(imports.started_at, new.started_at)
          where imports.job_id = new.id;
          -- What will not be read any more is let go at once: it would fill the database, and no quota counts it.
          if new.state in ('done', 'failed', 'cancelled') then
            delete from mainstay_internal.import_chunks using mainstay_internal.imports
            where imports.job_id = new.id and import_chunks.import_id = imports.id;
          end if;
          return null;
        end
      $$;
    revoke execute on function mainstay_internal.import_follows_job() from public;
    create trigger import_follows_job after update of state on mainstay_internal.jobs
      for each row when (new.kind = 'import-rows' and new.state is distinct from old.state)
      execute function mainstay_internal.import_follows_job();

    alter table mainstay_internal.imports enable row level security;
    alter table mainstay_internal.import_chunks enable row level security;
    alter table mainstay_internal.import_rejects enable row level security;

    grant select, insert, delete on mainstay_internal.imports to mainstay_api;
    grant update (job_id, state, bytes_total, rows_total, touched_at) on mainstay_internal.imports to mainstay_api;
    grant insert on mainstay_internal.import_chunks to mainstay_api;
    grant select on mainstay_internal.import_rejects to mainstay_api;
    create policy of_the_caller on mainstay_internal.imports to mainstay_api
      using (mainstay_internal.owns(owner)) with check (mainstay_internal.owns(owner));
    create policy of_the_caller on mainstay_internal.import_chunks to mainstay_api
      using (exists (select from mainstay_internal.imports where imports.id = import_id)) with check (exists (select from mainstay_internal.imports where imports.id = import_id));
    create policy of_the_caller on mainstay_internal.import_rejects to mainstay_api
      using (exists (select from mainstay_internal.imports where imports.id = import_id));

    grant select, update, delete on mainstay_internal.imports to mainstay_worker;
    grant select, delete on mainstay_internal.import_chunks to mainstay_worker;
    grant select, insert, delete on mainstay_internal.import_rejects to mainstay_worker;
    create policy all_of_them on mainstay_internal.imports to mainstay_worker using (true) with check (true);
    create policy all_of_them on mainstay_internal.import_chunks to mainstay_worker using (true) with check (true);
    create policy all_of_them on mainstay_internal.import_rejects to mainstay_worker using (true) with check (true);
  `,
};
