import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Context, Span } from '@opentelemetry/api';
import type { Sampler, SpanExporter } from '@opentelemetry/sdk-trace';
import { readOtel, type OtelTerms, type OtelVariables } from './read-otel.ts';
import { readTraceparent, writeTraceparent } from './traceparent.ts';
import { setTracing, type Step, type StepKind, type StepTerms, type Tracing } from './tracing.ts';

const mostMsToEnd = 1000;

export interface TracingTerms {
  /** What this process is called where OTEL_SERVICE_NAME does not say. */
  readonly serviceName: string;
  readonly version: string;
}

/** Loaded only when somebody asks for traces: it costs a start 60 ms and some megabytes. */
async function load() {
  const [api, sdk, resources, otlp] = await Promise.all([import('@opentelemetry/api'), import('@opentelemetry/sdk-trace'), import('@opentelemetry/resources'), import('@opentelemetry/exporter-trace-otlp-http')]);
  return { api, sdk, resources, otlp };
}
type Packages = Awaited<ReturnType<typeof load>>;

/**
 * Begins to trace if the variables ask for it; null if not.
 * @throws SettingError for a variable that is not right
 */
export async function startTracing(variables: OtelVariables, terms: TracingTerms): Promise<Tracing | null> {
  const asked = readOtel(variables);
  if (asked === null) return null;
  const packages = await load();
  const { sdk, resources } = packages;
  const provider = new sdk.TracerProvider({
    sampler: samplerOf(asked, packages),
    resource: resources.defaultResource().merge(resources.resourceFromAttributes({ 'service.version': terms.version, ...asked.resource, 'service.name': asked.serviceName ?? terms.serviceName })),
    spanLimits: { attributeValueLengthLimit: 1000 },
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter: exporterOf(asked, packages), scheduledDelayMillis: asked.delayMs, maxExportBatchSize: Math.min(asked.batchSize, asked.queueSize), maxQueueSize: asked.queueSize })],
  });
  const tracing = new OtelTracing(packages.api, provider, terms.version);
  setTracing(tracing);
  return tracing;
}

function exporterOf({ exporter, url, headers, timeoutMs }: OtelTerms, { sdk, otlp }: Packages): SpanExporter {
  return exporter === 'console' ? new sdk.ConsoleSpanExporter() : new otlp.OTLPTraceExporter({ url, headers: { ...headers }, timeoutMillis: timeoutMs });
}

function samplerOf({ sampler, ratio }: OtelTerms, { sdk }: Packages): Sampler {
  const root = sampler.endsWith('always_on') ? new sdk.AlwaysOnSampler() : sampler.endsWith('always_off') ? new sdk.AlwaysOffSampler() : new sdk.TraceIdRatioBasedSampler(ratio);
  return sampler.startsWith('parentbased_') ? new sdk.ParentBasedSampler({ root }) : root;
}

type Api = Packages['api'];

/** Spans of OpenTelemetry. Which one is under way is kept here and not in the API's global place, so that no other copy of it in the process is in the way. */
class OtelTracing implements Tracing {
  private readonly under = new AsyncLocalStorage<Context>();
  private readonly tracer;

  constructor(
    private readonly api: Api,
    private readonly provider: InstanceType<Packages['sdk']['TracerProvider']>,
    version: string,
  ) {
    this.tracer = provider.getTracer('mainstay', version);
  }

  begin(name: string, { kind = 'internal', attributes = {}, after, at }: StepTerms = {}): Step {
    const { trace, SpanKind } = this.api;
    const kinds: Record<StepKind, number> = { internal: SpanKind.INTERNAL, server: SpanKind.SERVER, client: SpanKind.CLIENT, producer: SpanKind.PRODUCER, consumer: SpanKind.CONSUMER };
    const above = after === undefined ? (this.under.getStore() ?? this.api.ROOT_CONTEXT) : this.contextOf(after);
    const span = this.tracer.startSpan(name, { kind: kinds[kind], attributes, ...(at === undefined ? {} : { startTime: at.from }) }, above);
    return new OtelStep(this.api, this.under, span, trace.setSpan(above, span), at?.to);
  }

  traceparent(): string | null {
    const context = this.under.getStore();
    const span = context === undefined ? undefined : this.api.trace.getSpanContext(context);
    return span === undefined ? null : traceparentOf(span);
  }

  async stop(): Promise<void> {
    setTracing(null);
    // A collector that does not answer must not keep the process.
    await Promise.race([this.provider.shutdown().catch(() => {}), pause(mostMsToEnd, undefined, { ref: false })]);
  }

  private contextOf(traceparent: string | null): Context {
    const parent = readTraceparent(traceparent);
    if (parent === null) return this.api.ROOT_CONTEXT;
    const { traceId, spanId, isSampled } = parent;
    const { TraceFlags, trace, ROOT_CONTEXT } = this.api;
    return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE, isRemote: true });
  }
}

class OtelStep implements Step {
  constructor(
    private readonly api: Api,
    private readonly under: AsyncLocalStorage<Context>,
    private readonly span: Span,
    private readonly context: Context,
    private readonly endsAt: number | undefined,
  ) {}

  get traceparent(): string {
    return traceparentOf(this.span.spanContext());
  }

  note(attributes: Readonly<Record<string, string | number | boolean>>): void {
    this.span.setAttributes(attributes);
  }

  fail(type: string): void {
    this.span.setAttribute('error.type', type);
    this.span.setStatus({ code: this.api.SpanStatusCode.ERROR });
  }

  end(): void {
    this.span.end(this.endsAt);
  }

  within<T>(work: () => T): T {
    return this.under.run(this.context, work);
  }
}

function traceparentOf({ traceId, spanId, traceFlags }: { traceId: string; spanId: string; traceFlags: number }): string {
  return writeTraceparent({ traceId, spanId, isSampled: (traceFlags & 1) === 1 });
}
