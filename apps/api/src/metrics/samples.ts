import type { Histogram } from '@mainstay/telemetry';
import { catalogue, type Metric, type MetricName } from './catalogue.ts';

type Labels = Readonly<Record<string, string | number>>;

interface Sample {
  readonly metricName?: string;
  readonly labels: Labels;
  readonly value: number;
}

/** What is told at one scrape, metric by metric. */
export class Samples {
  private readonly byName = new Map<MetricName, Sample[]>();

  add(name: MetricName, value: number, labels: Labels = {}): void {
    this.of(name).push({ labels, value });
  }

  histogram(name: MetricName, { bounds, counts, sum }: Pick<Histogram, 'bounds' | 'counts' | 'sum'>, labels: Labels = {}): void {
    const samples = this.of(name);
    let below = 0;
    counts.forEach((count, bucket) => {
      below += count;
      samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le: bucket < bounds.length ? String(bounds[bucket]) : '+Inf' }, value: below });
    });
    samples.push({ metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: below });
  }

  /** In the order of the catalogue; a metric that nobody told of is left out. */
  *families(): Iterable<Metric & { readonly name: MetricName; readonly values: readonly Sample[] }> {
    for (const name of Object.keys(catalogue) as MetricName[]) {
      const values = this.byName.get(name);
      if (values !== undefined) yield { name, ...(catalogue[name] as Metric), values };
    }
  }

  private of(name: MetricName): Sample[] {
    let samples = this.byName.get(name);
    if (samples === undefined) this.byName.set(name, (samples = []));
    return samples;
  }
}
