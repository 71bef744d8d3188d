import type { Database } from './database.ts';
import type { Session } from './statement.ts';

/** A request that pg_net's functions wrote down, claimed by this worker. */
export interface NetRequest {
  readonly id: string;
  readonly host: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer | null;
  readonly timeoutMs: number;
}

/** What became of one, as `net._http_response` keeps it. */
export interface NetAnswer {
  readonly id: string;
  readonly statusCode: number | null;
  readonly contentType: string | null;
  readonly headers: Readonly<Record<string, string>> | null;
  readonly content: string | null;
  readonly hasTimedOut: boolean;
  readonly error: string | null;
}

/** Woken by a request while no worker was awake. */
export const netChannel = 'mainstay_net';

/** Longest that a request may take, whatever it asks for. */
export const mostNetTimeoutMs = 600_000;

/** A worker that is so much late has died. */
const graceSeconds = 15;
const mostTries = 5;

/** As the role whose tables they are: a project's triggers on the answers run with its powers and no others. */
const asPostgres: Session = { role: 'postgres', settings: { lock_timeout: '5s', statement_timeout: '60s' } };
/** Reads a handful of rows by an index out of a table that may have been empty when it was planned. */
const byIndex: Session = { role: 'postgres', settings: { ...asPostgres.settings, enable_seqscan: 'off', jit: 'off' } };

export interface NetClaim {
  readonly token: string;
  readonly places: number;
  /** Hosts after this one come first. */
  readonly afterHost: string;
  /** How many of a host may be claimed; of those that are busy already, fewer. */
  readonly perHost: number;
  readonly free: ReadonlyMap<string, number>;
}

/**
 * Claims requests, from as many hosts as possible and from each equally, by steps through the index: one per host and not one per
 * row, so that a backlog to a host that does not answer costs the others nothing.
 */
export async function claimNetRequests(database: Database, { token, places, afterHost, perHost, free }: NetClaim): Promise<NetRequest[]> {
  const { rows } = await database.once(byIndex, { ...claimText, values: [String(places), afterHost, String(perHost), arrayOf([...free.keys()]), arrayOf([...free.values()].map(String)), token] });
  return rows.map(([id, host, method, url, headers, body, timeoutMs]) => ({
    id: id!,
    host: host!,
    method: method!.toUpperCase(),
    url: url!,
    headers: JSON.parse(headers!) as Record<string, unknown>,
    body: body === null || body === undefined ? null : Buffer.from(body.slice(2), 'hex'),
    timeoutMs: Math.min(Math.max(Number(timeoutMs), 1), mostNetTimeoutMs),
  }));
}

const waiting = `select q.host, coalesce((select free.places from free where free.host = q.host), $3::int) as free from net.http_request_queue q where q.leased_until is null`;
const claimText = {
  name: 'claim_net_requests',
  text: `
    with recursive free as materialized (select * from unnest($4::text[], $5::int[]) as f(host, places)),
    later as (
      (select next.host, next.free, (next.free > 0)::int as seen from (${waiting} and q.host > $2 order by q.host limit 1) as next)
      union all
      select next.host, next.free, later.seen + (next.free > 0)::int from later, lateral (${waiting} and q.host > later.host order by q.host limit 1) as next where later.seen < $1::int
    ),
    earlier as (
      (select next.host, next.free, (next.free > 0)::int as seen from (${waiting} and q.host <= $2 order by q.host limit 1) as next)
      union all
      select next.host, next.free, earlier.seen + (next.free > 0)::int from earlier, lateral (${waiting} and q.host > earlier.host and q.host <= $2 order by q.host limit 1) as next where earlier.seen < $1::int
    ),
    hosts as (
      select host, free, row_number() over (order by turn, seen) as place
      from (select host, free, 1 as turn, seen from later where free > 0 union all select host, free, 2, seen from earlier where free > 0) as both_ways
      order by turn, seen limit $1::int
    ),
    picked as (
      select mine.id, mine.place as round, hosts.place from hosts cross join lateral (
        select locked.id, row_number() over () as place from (
          select id from net.http_request_queue q where q.leased_until is null and q.host = hosts.host order by id limit least(hosts.free, $1::int) for update skip locked
        ) as locked
      ) as mine
      order by mine.place, hosts.place limit $1::int
    )
    update net.http_request_queue q
    set leased_until = clock_timestamp() + make_interval(secs => least(greatest(timeout_milliseconds, 0), ${mostNetTimeoutMs}) / 1000.0 + ${graceSeconds}), lease_token = $6::uuid, tries = tries + 1
    from picked where q.id = picked.id
    returning q.id, q.host, q.method, q.url, q.headers, q.body, q.timeout_milliseconds`,
};

/** Puts the requests of workers that died back; one that five of them died with is answered with an error. Says how many are free again. */
export async function freeNetRequests(database: Database): Promise<number> {
  const { rowCount } = await database.once(byIndex, { text: freeText, values: [], name: 'free_net_requests' });
  return rowCount;
}

const freeText = `
  with over as (select id, tries from net.http_request_queue where leased_until < clock_timestamp() order by leased_until limit 1000 for update skip locked),
  given_up as (delete from net.http_request_queue q using over where q.id = over.id and over.tries >= ${mostTries} returning q.id),
  told as (insert into net._http_response (id, timed_out, error_msg) select id, false, 'The worker that sent this request stopped, ${mostTries} times in a row' from given_up)
  update net.http_request_queue q set leased_until = null, lease_token = null from over where q.id = over.id and over.tries < ${mostTries}`;

/** Gives back what this worker has claimed and will not send; not counted as a try. */
export async function returnNetRequests(database: Database, token: string, ids: readonly string[]): Promise<void> {
  await database.once(asPostgres, { text: 'update net.http_request_queue set leased_until = null, lease_token = null, tries = tries - 1 where lease_token = $1::uuid and id = any ($2::bigint[])', values: [token, arrayOf(ids)] });
}

/** Writes answers down in place of their requests, in one commit. A request that somebody deleted meanwhile gets none. */
export async function settleNetRequests(database: Database, token: string, answers: readonly NetAnswer[]): Promise<void> {
  const column = (of: (answer: NetAnswer) => string | null): string => arrayOf(answers.map(of));
  await database.once(asPostgres, {
    ...settleText,
    values: [
      token,
      column(({ id }) => id),
      column(({ statusCode }) => (statusCode === null ? null : String(statusCode))),
      column(({ contentType }) => contentType),
      column(({ headers }) => (headers === null ? null : JSON.stringify(headers))),
      column(({ content }) => content),
      column(({ hasTimedOut }) => String(hasTimedOut)),
      column(({ error }) => error),
    ],
  });
}

const settleText = {
  name: 'settle_net_requests',
  text: `
    with answered as (
      select * from unnest($2::bigint[], $3::int[], $4::text[], $5::jsonb[], $6::text[], $7::boolean[], $8::text[]) as a(id, status_code, content_type, headers, content, timed_out, error_msg)
    ),
    gone as (delete from net.http_request_queue q using answered where q.id = answered.id and q.lease_token = $1::uuid returning q.id)
    insert into net._http_response (id, status_code, content_type, headers, content, timed_out, error_msg)
    select answered.* from answered join gone using (id) order by id`,
};

/** Deletes a request whose answer cannot be kept: a trigger of the project's refuses it. */
export async function dropNetRequest(database: Database, token: string, id: string): Promise<void> {
  await database.once(asPostgres, { text: 'delete from net.http_request_queue where id = $2::bigint and lease_token = $1::uuid', values: [token, id] });
}

/** Deletes answers that were kept long enough; says how many. `pg_net.ttl` of the database goes before ours. */
export async function sweepNetAnswers(database: Database, keepSeconds: number, limit = 5000): Promise<number> {
  const { rowCount } = await database.once(asPostgres, {
    text: `
      delete from net._http_response where ctid = any (array(
        select ctid from net._http_response
        where created < now() - coalesce(nullif(current_setting('pg_net.ttl', true), '')::interval, make_interval(secs => $1::float8)) order by created limit $2::int
      ))`,
    values: [String(keepSeconds), String(limit)],
  });
  return rowCount;
}

/** Whether pg_net's tables here are ours: a server that has the true one sends by itself. */
export async function isNetOurs(database: Database): Promise<boolean> {
  const found = await database.rows(
    `select from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'net' and c.relname = 'http_request_queue' and a.attname = 'lease_token'`,
  );
  return found.length > 0;
}

/** Says whether a worker looks for requests by itself; asleep, it is woken by the first one. As the worker's own login. */
export async function sayNetAsleep(database: Database, isAsleep: boolean): Promise<void> {
  await database.rows('update mainstay_internal.net_pump set is_asleep = $1 where is_asleep <> $1', [isAsleep]);
}

/** An array as PostgreSQL writes it. */
function arrayOf(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? 'null' : `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`)).join(',')}}`;
}
