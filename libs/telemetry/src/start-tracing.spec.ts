import { setTimeout as pause } from 'node:timers/promises';
import { OtlpReceiver } from '@mainstay/testing';
import { startTracing } from './start-tracing.ts';
import { asStep, tracing, type Tracing } from './tracing.ts';

describe('tracing', () => {
  let receiver: OtlpReceiver;
  let started: Tracing | null = null;
  const start = async (more: Record<string, string> = {}): Promise<Tracing> => (started = (await startTracing({ EXPORTER_OTLP_ENDPOINT: receiver.url, ...more }, { serviceName: 'mainstay-api', version: '1.2.3' }))!);

  beforeEach(async () => {
    receiver = await OtlpReceiver.start();
  });
  afterEach(async () => {
    await started?.stop();
    started = null;
    receiver.stop();
  });

  it('is off unless it is asked for, and costs nothing then', async () => {
    expect(await startTracing({}, { serviceName: 'x', version: '1' })).toBeNull();
    expect(tracing()).toBeNull();
    expect(await asStep('a step', () => { throw new Error('nobody asks for the terms'); }, async (step) => step)).toBeNull();
  });

  it('sends steps below each other, also over a wait', async () => {
    const traces = await start({ SERVICE_NAME: 'shop', EXPORTER_OTLP_HEADERS: 'x-tenant=7' });
    await asStep('outer', () => ({ kind: 'server' as const, attributes: { 'http.route': '/x' } }), async () => {
      await pause(5);
      await asStep('inner', () => ({ kind: 'client' as const }), async (step) => {
        expect(step!.traceparent).toBe(tracing()!.traceparent());
      });
    });
    await traces.stop();
    const [outer, inner] = [receiver.named('outer'), receiver.named('inner')];
    expect(inner).toMatchObject({ traceId: outer.traceId, parentSpanId: outer.spanId, kind: 3 });
    expect(outer).toMatchObject({ kind: 2, attributes: [{ key: 'http.route', value: { stringValue: '/x' } }] });
    expect(outer.service).toBe('shop');
    expect(receiver.requests[0]).toMatchObject({ path: '/v1/traces', 'x-tenant': '7' });
  });

  it('goes on with the trace of another process, and does as it did', async () => {
    const traces = await start();
    const of = (flags: string): string => `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-${flags}`;
    traces.begin('sampled', { after: of('01') }).end();
    traces.begin('not sampled', { after: of('00') }).end();
    traces.begin('told of afterwards', { after: of('01'), at: { from: 1_700_000_000_000, to: 1_700_000_000_500 } }).end();
    await traces.stop();
    expect(receiver.named('sampled')).toMatchObject({ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', parentSpanId: '00f067aa0ba902b7' });
    expect(receiver.spans.map(({ name }) => name)).not.toContain('not sampled');
    expect(receiver.named('told of afterwards')).toMatchObject({ startTimeUnixNano: '1700000000000000000', endTimeUnixNano: '1700000000500000000' });
  });

  it('says of what went wrong its kind and not its words', async () => {
    const traces = await start();
    await expect(asStep('wrong', () => ({}), () => Promise.reject(Object.assign(new Error('ada@example.com is taken'), { code: '23505' })))).rejects.toThrow();
    await traces.stop();
    expect(receiver.named('wrong')).toMatchObject({ status: { code: 2 }, attributes: [{ key: 'error.type', value: { stringValue: '23505' } }] });
    expect(JSON.stringify(receiver.spans)).not.toContain('ada@');
  });

  it('leaves out the share that the sampler says', async () => {
    const traces = await start({ TRACES_SAMPLER: 'traceidratio', TRACES_SAMPLER_ARG: '0' });
    traces.begin('none of these').end();
    await traces.stop();
    expect(receiver.spans).toEqual([]);
  });
});
