import type { Metric as PromMetric, Registry } from 'prom-client';
import { Samples } from './samples.ts';

/** Adds what one part of the house has to tell. A part that fails is left out: the others are wanted all the more. */
export type Source = (samples: Samples) => Promise<void> | void;

/** What Prometheus reads: the figures of the sources, and those of the process. */
export class Exposition {
  private process: Promise<Registry> | null = null;

  constructor(
    private readonly sources: readonly Source[],
    private readonly onFailure: (error: Error) => void = () => {},
  ) {}

  readonly contentType = 'text/plain; version=0.0.4; charset=utf-8';

  async text(): Promise<string> {
    const ofProcess = await (this.process ??= ofThisProcess());
    const samples = new Samples();
    await Promise.all(this.sources.map(async (source) => {
      try {
        await source(samples);
      } catch (error) {
        this.onFailure(error as Error);
      }
    }));
    const { Registry: Made } = await import('prom-client');
    const registry = new Made();
    for (const { name, help, type, values } of samples.families()) registry.registerMetric(asPromMetric({ name, help, type, values }));
    return (await registry.metrics()) + (await ofProcess.metrics());
  }
}

/** Processor, memory, event loop and garbage collection, under the names that every Node process has. Loaded at the first scrape, and measured from then on. */
async function ofThisProcess(): Promise<Registry> {
  const { collectDefaultMetrics, Registry: Made } = await import('prom-client');
  const register = new Made();
  collectDefaultMetrics({ register });
  return register;
}

/** A registry asks a metric for nothing but this. */
function asPromMetric(metric: object): PromMetric {
  return { ...metric, get: () => Promise.resolve(metric) } as unknown as PromMetric;
}
