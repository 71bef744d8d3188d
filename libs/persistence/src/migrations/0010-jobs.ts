import type { HouseMigration } from './house-migration.ts';

/**
 * The job engine's tables. A job lives in `jobs` from its enqueueing to its sweeping; Bull only carries its id to a worker.
 *
 * Where a queued job is on its way: `is_due` false: it waits for `run_at` and has no outbox row; `is_due` true and
 * `published_at` null: it has one; `published_at` set: Bull was told, and no worker has claimed it yet.
 * Each partial index holds only the jobs at one place of that way, so none grows with history.
 */
export const jobTables: HouseMigration = {
  name: '0010-jobs',
  sql: `
    -- Ids in the order of their making, on any PostgreSQL: the primary key is also the list's order, and a sweep reads its old end.
    create function mainstay_internal.uuid_v7() returns uuid
      language sql volatile set search_path = '' as $$
        select encode(
          set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid()) placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
            52, 1), 53, 1),
          'hex')::uuid
      $$;

    create table mainstay_internal.jobs (
      id uuid primary key default mainstay_internal.uuid_v7(),
      kind text not null,
      queue text not null,
      payload jsonb not null,

      owner text,
      role text not null,
      claims jsonb not null,
      -- The account that asked, where it is one of ours: it may be banned or deleted before the job runs.
      subject uuid,

      state text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed', 'dead', 'cancelled')),
      priority integer not null default 0,
      run_at timestamptz not null default now(),
      is_due boolean not null default true,
      published_at timestamptz,
      attempts integer not null default 0 check (attempts >= 0),
      max_attempts integer not null check (max_attempts > 0),
      -- How many attempts in a row may bring nothing forward; \`max_attempts\` grows when one did.
      patience integer not null check (patience > 0),
      lease_token uuid,
      lease_until timestamptz,

      unique_key text,
      idempotency_key text,
      progress jsonb,
      result jsonb,
      error jsonb,
      created_at timestamptz not null default now(),
      started_at timestamptz,
      finished_at timestamptz,

      check ((state = 'running') = (lease_token is not null) and (lease_token is null) = (lease_until is null)),
      check ((state in ('queued', 'running')) = (finished_at is null))
    ) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);

    create unique index jobs_idempotency_key on mainstay_internal.jobs (owner, idempotency_key) nulls not distinct where idempotency_key is not null;
    create unique index jobs_unique_key on mainstay_internal.jobs (kind, unique_key) where state in ('queued', 'running') and unique_key is not null;
    create index jobs_later on mainstay_internal.jobs (run_at) where state = 'queued' and not is_due;
    create index jobs_published on mainstay_internal.jobs (queue, published_at) where state = 'queued' and published_at is not null;
    create index jobs_leased on mainstay_internal.jobs (lease_until) where state = 'running';
    create index jobs_owned on mainstay_internal.jobs (owner, id) where owner is not null;
    create index jobs_unsuccessful on mainstay_internal.jobs (id) where state in ('failed', 'dead');

    -- Says only: publish it. Owner and priority stand here again, so that fair turns are read from one index.
    create table mainstay_internal.outbox (
      id bigint generated always as identity primary key,
      job_id uuid not null,
      queue text not null,
      owner text not null,
      priority integer not null,
      created_at timestamptz not null default clock_timestamp()
    ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_insert_scale_factor = 0);
    create index outbox_turns on mainstay_internal.outbox (queue, owner, priority desc, id);

    -- One row. A NOTIFY makes commits wait for each other, flush included; so an enqueueing sends one only when no relay is awake
    -- to see its row by itself.
    create table mainstay_internal.relay (is_only_row boolean primary key default true check (is_only_row), is_asleep boolean not null default true);
    insert into mainstay_internal.relay default values;

    create table mainstay_internal.idempotency_keys (
      owner text not null,
      key text not null,
      method text not null,
      path text not null,
      body_hash bytea not null,
      status integer not null,
      headers jsonb not null,
      body text,
      created_at timestamptz not null default now(),
      primary key (owner, key)
    );
    create index idempotency_keys_created_at on mainstay_internal.idempotency_keys (created_at);

    -- What a worker says of itself at each heartbeat: whether it makes progress, and whether it reaches the queue.
    alter table mainstay_internal.processes add column report jsonb, add column reported_at timestamptz;

    create function mainstay_internal.enqueue_job(
      kind text, queue text, payload jsonb, owner text, role text, claims jsonb, run_at timestamptz default null, unique_key text default null,
      idempotency_key text default null, max_attempts integer default 5, priority integer default 0
    ) returns uuid
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          made uuid := mainstay_internal.uuid_v7();
          known uuid;
          waits boolean := coalesce(enqueue_job.run_at > clock_timestamp(), false);
          subject uuid := (
            select users.id from auth.users where users.id = case
              when enqueue_job.claims ->> 'sub' ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
              then (enqueue_job.claims ->> 'sub')::uuid end
          );
        begin
          loop
            insert into mainstay_internal.jobs (id, kind, queue, payload, owner, role, claims, subject, run_at, is_due, unique_key, idempotency_key, max_attempts, patience, priority)
            values (made, enqueue_job.kind, enqueue_job.queue, enqueue_job.payload, enqueue_job.owner, enqueue_job.role, enqueue_job.claims, subject,
              coalesce(enqueue_job.run_at, clock_timestamp()), not waits, enqueue_job.unique_key, enqueue_job.idempotency_key,
              enqueue_job.max_attempts, enqueue_job.max_attempts, enqueue_job.priority)
            on conflict do nothing;
            exit when found;
            select jobs.id into known from mainstay_internal.jobs
            where (jobs.owner is not distinct from enqueue_job.owner and jobs.idempotency_key = enqueue_job.idempotency_key)
              or (jobs.kind = enqueue_job.kind and jobs.unique_key = enqueue_job.unique_key and jobs.state in ('queued', 'running'))
            limit 1;
            if found then
              return known;
            end if;
            -- The job that was in the way has ended in between: once more.
          end loop;
          if not waits then
            insert into mainstay_internal.outbox (job_id, queue, owner, priority) values (made, enqueue_job.queue, coalesce(enqueue_job.owner, ''), enqueue_job.priority);
          end if;
          if waits or (select is_asleep from mainstay_internal.relay) then
            perform pg_notify('mainstay_outbox', enqueue_job.queue);
          end if;
          return made;
        end
      $$;

    -- Why an account may not act any more: 'deleted', 'banned', or null when it may.
    create function mainstay_internal.why_gone(subject uuid) returns text
      language sql stable security definer set search_path = '' as $$
        select case
          when why_gone.subject is null then null
          when not exists (select from auth.users where users.id = why_gone.subject and users.deleted_at is null) then 'deleted'
          when exists (select from auth.users where users.id = why_gone.subject and users.banned_until > now()) then 'banned'
        end
      $$;

    revoke execute on all functions in schema mainstay_internal from public;
    grant execute on function mainstay_internal.uuid_v7(), mainstay_internal.enqueue_job to mainstay_api, mainstay_worker;
    grant execute on function mainstay_internal.why_gone(uuid) to mainstay_worker;

    grant select, update on mainstay_internal.jobs to mainstay_api;
    grant select, insert, update on mainstay_internal.idempotency_keys to mainstay_api;
    grant select, update, delete on mainstay_internal.jobs, mainstay_internal.idempotency_keys to mainstay_worker;
    grant select, insert, update, delete on mainstay_internal.outbox to mainstay_worker;
    grant select, update on mainstay_internal.relay to mainstay_worker;

    alter table mainstay_internal.jobs enable row level security;
    alter table mainstay_internal.idempotency_keys enable row level security;
    create policy of_the_caller on mainstay_internal.jobs to mainstay_api using (mainstay_internal.owns(owner)) with check (mainstay_internal.owns(owner));
    create policy of_the_caller on mainstay_internal.idempotency_keys to mainstay_api using (mainstay_internal.owns(owner)) with check (mainstay_internal.owns(owner));
    create policy all_of_them on mainstay_internal.jobs to mainstay_worker using (true) with check (true);
    create policy all_of_them on mainstay_internal.idempotency_keys to mainstay_worker using (true) with check (true);
  `,
};
