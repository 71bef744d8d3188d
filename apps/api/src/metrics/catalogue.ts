/** One metric: what it counts, and by what. */
export interface Metric {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
}

function metric(type: Metric['type'], labels: string, help: string): Metric {
  return { type, labels: labels === '' ? [] : labels.split(' '), help };
}

/**
 * Every metric of ours; `docs/metrics.md` is written from it. What is read from the database is the same whichever api is asked;
 * the rest is of the process that answers. Labels are names from the code and from the queues, never from a request.
 */
export const catalogue = {
  // Requests
  mainstay_http_requests_total: metric('counter', 'route method status', 'Requests that were answered, by the template of their route. 499: the client left before its answer.'),
  mainstay_http_request_duration_seconds: metric('histogram', 'route method status', 'From the head of a request to the last byte of its answer.'),
  mainstay_http_requests_in_flight: metric('gauge', '', 'Requests that are being answered.'),
  mainstay_http_requests_refused_total: metric('counter', 'reason', 'Requests that were turned away: overload (503), rate_limit (429), body_too_large (413), too_slow (408), line_too_long (414).'),
  mainstay_http_connections: metric('gauge', '', 'Open connections.'),
  mainstay_http_connections_dropped_total: metric('counter', '', 'Connections that were refused because there were as many as MAINSTAY_MAX_CONNECTIONS.'),

  // Database connections of the process
  mainstay_db_pool_connections: metric('gauge', 'pool state', 'Connections of a pool that are busy or idle.'),
  mainstay_db_pool_connections_max: metric('gauge', 'pool', 'Most connections of a pool.'),
  mainstay_db_pool_waiting: metric('gauge', 'pool', 'Callers that wait for a connection.'),
  mainstay_db_pool_acquire_seconds: metric('histogram', 'pool', 'How long callers waited for a connection.'),
  mainstay_db_pool_timeouts_total: metric('counter', 'pool', 'Callers that waited in vain and were refused.'),

  // Caches of the data API
  mainstay_plan_cache_hits_total: metric('counter', '', 'Data requests whose plan and SQL were known already.'),
  mainstay_plan_cache_misses_total: metric('counter', '', 'Data requests that were planned anew.'),
  mainstay_plan_cache_entries: metric('gauge', '', 'Shapes of requests that are remembered.'),
  mainstay_schema_cache_loads_total: metric('counter', 'status', 'How often the database’s schema was read.'),
  mainstay_schema_cache_load_seconds: metric('gauge', '', 'How long the last reading took.'),
  mainstay_schema_cache_collections: metric('gauge', '', 'Tables and views that the data API serves.'),

  // Jobs, the same whichever api is asked
  mainstay_queue_waiting: metric('gauge', 'queue', 'Jobs that are due and that no worker has claimed.'),
  mainstay_queue_scheduled: metric('gauge', 'queue', 'Jobs that are to be done later, or after others.'),
  mainstay_queue_running: metric('gauge', 'queue', 'Jobs that a worker has.'),
  mainstay_queue_oldest_seconds: metric('gauge', 'queue', 'For how long the job that waits longest has been due; 0 where none waits.'),
  mainstay_queue_kept: metric('gauge', 'queue state', 'Jobs that failed, are dead or were cancelled, and are still kept (MAINSTAY_JOB_KEEP).'),
  mainstay_jobs_ended_total: metric('counter', 'queue outcome', 'Attempts by how they ended: done, failed (refused for good), dead (the last attempt went wrong), again (it is tried again).'),
  mainstay_job_wait_seconds: metric('histogram', 'queue', 'From when a job was due to when a worker began it.'),
  mainstay_job_run_seconds: metric('histogram', 'queue', 'From the beginning of an attempt to its end.'),
  mainstay_outbox_length: metric('gauge', '', 'Jobs that are committed and not yet published to Redis or Valkey.'),
  mainstay_processes: metric('gauge', 'kind', 'Processes (api, worker) that have said lately that they run.'),
  mainstay_worker_running: metric('gauge', 'worker', 'Jobs that a worker process runs.'),
  mainstay_worker_is_progressing: metric('gauge', 'worker', '1 while a worker makes progress or has nothing to do, else 0.'),
  mainstay_worker_resident_memory_bytes: metric('gauge', 'worker', 'Memory of a worker process.'),
  mainstay_worker_cpu_seconds_total: metric('counter', 'worker', 'Processor time of a worker process.'),
  mainstay_worker_event_loop_lag_seconds: metric('gauge', 'worker', 'The longest that a worker’s event loop was held up within the last seconds.'),

  // Webhooks, schedules, imports and exports, the same whichever api is asked
  mainstay_webhook_endpoints: metric('gauge', 'state', 'Endpoints by state: active, paused, disabled.'),
  mainstay_webhook_deliveries: metric('gauge', 'state', 'Deliveries that are queued, and those whose every try was in vain (dead).'),
  mainstay_schedules: metric('gauge', 'state', 'Schedules by state: active, paused, troubled (it stands still until somebody changes it).'),
  mainstay_schedules_late: metric('gauge', '', 'Schedules whose time came more than five seconds ago and that no worker has seen to.'),
  mainstay_schedules_lateness_seconds: metric('gauge', '', 'For how long the latest of them has been due.'),
  mainstay_imports: metric('gauge', 'state', 'Imports that are kept, by state.'),
  mainstay_exports: metric('gauge', 'state', 'Exports that are kept, by state.'),

  // As PostgREST names them
  pgrst_db_pool_available: metric('gauge', '', 'Connections of the data API that could be used.'),
  pgrst_db_pool_waiting: metric('gauge', '', 'Data requests that wait for a connection.'),
  pgrst_db_pool_max: metric('gauge', '', 'Most connections of the data API.'),
  pgrst_db_pool_timeouts_total: metric('counter', '', 'Data requests that waited for a connection in vain.'),
  pgrst_schema_cache_loads_total: metric('counter', 'status', 'How often the database’s schema was read: SUCCESS or FAIL.'),
  pgrst_schema_cache_query_time_seconds: metric('gauge', '', 'How long the last reading took.'),
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof catalogue;
