export { Histogram, quickBounds, slowBounds } from './histogram.ts';
export { startTracing, type TracingTerms } from './start-tracing.ts';
export { readTraceparent, writeTraceparent, type TraceParent } from './traceparent.ts';
export { asStep, setTracing, tracing, typeOfError, type Attributes, type Step, type StepKind, type StepTerms, type Tracing } from './tracing.ts';
