import { readOtel } from './read-otel.ts';

describe('the variables of OpenTelemetry', () => {
  it.each([
    ['nothing', {}],
    ['no exporter', { TRACES_EXPORTER: 'none', EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }],
    ['all of it off', { SDK_DISABLED: 'true', EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }],
    ['a name alone', { SERVICE_NAME: 'shop' }],
  ])('with %s ask for no traces', (_what, given) => {
    expect(readOtel(given)).toBeNull();
  });

  it.each([
    ['the exporter', { TRACES_EXPORTER: 'otlp' }, 'http://localhost:4318/v1/traces'],
    ['a collector', { EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' }, 'http://collector:4318/v1/traces'],
    ['a place for traces', { EXPORTER_OTLP_ENDPOINT: 'http://other', EXPORTER_OTLP_TRACES_ENDPOINT: 'https://traces.example/in' }, 'https://traces.example/in'],
  ])('with %s send them to it', (_what, given, url) => {
    expect(readOtel(given)).toMatchObject({ exporter: 'otlp', url, sampler: 'parentbased_always_on', ratio: 1 });
  });

  it('are read whole', () => {
    const given = {
      TRACES_EXPORTER: 'otlp',
      SERVICE_NAME: 'shop',
      RESOURCE_ATTRIBUTES: 'deployment.environment.name=blue%20sky,service.namespace=acme',
      EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20x',
      EXPORTER_OTLP_TRACES_HEADERS: 'x-tenant=7',
      TRACES_SAMPLER: 'parentbased_traceidratio',
      TRACES_SAMPLER_ARG: '0.25',
      BSP_SCHEDULE_DELAY: '50',
    };
    expect(readOtel(given)).toMatchObject({
      serviceName: 'shop',
      resource: { 'deployment.environment.name': 'blue sky', 'service.namespace': 'acme' },
      headers: { authorization: 'Bearer x', 'x-tenant': '7' },
      sampler: 'parentbased_traceidratio',
      ratio: 0.25,
      delayMs: 50,
    });
  });

  it.each([
    [{ TRACES_EXPORTER: 'zipkin' }, 'OTEL_TRACES_EXPORTER "zipkin" is not right: it must be otlp, console or none.'],
    [{ TRACES_EXPORTER: 'otlp', EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL "grpc" is not right: it must be http/json (port 4318 of a collector); gRPC is not spoken.'],
    [{ EXPORTER_OTLP_ENDPOINT: 'collector:4318' }, 'OTEL_EXPORTER_OTLP_ENDPOINT "collector:4318/v1/traces" is not right: it must be a URL that begins with http:// or https://.'],
    [{ TRACES_EXPORTER: 'otlp', TRACES_SAMPLER: 'some' }, 'OTEL_TRACES_SAMPLER "some" is not right: it must be one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio.'],
    [{ TRACES_EXPORTER: 'otlp', TRACES_SAMPLER_ARG: '2' }, 'OTEL_TRACES_SAMPLER_ARG "2" is not right: it must be a number from 0 to 1.'],
    [{ TRACES_EXPORTER: 'otlp', EXPORTER_OTLP_HEADERS: 'secret' }, 'OTEL_EXPORTER_OTLP_HEADERS is not right: it must be name=value pairs, separated by commas.'],
  ])('that are wrong are refused in a sentence: %j', (given, sentence) => {
    expect(() => readOtel(given as never)).toThrow(sentence);
  });
});
