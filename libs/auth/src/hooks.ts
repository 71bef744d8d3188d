import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '@mainstay/domain';
import { callRoutine, isDatabaseError, type Accounts, type OpenAccounts } from '@mainstay/persistence';
import { fault } from './faults.ts';
import { mostHookBytes, postHook } from './hook-http.ts';
import type { HookName, HookTarget } from './hook-targets.ts';

/** How long a function in the database may take. */
const sqlLimitMs = 2000;

/** As many of a hook's last questions are kept in mind. */
const remembered = 16;

/** What a question came to: how long it took, and whether it failed. A refusal is the hook's own word on somebody, and no failure. */
interface Outcome {
  readonly ms: number;
  readonly failure: unknown;
}

/** A project's own word at certain moments: a function in its database or a service of its own is asked, and its answer holds. */
export class Hooks {
  private readonly outcomes = new Map<HookName, Outcome[]>();

  constructor(
    private readonly accounts: Pick<Accounts, 'transaction'> | null,
    private readonly targets: ReadonlyMap<HookName, HookTarget>,
  ) {}

  has(name: HookName): boolean {
    return this.targets.has(name);
  }

  /**
   * Asks a hook; null where there is none. A function runs in the transaction that is given, or in one of its own.
   * @throws Fault as the hook words it, or as GoTrue says that it failed
   */
  async ask(name: HookName, input: object, tx?: OpenAccounts): Promise<Readonly<Record<string, unknown>> | null> {
    const target = this.targets.get(name);
    if (target === undefined) return null;
    const startedAt = performance.now();
    let failure: unknown = null;
    try {
      const answer = readObject(target.kind === 'http' ? await postHook(target, JSON.stringify(input)) : await this.call(target, input, tx));
      refuseObjection(answer);
      return answer;
    } catch (error) {
      if (!(error instanceof Objection)) failure = error;
      throw error instanceof Objection ? error.fault : error;
    } finally {
      this.remember(name, { ms: performance.now() - startedAt, failure });
    }
  }

  /**
   * Does as the hook lately did, in time and in failure: who cannot be asked about must not be told from who can.
   * @throws Fault with which the last question failed
   */
  async pretend(name: HookName): Promise<void> {
    const outcomes = this.outcomes.get(name);
    if (outcomes === undefined || outcomes.length === 0) return;
    const failure = outcomes.at(-1)!.failure;
    // A failure takes its own time: a service that is away has to be waited for, one that says 500 has not.
    const alike = outcomes.filter((outcome) => (outcome.failure === null) === (failure === null));
    await sleep(alike[randomInt(alike.length)]!.ms);
    if (failure !== null) throw failure;
  }

  private remember(name: HookName, outcome: Outcome): void {
    const outcomes = this.outcomes.get(name) ?? [];
    this.outcomes.set(name, [...outcomes.slice(1 - remembered), outcome]);
  }

  private async call(target: Extract<HookTarget, { kind: 'sql' }>, input: object, tx: OpenAccounts | undefined): Promise<string> {
    const { schema, routine, uri } = target;
    const run = (open: OpenAccounts): Promise<string | null> => callRoutine(open, { schema, routine, input: JSON.stringify(input), limitMs: sqlLimitMs });
    try {
      const text = await (tx === undefined ? this.accounts!.transaction(run) : run(tx));
      if (text !== null && Buffer.byteLength(text) >= mostHookBytes) throw fault('hook_payload_over_size_limit', { message: `Payload size exceeded size limit of ${mostHookBytes} bytes` });
      return text ?? '';
    } catch (error) {
      if (!isDatabaseError(error)) throw error;
      if (error.code === '57014') throw fault('hook_timeout', { message: `Failed to reach hook within maximum time of ${(sqlLimitMs / 1000).toFixed(6)} seconds`, cause: error });
      throw fault('unexpected_failure', { message: `Error running hook URI: ${uri}`, cause: error });
    }
  }
}

export const noHooks = new Hooks(null, new Map());

function readObject(text: string): Readonly<Record<string, unknown>> {
  if (text === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fault('unexpected_failure', { message: 'Error unmarshaling JSON output.', cause });
  }
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw fault('unexpected_failure', { message: 'Error unmarshaling JSON output.' });
  return value as Readonly<Record<string, unknown>>;
}

/** The hook's own answer to the client. */
class Objection extends Error {
  constructor(readonly fault: Fault) {
    super(fault.message);
  }
}

/** `{"error": {"http_code": 403, "message": "…"}}`. @throws Objection */
function refuseObjection({ error }: Readonly<Record<string, unknown>>): void {
  if (typeof error !== 'object' || error === null) return;
  const { http_code: given, message } = error as { http_code?: unknown; message?: unknown };
  const text = typeof message === 'string' ? message : '';
  if (text === '' && (given === undefined || given === 0)) return;
  const status = typeof given === 'number' && Number.isInteger(given) && given >= 400 && given <= 599 ? given : 500;
  throw new Objection(fault(status >= 500 ? 'unexpected_failure' : 'unknown', { status, message: text }));
}

/** Of a refresh a client takes any 4xx for the end of its session; a hook that failed is only away. */
export function asPassing(error: unknown): unknown {
  return error instanceof Fault && error.code.startsWith('hook_') ? fault(error.code as 'hook_timeout', { status: 503, message: error.message, headers: { 'retry-after': '1' }, cause: error }) : error;
}
