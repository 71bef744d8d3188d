import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '@mainstay/domain';
import { callRoutine, isDatabaseError, type Accounts, type OpenAccounts } from '@mainstay/persistence';
import { fault } from './faults.ts';
import { mostHookBytes, postHook } from './hook-http.ts';
import type { HookName, HookTarget } from './hook-targets.ts';

/** How long a function in the database may take. */
const sqlLimitMs = 2000;

/** A project's own word at certain moments: a function in its database or a service of its own is asked, and its answer holds. */
export class Hooks {
  private readonly lastMs = new Map<HookName, number>();

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
    const answer = readObject(target.kind === 'http' ? await postHook(target, JSON.stringify(input)) : await this.call(target, input, tx));
    this.lastMs.set(name, performance.now() - startedAt);
    refuseObjection(answer);
    return answer;
  }

  /** Takes as long as the hook took last: who cannot be asked about must not be told from who can. */
  async pretend(name: HookName): Promise<void> {
    if (this.has(name)) await sleep(this.lastMs.get(name) ?? 0);
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

/** `{"error": {"http_code": 403, "message": "…"}}`: the hook's own answer to the client. */
function refuseObjection({ error }: Readonly<Record<string, unknown>>): void {
  if (typeof error !== 'object' || error === null) return;
  const { http_code: given, message } = error as { http_code?: unknown; message?: unknown };
  const text = typeof message === 'string' ? message : '';
  if (text === '' && (given === undefined || given === 0)) return;
  const status = typeof given === 'number' && Number.isInteger(given) && given >= 400 && given <= 599 ? given : 500;
  throw fault(status >= 500 ? 'unexpected_failure' : 'unknown', { status, message: text });
}

/** Of a refresh a client takes any 4xx for the end of its session; a hook that failed is only away. */
export function asPassing(error: unknown): unknown {
  return error instanceof Fault && error.code.startsWith('hook_') ? fault(error.code as 'hook_timeout', { status: 503, message: error.message, headers: { 'retry-after': '1' }, cause: error }) : error;
}
