import { isOpen, isService, ownerOf, type Caller, type Fault, type JobState } from '@mainstay/domain';
import {
  actingAs, cancelJob, countJobs, enqueueFunction, findJob, isDatabaseError, listJobs, ownSessionOf, retryJob, retryJobs, withIdempotency,
  type Database, type JobSearch, type KeptAnswer, type KeyedRequest, type OwnJob, type Transaction,
} from '@mainstay/persistence';
import { jobFault } from './job-faults.ts';
import { isUuid, objectOf, parseCall, parseFilters, parseSearch, type JobQuery } from './parse-job.ts';

type Kept = KeptAnswer & { readonly isReplayed: boolean };

/** Jobs of other kinds than calls of functions that a body may ask for; gives the job's id. */
export type AskForOther = (tx: Transaction, caller: Caller, body: Readonly<Record<string, unknown>>, trace: string | null) => Promise<string>;

const retriedAtOnce = 500;
const retryForMs = 5000;

/** Jobs as their owner has them: to ask for, to look at, to cancel, to send again. Row policies decide whose they are. */
export class JobsService {
  constructor(
    private readonly database: Database,
    /** Bodies with a `url`. */
    private readonly askForRequest: AskForOther | null = null,
  ) {}

  list(caller: Caller, query: JobQuery): Promise<OwnJob[]> {
    const filters = { ...parseFilters(query), ...ownOnly(caller) };
    return this.asOwner(caller, (tx) => listJobs(tx, filters));
  }

  /** How many there are in each state. */
  async count(caller: Caller, query: JobQuery): Promise<Record<JobState, number>> {
    const search = { ...parseSearch({ ...query }), ...ownOnly(caller) };
    const counts = await this.asOwner(caller, (tx) => countJobs(tx, search));
    return { queued: 0, running: 0, done: 0, failed: 0, dead: 0, cancelled: 0, ...Object.fromEntries(counts) };
  }

  async find(caller: Caller, id: string): Promise<OwnJob> {
    return this.asOwner(caller, (tx) => mustFind(tx, id));
  }

  /** Writes a job down; a worker does it after this has been answered. `trace` is the request's own traceparent. */
  ask(caller: Caller, body: unknown, keyed: KeyedRequest | null, trace: string | null): Promise<Kept> {
    const asked = objectOf(body);
    const ask = asked['url'] !== undefined && this.askForRequest !== null ? this.askForRequest : askForCall;
    return this.change(caller, keyed, 202, async (tx) => mustFind(tx, await ask(tx, caller, asked, trace)));
  }

  /** After this no effect of the job commits any more, though its worker may take a moment to notice. */
  cancel(caller: Caller, id: string, keyed: KeyedRequest | null = null): Promise<Kept> {
    return this.change(caller, keyed, 200, async (tx) => {
      const { state } = await mustFind(tx, id);
      const cancelled = isOpen(state) ? await cancelJob(tx, id) : null;
      if (cancelled === null) throw jobFault('job_is_over', { details: `It is ${(await mustFind(tx, id)).state}.` });
      return cancelled;
    });
  }

  /** Sends a job again that is dead, failed or cancelled, with its attempts anew. */
  retry(caller: Caller, id: string, keyed: KeyedRequest | null = null): Promise<Kept> {
    return this.change(caller, keyed, 200, async (tx) => {
      const { state } = await mustFind(tx, id);
      if (isOpen(state)) throw jobFault('job_is_open', { details: `It is ${state}.` });
      if (state === 'done') throw jobFault('job_is_done');
      const sent = await retryJob(tx, id).catch((error: unknown) => {
        throw isDatabaseError(error) && error.code === '23505' ? jobFault('job_has_successor', { cause: error }) : error;
      });
      if (sent === null) throw jobFault('job_is_open', { details: 'Somebody else has just sent it again.' });
      return sent;
    });
  }

  /** Sends all again that a search finds, some in each transaction; what is left after a while is left to the next request. */
  async retryAll(caller: Caller, body: unknown): Promise<{ readonly retried: number; readonly is_complete: boolean }> {
    const search = parseSearch(objectOf(body));
    if (search.state === undefined || search.state === 'done' || isOpen(search.state)) {
      throw jobFault('job_filter_not_valid', { message: '"state" must say which are sent again: dead, failed or cancelled' });
    }
    const wanted = { ...search, state: search.state, ...ownOnly(caller) };
    return this.retrySome(caller, wanted);
  }

  private async retrySome(caller: Caller, search: JobSearch & { readonly state: JobState }): Promise<{ readonly retried: number; readonly is_complete: boolean }> {
    const end = performance.now() + retryForMs;
    let retried = 0;
    for (;;) {
      const sent = await this.asOwner(caller, (tx) => retryJobs(tx, search, retriedAtOnce));
      retried += sent;
      if (sent === 0) return { retried, is_complete: true };
      if (performance.now() > end) return { retried, is_complete: false };
    }
  }

  private change(caller: Caller, keyed: KeyedRequest | null, status: number, work: (tx: Transaction) => Promise<OwnJob>): Promise<Kept> {
    return this.asOwner(caller, async (tx) => {
      const make = async (): Promise<KeptAnswer> => {
        const job = await work(tx);
        return { status, headers: status === 202 ? { location: `/jobs/v1/${job.id}` } : {}, body: JSON.stringify(job) };
      };
      return keyed === null ? { ...(await make()), isReplayed: false } : withIdempotency(tx, keyed, make);
    });
  }

  private async asOwner<T>(caller: Caller, work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (ownerOf(caller) === null) throw jobFault('job_needs_caller');
    return this.database.transaction(ownSessionOf(caller), work);
  }
}

async function askForCall(tx: Transaction, caller: Caller, body: Readonly<Record<string, unknown>>, trace: string | null): Promise<string> {
  return enqueueFunction(tx, parseCall(body), actingAs(caller), trace).catch((error: unknown) => {
    throw refusalOf(error) ?? error;
  });
}

/** What the database refuses a job for, in its own words. */
function refusalOf(error: unknown): Fault | null {
  if (!isDatabaseError(error)) return null;
  const more = { message: error.message, details: error.detail ?? null, hint: error.hint ?? null, cause: error };
  if (error.code === '42883') return jobFault('function_not_found', more);
  if (error.code === '42501') return jobFault('function_not_allowed', more);
  // Class 22 is also what JSON may hold and PostgreSQL's text may not.
  return error.code === '42725' || error.code?.startsWith('22') ? jobFault('job_not_valid', more) : null;
}

function ownOnly(caller: Caller): { readonly owner?: string } {
  return isService(caller) ? {} : { owner: ownerOf(caller) ?? '' };
}

async function mustFind(tx: Transaction, id: string): Promise<OwnJob> {
  const job = isUuid(id) ? await findJob(tx, id) : null;
  if (job === null) throw jobFault('job_not_found', { details: id });
  return job;
}
