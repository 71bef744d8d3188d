import { asStep, tracing } from '@mainstay/telemetry';
import type { OutwardAnswer, OutwardCall } from './outward-call.ts';
import { parseTarget } from './parse-target.ts';

/**
 * Makes a call as a step of the trace under way, and sends the trace along, unless the call brings one of its own. Told are host
 * and status: a path or a query may hold a secret.
 */
export function asOutwardStep(call: OutwardCall, make: (call: OutwardCall) => Promise<OutwardAnswer>): Promise<OutwardAnswer> {
  if (tracing() === null) return make(call);
  const terms = () => {
    const { host, port } = parseTarget(call.url);
    return { kind: 'client' as const, attributes: { 'http.request.method': call.method, 'server.address': host, 'server.port': port } };
  };
  return asStep(call.method, terms, async (step) => {
    const hasTrace = Object.keys(call.headers).some((name) => name.toLowerCase() === 'traceparent');
    const answer = await make(hasTrace ? call : { ...call, headers: { ...call.headers, traceparent: step!.traceparent } });
    step!.note({ 'http.response.status_code': answer.status });
    if (answer.status >= 400) step!.fail(String(answer.status));
    return answer;
  });
}
