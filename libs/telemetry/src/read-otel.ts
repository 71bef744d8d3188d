import { SettingError } from '@mainstay/config';

/** The variables of OpenTelemetry, by the rest of their name after `OTEL_`. */
export type OtelVariables = Readonly<Record<string, string>>;

export type SamplerName = (typeof samplers)[number];
const samplers = ['always_on', 'always_off', 'traceidratio', 'parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'] as const;

/** What the variables ask for. */
export interface OtelTerms {
  readonly exporter: 'otlp' | 'console';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly serviceName: string | null;
  readonly resource: Readonly<Record<string, string>>;
  readonly sampler: SamplerName;
  readonly ratio: number;
  readonly delayMs: number;
  readonly batchSize: number;
  readonly queueSize: number;
}

/**
 * Reads the standard variables. Null unless one of them asks for traces: an exporter, or a place to send them to.
 * @throws SettingError in one sentence for what is not right, or what is not to be had here
 */
export function readOtel(given: OtelVariables): OtelTerms | null {
  const read = (name: string): string | null => given[name]?.trim() || null;
  if (read('SDK_DISABLED')?.toLowerCase() === 'true') return null;
  const endpoint = read('EXPORTER_OTLP_ENDPOINT');
  const tracesEndpoint = read('EXPORTER_OTLP_TRACES_ENDPOINT');
  const exporter = read('TRACES_EXPORTER') ?? (endpoint === null && tracesEndpoint === null ? 'none' : 'otlp');
  if (exporter === 'none') return null;
  if (exporter !== 'otlp' && exporter !== 'console') throw wrong('TRACES_EXPORTER', exporter, 'otlp, console or none');
  refuseProtocol(read('EXPORTER_OTLP_TRACES_PROTOCOL') ?? read('EXPORTER_OTLP_PROTOCOL'));
  const resource = pairs('RESOURCE_ATTRIBUTES', read('RESOURCE_ATTRIBUTES'));
  return {
    exporter,
    // The general one is a root; the one for traces is used as it is.
    url: urlOf(tracesEndpoint ?? `${(endpoint ?? 'http://localhost:4318').replace(/\/+$/, '')}/v1/traces`),
    headers: { ...pairs('EXPORTER_OTLP_HEADERS', read('EXPORTER_OTLP_HEADERS')), ...pairs('EXPORTER_OTLP_TRACES_HEADERS', read('EXPORTER_OTLP_TRACES_HEADERS')) },
    timeoutMs: number('EXPORTER_OTLP_TIMEOUT', read('EXPORTER_OTLP_TRACES_TIMEOUT') ?? read('EXPORTER_OTLP_TIMEOUT'), 10_000, 1, 600_000),
    serviceName: read('SERVICE_NAME') ?? resource['service.name'] ?? null,
    resource,
    sampler: samplerOf(read('TRACES_SAMPLER') ?? 'parentbased_always_on'),
    ratio: number('TRACES_SAMPLER_ARG', read('TRACES_SAMPLER_ARG'), 1, 0, 1),
    delayMs: number('BSP_SCHEDULE_DELAY', read('BSP_SCHEDULE_DELAY'), 5000, 1, 600_000),
    batchSize: number('BSP_MAX_EXPORT_BATCH_SIZE', read('BSP_MAX_EXPORT_BATCH_SIZE'), 512, 1, 100_000),
    queueSize: number('BSP_MAX_QUEUE_SIZE', read('BSP_MAX_QUEUE_SIZE'), 2048, 1, 1_000_000),
  };
}

function wrong(name: string, value: string, right: string): SettingError {
  return new SettingError(`OTEL_${name} "${value}" is not right: it must be ${right}.`);
}

/** Every collector takes JSON at the address at which it takes protobuf; gRPC is another port. */
function refuseProtocol(protocol: string | null): void {
  if (protocol !== null && protocol !== 'http/json' && protocol !== 'http/protobuf') throw wrong('EXPORTER_OTLP_PROTOCOL', protocol, 'http/json (port 4318 of a collector); gRPC is not spoken');
}

function urlOf(text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text)) throw wrong('EXPORTER_OTLP_ENDPOINT', text, 'a URL that begins with http:// or https://');
  return text;
}

function samplerOf(name: string): SamplerName {
  const found = samplers.find((each) => each === name);
  if (found === undefined) throw wrong('TRACES_SAMPLER', name, `one of ${samplers.join(', ')}`);
  return found;
}

function number(name: string, text: string | null, usual: number, min: number, max: number): number {
  if (text === null) return usual;
  const value = Number(text);
  if (!(value >= min && value <= max)) throw wrong(name, text, `a number from ${min} to ${max}`);
  return value;
}

/** `name=value,name=value`, percent-encoded as the baggage header is. */
function pairs(name: string, text: string | null): Record<string, string> {
  if (text === null) return {};
  return Object.fromEntries(text.split(',').filter((pair) => pair.trim() !== '').map((pair) => {
    const equals = pair.indexOf('=');
    // A header may be a secret, so the value is not shown.
    if (equals < 1) throw new SettingError(`OTEL_${name} is not right: it must be name=value pairs, separated by commas.`);
    return [pair.slice(0, equals).trim(), decode(pair.slice(equals + 1).trim())];
  }));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (_notEncoded) {
    return text;
  }
}
