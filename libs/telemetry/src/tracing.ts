/** What is said of a step: never a value of a row, a query string, a token or a mail address. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

export type StepKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

export interface StepTerms {
  readonly kind?: StepKind;
  readonly attributes?: Attributes;
  /** The `traceparent` of what this step follows; without one, the step that is under way here. */
  readonly after?: string | null;
  /** When it began and ended, in milliseconds since 1970, for a step that is told of afterwards. */
  readonly at?: { readonly from: number; readonly to: number };
}

/** A step of a trace (a span) that is under way. */
export interface Step {
  /** To be sent along, so that the other side goes on with this trace. */
  readonly traceparent: string;
  note(attributes: Attributes): void;
  /** It went wrong: `type` is a code or the name of a class, never a message, which may hold values. */
  fail(type: string): void;
  end(): void;
  /** Runs something as a part of this step: what it begins comes below it, also after it waited. */
  within<T>(work: () => T): T;
}

/** The traces of this process. */
export interface Tracing {
  begin(name: string, terms?: StepTerms): Step;
  /** The `traceparent` of the step under way here, null for none. */
  traceparent(): string | null;
  /** Sends what has not been sent, and ends. */
  stop(): Promise<void>;
}

let current: Tracing | null = null;

/** The traces of this process; null when nobody asked for any, and then nothing of OpenTelemetry is loaded. */
export function tracing(): Tracing | null {
  return current;
}

/** From here on this process traces, or no more. */
export function setTracing(tracing: Tracing | null): void {
  current = tracing;
}

/** Runs a piece of work as one step of the trace under way; without tracing it is only run. */
export async function asStep<T>(name: string, terms: () => StepTerms, work: (step: Step | null) => Promise<T>): Promise<T> {
  if (current === null) return work(null);
  const step = current.begin(name, terms());
  try {
    return await step.within(() => work(step));
  } catch (error) {
    step.fail(typeOfError(error));
    throw error;
  } finally {
    step.end();
  }
}

/** A code where there is one (PostgreSQL's, a fault's, Node's), else the name of the class. */
export function typeOfError(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : typeof name === 'string' ? name : 'error';
}
