import { createHash } from 'node:crypto';
import { isDatabaseError } from './database-faults.ts';
import type { Database } from './database.ts';
import { LeaseLost, type Lease } from './jobs.ts';
import { failedPlace } from './round-trip.ts';
import { openSession } from './session.ts';
import type { Session, Statement } from './statement.ts';

/** A function of the users', and what it is called with. */
export interface FunctionCall {
  readonly schema: string;
  readonly name: string;
  readonly arguments: unknown;
}

/** The SQL that makes a call; the arguments are its only value. */
export type CallText = string;

/**
 * Looks a function up for a role.
 * @throws DatabaseError in whose words it says why the call is not possible: there is no such function, or not for this role
 */
export async function describeCall(database: Database, role: string, call: FunctionCall): Promise<CallText> {
  const values = [role, call.schema, call.name, JSON.stringify(call.arguments)];
  const { rows } = await database.once({ role: null, settings: {} }, { name: 'describe_call', text: 'select mainstay_internal.describe_call($1, $2, $3, $4::jsonb)', values });
  return rows[0]![0]!;
}

/** What a function said of its progress, as JSON text. */
export type OnProgress = (said: string) => void;

const progressCode = 'MS001';
const leaseLostCode = 'MS002';

/** Thrown by `callFunction` for what the function itself threw, as against what came to nothing around it. */
export class FunctionThrew extends Error {
  constructor(override readonly cause: unknown) {
    super('the function failed', { cause });
    this.name = 'FunctionThrew';
  }
}

/**
 * Calls a function as a session says and completes its job, in one transaction and one round trip: what the function did
 * commits with the state `done` or not at all. Says whether other jobs wait for this one.
 * @throws FunctionThrew; LeaseLost; DatabaseError when the role cannot be taken; ConnectionLost, after which it is not known
 *   whether it committed: a second call finds the job done, and takes all it did back
 */
export async function callFunction(database: Database, session: Session, text: CallText, args: unknown, lease: Lease, terms: { signal: AbortSignal; onProgress: OnProgress }): Promise<boolean> {
  const statements: Statement[] = [
    // What a function before this one set for the whole session must not be seen by somebody else's.
    { name: 'reset_all', text: 'reset all', values: [] },
    openSession({ role: session.role, settings: { ...session.settings, 'mainstay.job': lease.jobId } }),
    { name: nameOf(text), text: `select set_config('mainstay.result', (${text})::text, true)`, values: [JSON.stringify(args)] },
    { name: 'leave_role', text: `select set_config('role', 'none', true)`, values: [] },
    { name: 'complete_call', text: 'select mainstay_internal.complete_call($1, $2)', values: [lease.jobId, lease.token] },
  ];
  try {
    const onMessage = ({ code, message }: { code?: string | undefined; message?: string | undefined }): void => {
      if (code === progressCode && message !== undefined) terms.onProgress(message);
    };
    const { rows } = await database.series(statements, { signal: terms.signal, onMessage });
    return rows[0]![0] === 't';
  } catch (error) {
    if (!isDatabaseError(error)) throw error;
    if (error.code === leaseLostCode && failedPlace(error) === statements.length - 1) throw new LeaseLost(lease.jobId);
    const place = failedPlace(error) ?? 0;
    // After the last statement it is the commit that failed: a constraint that the function left to the end.
    throw place < 2 ? error : new FunctionThrew(error);
  }
}

function nameOf(text: CallText): string {
  return `call_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
}
