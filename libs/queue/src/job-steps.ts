import type { ClaimedJob } from '@mainstay/persistence';
import { asStep, tracing, type Step } from '@mainstay/telemetry';

/**
 * Runs an attempt as a step of the trace in which its job was asked for, so that one trace leads from a request to what came of
 * it. How it waited until Bull was told is a step before it: told of now, since only now somebody knows of both.
 */
export function asJobStep<T>(job: ClaimedJob, work: (step: Step | null) => Promise<T>): Promise<T> {
  const traces = tracing();
  if (traces === null) return work(null);
  const now = Date.now();
  const published = traces.begin(`publish ${job.queue}`, { kind: 'producer', after: job.trace, attributes: messaging(job, 'send'), at: { from: now - job.dueMs, to: now - Math.min(job.waitedMs, job.dueMs) } });
  published.end();
  return asStep(`job ${job.kind}`, () => ({ kind: 'consumer', after: published.traceparent, attributes: { ...messaging(job, 'process'), 'mainstay.job.kind': job.kind, 'mainstay.job.attempt': job.attempt } }), work);
}

function messaging({ jobId, queue }: ClaimedJob, operation: 'send' | 'process') {
  return { 'messaging.system': 'mainstay', 'messaging.operation.name': operation, 'messaging.operation.type': operation, 'messaging.destination.name': queue, 'messaging.message.id': jobId };
}
