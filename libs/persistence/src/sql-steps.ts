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

function isUnderWay(): boolean {
  const traces = tracing();
  return traces !== null && traces.traceparent() !== null;
}

function operationOf(text: string): string {
  return /^[\s(]*([a-z]+)/i.exec(text)?.[1]?.toUpperCase() ?? 'SQL';
}
