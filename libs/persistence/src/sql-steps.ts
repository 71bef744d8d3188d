import { asStep, tracing } from '@mainstay/telemetry';

/**
 * Runs a statement as a step of the trace under way. Outside of any, such as where the relay looks again and again, it is only
 * run. Of the statement its verb alone is told: a text may hold values.
 */
export function asSqlStep<T>(text: string, work: () => Promise<T>): Promise<T> {
  if (!isUnderWay()) return work();
  const operation = operationOf(text);
  return asStep(operation, () => ({ kind: 'client', attributes: { 'db.system.name': 'postgresql', 'db.operation.name': operation } }), work);
}

/** A whole transaction as one step; what it runs comes below it. */
export function asTransactionStep<T>(work: () => Promise<T>): Promise<T> {
  if (!isUnderWay()) return work();
  return asStep('transaction', () => ({ kind: 'client', attributes: { 'db.system.name': 'postgresql', 'db.operation.name': 'TRANSACTION' } }), work);
}

/** Enqueues a job as a step of the trace under way; `work` is given the trace in which the job goes on. */
export function asEnqueueStep<T>(kind: string, work: (trace: string | null) => Promise<T>): Promise<T> {
  if (!isUnderWay()) return work(null);
  return asStep(`enqueue ${kind}`, () => ({ kind: 'producer', attributes: { 'messaging.system': 'mainstay', 'messaging.operation.name': 'create', 'messaging.operation.type': 'create', 'mainstay.job.kind': kind } }), (step) => work(step!.traceparent));
}

function isUnderWay(): boolean {
  const traces = tracing();
  return traces !== null && traces.traceparent() !== null;
}

function operationOf(text: string): string {
  return /^[\s(]*([a-z]+)/i.exec(text)?.[1]?.toUpperCase() ?? 'SQL';
}
