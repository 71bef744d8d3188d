import { asOwner } from './as-owner.ts';
import type { HouseMigration } from './house-migration.ts';

/**
 * Jobs that call a URL. The request is a row, made in the transaction that asks for it together with its job; the secrets by which
 * receivers know us are sealed. Only the service key and postgres may ask: whoever can make us send what they like, signed, can
 * speak in the project's name. A user's call goes through a function of the project's that is SECURITY DEFINER.
 */
export const requests: HouseMigration = {
  name: '0055-requests',
  sql: `
    create table mainstay_internal.requests (
      id uuid primary key,
      job_id uuid not null,
      owner text not null,
      method text not null,
      url text not null,
      headers jsonb not null,
      body text,
      timeout_ms integer not null,
      is_signed boolean not null,
      -- What was answered last, where the job goes on or has failed; the answer with which it was done is its result.
      answer jsonb,
      created_at timestamptz not null default clock_timestamp()
    ) with (autovacuum_vacuum_scale_factor = 0.05);
    create index requests_job_id on mainstay_internal.requests (job_id);
    create index requests_created_at on mainstay_internal.requests (created_at);

    create table mainstay_internal.signing_secrets (
      id uuid primary key default mainstay_internal.uuid_v7(),
      sealed text not null,
      created_at timestamptz not null default clock_timestamp(),
      -- Until then it signs beside its successor.
      expires_at timestamptz
    );

    create function mainstay_internal.enqueue_request(
      url text, body jsonb, headers jsonb, method text, timeout_ms integer, is_signed boolean, owner text, role text, claims jsonb, run_at timestamptz default null,
      key text default null, max_attempts integer default null, queue text default null, priority integer default null, after uuid[] default null,
      idempotency_key text default null, trace text default null
    ) returns uuid
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          made uuid := mainstay_internal.uuid_v7();
          job uuid;
          queue text := coalesce(enqueue_request.queue, 'calls');
          method text := upper(coalesce(enqueue_request.method, 'POST'));
          headers jsonb := coalesce(enqueue_request.headers, '{}');
          type text := (select value from jsonb_each_text(case when jsonb_typeof(coalesce(enqueue_request.headers, '{}')) = 'object' then coalesce(enqueue_request.headers, '{}') else '{}' end)
            where lower(jsonb_each_text.key) = 'content-type' limit 1);
          -- A text goes out as it is where another type than JSON was said.
          body text := case when jsonb_typeof(enqueue_request.body) = 'string' and type is not null and type !~* 'json' then enqueue_request.body #>> '{}' else enqueue_request.body::text end;
        begin
          perform mainstay_internal.check_terms(enqueue_request.role, enqueue_request.owner, enqueue_request.run_at, enqueue_request.key, enqueue_request.max_attempts, queue,
            enqueue_request.priority, enqueue_request.after);
          if enqueue_request.url is null or enqueue_request.url !~* '^https?://[^/?#\\s]+[^\\s]*$' or length(enqueue_request.url) > 8192 then
            raise invalid_parameter_value using message = format('%s is no URL that can be called', coalesce(quote_literal(left(enqueue_request.url, 200)), 'null')), hint = 'It begins with https:// or http://.';
          elsif method not in ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS') then
            raise invalid_parameter_value using message = format('method must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, not %s', quote_literal(left(method, 32)));
          elsif jsonb_typeof(headers) <> 'object' or exists (select from jsonb_each(headers) as header where jsonb_typeof(header.value) <> 'string') then
            raise invalid_parameter_value using message = 'headers must be a JSON object of texts, such as {"authorization": "Bearer x"}';
          elsif enqueue_request.timeout_ms not between 100 and 300000 then
            raise invalid_parameter_value using message = format('timeout_ms must be from 100 to 300000, not %s', enqueue_request.timeout_ms);
          elsif octet_length(body) > 1048576 then
            raise invalid_parameter_value using message = 'the body of a request may have 1 MiB at most';
          end if;
          if body is not null and type is null then
            headers := headers || '{"content-type": "application/json"}';
          end if;
          job := mainstay_internal.enqueue_job(
            kind => 'send-request', queue => queue, carrier => 'calls', payload => jsonb_build_object('requestId', made),
            owner => enqueue_request.owner, role => enqueue_request.role, claims => enqueue_request.claims, run_at => enqueue_request.run_at,
            unique_key => case when enqueue_request.key is not null then jsonb_build_array(enqueue_request.owner, enqueue_request.key)::text end,
            idempotency_key => enqueue_request.idempotency_key, max_attempts => coalesce(enqueue_request.max_attempts, 12), priority => coalesce(enqueue_request.priority, 0),
            after => enqueue_request.after, trace => enqueue_request.trace,
            -- One host that does not answer takes its own turns and nobody else's.
            turn => left(enqueue_request.owner || ' ' || lower(substring(enqueue_request.url from '^[^:]+://(?:[^/?#@]*@)?([^/?#]*)')), 300));
          -- Of an open job with the same key, the request stands already.
          insert into mainstay_internal.requests (id, job_id, owner, method, url, headers, body, timeout_ms, is_signed)
          select made, job, enqueue_request.owner, method, enqueue_request.url, headers, body, coalesce(enqueue_request.timeout_ms, 30000), coalesce(enqueue_request.is_signed, true)
          from mainstay_internal.jobs where jobs.id = job and jobs.payload ->> 'requestId' = made::text;
          return job;
        end
      $$;
    revoke execute on function mainstay_internal.enqueue_request from public;
    grant execute on function mainstay_internal.enqueue_request to mainstay_api, mainstay_worker, mainstay_viewer;

    -- A host that does not answer takes no more than this of the slots; there are as many as need no thread.
    update mainstay_internal.queues set per_turn_concurrency = 16 where name = 'calls';

    grant select, update, delete on mainstay_internal.requests to mainstay_worker;
    grant select on mainstay_internal.requests to mainstay_api, mainstay_viewer;
    grant select, insert, update, delete on mainstay_internal.signing_secrets to mainstay_api, mainstay_worker;
    alter table mainstay_internal.requests enable row level security;
    alter table mainstay_internal.signing_secrets enable row level security;
    create policy of_the_caller on mainstay_internal.requests for select to mainstay_api using (mainstay_internal.owns(owner));
    -- Only who may call the function and read the view sees anything at all.
    create policy of_the_reader on mainstay_internal.requests for select to mainstay_viewer using (true);
    create policy all_of_them on mainstay_internal.requests to mainstay_worker using (true) with check (true);
    create policy by_service_key on mainstay_internal.signing_secrets to mainstay_api using (mainstay_internal.owns(null)) with check (mainstay_internal.owns(null));
    create policy all_of_them on mainstay_internal.signing_secrets to mainstay_worker using (true) with check (true);

    grant create on schema mainstay to mainstay_viewer;
    ${asOwner('mainstay_viewer', `
      create view mainstay.requests with (security_barrier) as
        select jobs.id, requests.url, requests.method, requests.headers, requests.body, requests.timeout_ms, requests.is_signed as signed, jobs.queue, jobs.state, jobs.priority, jobs.run_at,
          jobs.max_attempts, jobs.attempts, case when jobs.state = 'done' then jobs.result else requests.answer end as answer, jobs.error, jobs.owner, jobs.created_at, jobs.started_at, jobs.finished_at
        from mainstay_internal.requests join mainstay_internal.jobs on jobs.id = requests.job_id;

      create function mainstay.enqueue_http(url text, body jsonb default null, headers jsonb default '{}', method text default 'POST', timeout_ms integer default 30000, signed boolean default true,
        run_at timestamptz default null, key text default null, max_attempts integer default null, queue text default null, priority integer default null, after uuid[] default null) returns uuid
        language sql volatile security definer set search_path = '' as $$
          select mainstay_internal.enqueue_request(url => enqueue_http.url, body => enqueue_http.body, headers => enqueue_http.headers, method => enqueue_http.method,
            timeout_ms => enqueue_http.timeout_ms, is_signed => enqueue_http.signed, owner => 'service_role', role => 'service_role',
            claims => coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb, '{}') || '{"role": "service_role"}', run_at => enqueue_http.run_at, key => enqueue_http.key,
            max_attempts => enqueue_http.max_attempts, queue => enqueue_http.queue, priority => enqueue_http.priority, after => enqueue_http.after)
        $$;
      comment on function mainstay.enqueue_http(text, jsonb, jsonb, text, integer, boolean, timestamptz, text, integer, text, integer, uuid[]) is 'Calls a URL after this transaction has committed, at least once, signed as Standard Webhooks has it.';
      revoke execute on function mainstay.enqueue_http from public;
      grant execute on function mainstay.enqueue_http to service_role, postgres;
      -- As with mainstay.jobs: to 'cancelled', or to 'queued' to send it again.
      create trigger change_job instead of update on mainstay.requests for each row execute function mainstay_internal.change_job();
      grant select, update (state) on mainstay.requests to service_role, postgres;
    `)}
    revoke create on schema mainstay from mainstay_viewer;
  `,
};
