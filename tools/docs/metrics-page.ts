import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { importBundled } from '../bundle.mjs';
import { code, page, table } from './markdown.ts';

interface Metric {
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

const source = 'apps/api/src/metrics/catalogue.ts';

/** Every metric, under the headings of the table in the code, and how Prometheus is led to them. */
export async function metricsPage(): Promise<string> {
  const { catalogue } = (await importBundled(source)) as { catalogue: Record<string, Metric> };
  const sections = headings(readFileSync(join(import.meta.dirname, '../..', source), 'utf8'));
  return page('Metrics', `\`${source}\``, [
    'Every api answers `GET /metrics` in the text format of Prometheus: to the service key, and to `MAINSTAY_METRICS_TOKEN` as a bearer token. ' +
      'On the port of `PGRST_ADMIN_SERVER_PORT` it answers everybody, so that port is for an inner network.',
    ['```yaml', 'scrape_configs:', '  - job_name: mainstay', '    scrape_interval: 15s', '    authorization:', '      type: Bearer', '      credentials_file: /etc/prometheus/mainstay-token   # holds MAINSTAY_METRICS_TOKEN', '    static_configs:', '      - targets: [api-1.internal:54321, api-2.internal:54321]', '```'].join('\n'),
    'Labels are templates of routes, states and names of queues: no id, no path, no query and nobody’s data is ever in one, and a path that has no route is `none`. ' +
      'What is told of requests, connections and caches is of the api that answers, so sum it over instances. What is told of queues, webhooks and schedules comes from the database and is the same whichever api is asked, so take `max` over instances. ' +
      'It is read at most every two seconds, and rests for twenty times as long as the reading took.',
    'A worker has no port. It adds what it counted to the database every two seconds, so the counters and histograms of jobs are those of all workers since the database was made, and never go back; what a killed worker had not yet added is not in them.',
    ...sections.flatMap(({ heading, names }) => [`## ${heading}`, table(['Name', 'Type', 'Labels', 'Meaning'], names.map((name) => [code(name), catalogue[name]!.type, catalogue[name]!.labels.map(code).join(', ') || 'none', catalogue[name]!.help]))]),
    '## The process',
    'Beside these stand the metrics that every Node process has: `process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds`, `nodejs_eventloop_lag_p99_seconds`, `nodejs_heap_size_used_bytes`, `nodejs_gc_duration_seconds` and their kin.',
    '## Questions one asks',
    table(['Question', 'Query'], [
      ['How many requests fail?', code('sum(rate(mainstay_http_requests_total{status=~"5.."}[5m])) / sum(rate(mainstay_http_requests_total[5m]))')],
      ['How long do 99 % of the reads take?', code('histogram_quantile(0.99, sum by (le) (rate(mainstay_http_request_duration_seconds_bucket{route="/rest/v1/:collection",method="GET"}[5m])))')],
      ['Do jobs wait?', code('max by (queue) (mainstay_queue_oldest_seconds) > 60')],
      ['Did jobs die?', code('sum by (queue) (increase(mainstay_jobs_ended_total{outcome="dead"}[1h])) > 0')],
      ['Is there a worker?', code('max(mainstay_processes{kind="worker"}) < 1')],
      ['Do requests wait for the database?', code('rate(mainstay_db_pool_timeouts_total[5m]) > 0')],
    ]),
  ]);
}

/** The headings are the comments between the rows. */
function headings(text: string): { heading: string; names: string[] }[] {
  const sections: { heading: string; names: string[] }[] = [];
  for (const line of text.split('\n')) {
    const heading = /^ {2}\/\/ (.+)$/.exec(line)?.[1];
    const name = /^ {2}(\w+): metric\(/.exec(line)?.[1];
    if (heading !== undefined) sections.push({ heading, names: [] });
    if (name !== undefined) sections.at(-1)?.names.push(name);
  }
  return sections;
}
