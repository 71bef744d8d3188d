import { openDatabases } from '@mainstay/persistence';
import type { RestService } from '@mainstay/rest';
import { Histogram } from '@mainstay/telemetry';
import type { Source } from './exposition.ts';
import type { HttpFigures, RouteFigures } from './http-figures.ts';

const reasons: Readonly<Record<number, string>> = { 408: 'too_slow', 413: 'body_too_large', 414: 'line_too_long', 429: 'rate_limit', 503: 'overload', 504: 'overload' };

/** The requests of this process. */
export function requestsOf(http: HttpFigures): Source {
  return async (samples) => {
    const refused = new Map(Object.values(reasons).map((reason) => [reason, 0]));
    for (const { route, method, status, seconds } of http.routes()) {
      const labels = { route, method, status };
      samples.add('mainstay_http_requests_total', seconds.count, labels);
      samples.histogram('mainstay_http_request_duration_seconds', seconds, labels);
      const reason = reasonOf({ route, status });
      if (reason !== undefined) refused.set(reason, refused.get(reason)! + seconds.count);
    }
    for (const [reason, count] of refused) samples.add('mainstay_http_requests_refused_total', count, { reason });
    samples.add('mainstay_http_requests_in_flight', http.inFlight);
    samples.add('mainstay_http_connections', await http.connections());
    samples.add('mainstay_http_connections_dropped_total', http.connectionsDropped);
  };
}

/** A 503 of the health page tells of others and refuses nobody. */
function reasonOf({ route, status }: Pick<RouteFigures, 'route' | 'status'>): string | undefined {
  return route === '/health/ready' ? undefined : reasons[status];
}

/** The database connections of this process. Pools of one name are told as one. */
export const pools: Source = (samples) => {
  const alike = Map.groupBy(openDatabases(), ({ name }) => name.replace(/^mainstay /, ''));
  let waiting = 0;
  let available = 0;
  let max = 0;
  let timeouts = 0;
  for (const [pool, databases] of alike) {
    const loads = databases.map((database) => database.load());
    const waits = new Histogram();
    for (const database of databases) waits.add({ counts: [...database.waits.counts], sum: database.waits.sum });
    const sum = (of: 'busy' | 'idle' | 'waiting'): number => loads.reduce((total, load) => total + load[of], 0);
    const all = { max: databases.reduce((total, database) => total + database.max, 0), timeouts: databases.reduce((total, database) => total + database.timeouts, 0) };
    for (const state of ['busy', 'idle'] as const) samples.add('mainstay_db_pool_connections', sum(state), { pool, state });
    samples.add('mainstay_db_pool_connections_max', all.max, { pool });
    samples.add('mainstay_db_pool_waiting', sum('waiting'), { pool });
    samples.add('mainstay_db_pool_timeouts_total', all.timeouts, { pool });
    samples.histogram('mainstay_db_pool_acquire_seconds', waits, { pool });
    if (pool !== 'authenticator' && pool !== 'mainstay') continue;
    waiting += sum('waiting');
    available += all.max - sum('busy');
    max += all.max;
    timeouts += all.timeouts;
  }
  samples.add('pgrst_db_pool_available', available);
  samples.add('pgrst_db_pool_waiting', waiting);
  samples.add('pgrst_db_pool_max', max);
  samples.add('pgrst_db_pool_timeouts_total', timeouts);
};

/** What the data API remembers. */
export function cachesOf(rest: RestService): Source {
  return (samples) => {
    const { plans, schema } = rest.figures();
    samples.add('mainstay_plan_cache_hits_total', plans.hits);
    samples.add('mainstay_plan_cache_misses_total', plans.misses);
    samples.add('mainstay_plan_cache_entries', plans.entries);
    samples.add('mainstay_schema_cache_loads_total', schema.loads, { status: 'ok' });
    samples.add('mainstay_schema_cache_loads_total', schema.failures, { status: 'failed' });
    samples.add('mainstay_schema_cache_load_seconds', schema.loadSeconds);
    samples.add('mainstay_schema_cache_collections', schema.collections);
    samples.add('pgrst_schema_cache_loads_total', schema.loads, { status: 'SUCCESS' });
    samples.add('pgrst_schema_cache_loads_total', schema.failures, { status: 'FAIL' });
    samples.add('pgrst_schema_cache_query_time_seconds', schema.loadSeconds);
  };
}
