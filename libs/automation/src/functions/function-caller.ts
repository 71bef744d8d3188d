import { Fault, faultsOf, type CallFunction } from '@mainstay/domain';
import { callFunction, describeCall, FunctionThrew, isDatabaseError, type CallText, type Database, type DatabaseError, type Lease } from '@mainstay/persistence';
import { TryAgain, type JobRun, type Progress } from '@mainstay/queue';

/** Why a function was not called, or what it did came to nothing. */
export const functionFaults = {
  role_not_possible: { status: 403, message: 'A worker cannot act as the role that asked for this job' },
  function_not_callable: { status: 422, message: 'The function cannot be called any more as it was asked for' },
  result_too_large: { status: 422, message: 'The function returned more than a job keeps' },
  took_too_long: { status: 504, message: 'The function took longer than a job may' },
} as const;

const fault = faultsOf(functionFaults);

/** These may say that the call itself is not possible; a function may throw them too. */
const perhapsNotCallable = new Set(['42883', '42725', '42501', '3F000', '42P02', '42P13', '42703', '42704', '42809', '0A000']);
const mostTexts = 1000;

/** Calls the users' own functions: the handler of `call-function`. */
export class FunctionCaller {
  private readonly texts = new Map<string, CallText>();

  /** `commands` is the pool for what `postgres` asked for: a function can always RESET ROLE to its login. */
  constructor(
    private readonly worker: Database,
    private readonly commands: Database,
  ) {}

  async run(call: CallFunction, run: JobRun): Promise<null> {
    await this.lookUp(call, run.role, false);
    run.completeBy((lease) => this.callAndComplete(call, run, lease));
    return null;
  }

  private async callAndComplete(call: CallFunction, run: JobRun, lease: Lease): Promise<boolean> {
    const text = await this.lookUp(call, run.role, false);
    try {
      return await this.attempt(text, call, run, lease);
    } catch (error) {
      if (!(error instanceof FunctionThrew)) throw error;
      // Rolled back. It may have been made anew since it was looked up, or taken away: the second look tells.
      if (!isNotCallable(error.cause)) throw worded(error.cause);
      const fresh = await this.lookUp(call, run.role, true);
      if (fresh === text) throw worded(error.cause);
      return this.attempt(fresh, call, run, lease).catch((again: unknown) => {
        throw again instanceof FunctionThrew ? worded(again.cause) : again;
      });
    }
  }

  private async attempt(text: CallText, call: CallFunction, run: JobRun, lease: Lease): Promise<boolean> {
    const database = run.role === 'postgres' ? this.commands : this.worker;
    try {
      return await callFunction(database, run.session, text, call.arguments, lease, { signal: run.signal, onProgress: (said) => run.progress(JSON.parse(said) as Progress) });
    } catch (error) {
      if (isDatabaseError(error)) throw fault('role_not_possible', { details: error.message, hint: `GRANT "${run.role}" TO ${run.role === 'postgres' ? 'mainstay_commands' : 'mainstay_worker'};`, cause: error });
      throw error;
    }
  }

  /** @throws Fault when there is no such function for this role */
  private async lookUp(call: CallFunction, role: string, isAnew: boolean): Promise<CallText> {
    const key = JSON.stringify([call.schema, call.name, shapeOf(call.arguments)]);
    const known = this.texts.get(key);
    if (known !== undefined && !isAnew) return known;
    try {
      const text = await describeCall(this.worker, role, call);
      if (this.texts.size >= mostTexts) this.texts.clear();
      this.texts.set(key, text);
      return text;
    } catch (error) {
      this.texts.delete(key);
      if (!isDatabaseError(error) || !/^(42|22|0A)/.test(error.code ?? '')) throw error;
      throw fault('function_not_callable', { message: error.message, details: error.detail ?? null, hint: error.hint ?? null, cause: error });
    }
  }
}

/** The text of a call depends on which arguments are given, not on their values. */
function shapeOf(args: unknown): unknown {
  return typeof args === 'object' && args !== null && !Array.isArray(args) ? Object.keys(args).sort() : null;
}

function isNotCallable(error: unknown): boolean {
  return isDatabaseError(error) && perhapsNotCallable.has(error.code ?? '');
}

/** What a function threw, as its owner reads it: the words that a call by `/rest/v1/rpc` would answer. */
function worded(error: unknown): unknown {
  if (!isDatabaseError(error)) return error;
  const { code = 'XX000', message, detail, hint } = error;
  const more = { details: detail ?? null, hint: hint ?? null, cause: error };
  if (code === 'MS003') return fault('result_too_large', more);
  if (code === '57014') return fault('took_too_long', { ...more, details: message });
  // Nothing is wrong with the function: it met another transaction.
  if (code === '40001' || code === '40P01') return new TryAgain(message, { afterSeconds: 0.05 + Math.random() * 0.5, code, ...more });
  return new Fault(code, { status: statusOf(error), message }, more);
}

/** `RAISE … USING ERRCODE = 'PT422'` says a status, as in the data API: a 4xx refuses the job for good. Anything else may pass. */
function statusOf({ code = '' }: DatabaseError): number {
  return Number(/^PT([45]\d\d)$/.exec(code)?.[1] ?? 500);
}
