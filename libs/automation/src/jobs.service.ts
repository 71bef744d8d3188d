import { isOpen, isService, jobStates, ownerOf, type Caller, type JobState } from '@mainstay/domain';
import {
  cancelJob, findJob, isDatabaseError, listJobs, ownSessionOf, retryJob, withIdempotency,
  type Database, type JobFilters, type KeptAnswer, type KeyedRequest, type OwnJob, type Transaction,
} from '@mainstay/persistence';
import { jobFault } from './job-faults.ts';

/** The filters of a list as they stand in a query. */
export interface JobQuery {
  readonly state?: string;
  readonly kind?: string;
  readonly limit?: string;
  readonly before?: string;
}

const defaultLimit = 50;
const mostAtOnce = 500;

/** Jobs as their owner has them: to look at, to cancel, to send again. Row policies decide whose they are. */
export class JobsService {
  constructor(private readonly database: Database) {}

  list(caller: Caller, query: JobQuery): Promise<OwnJob[]> {
    const filters = { ...parseFilters(query), ...(isService(caller) ? {} : { owner: ownerOf(caller) ?? '' }) };
    return this.asOwner(caller, (tx) => listJobs(tx, filters));
  }

  async find(caller: Caller, id: string): Promise<OwnJob> {
    return this.asOwner(caller, (tx) => mustFind(tx, id));
  }

  /** After this no effect of the job commits any more, though its worker may take a moment to notice. */
  cancel(caller: Caller, id: string, keyed: KeyedRequest | null = null): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
    return this.change(caller, keyed, async (tx) => {
      const { state } = await mustFind(tx, id);
      const cancelled = isOpen(state) ? await cancelJob(tx, id) : null;
      if (cancelled === null) throw jobFault('job_is_over', { details: `It is ${(await mustFind(tx, id)).state}.` });
      return cancelled;
    });
  }

  /** Sends a job again that is dead, failed or cancelled, with its attempts anew. */
  retry(caller: Caller, id: string, keyed: KeyedRequest | null = null): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
    return this.change(caller, keyed, async (tx) => {
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

  private change(caller: Caller, keyed: KeyedRequest | null, work: (tx: Transaction) => Promise<OwnJob>): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
    return this.asOwner(caller, async (tx) => {
      const make = async (): Promise<KeptAnswer> => ({ status: 200, headers: {}, body: JSON.stringify(await work(tx)) });
      return keyed === null ? { ...(await make()), isReplayed: false } : withIdempotency(tx, keyed, make);
    });
  }

  private async asOwner<T>(caller: Caller, work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (ownerOf(caller) === null) throw jobFault('job_needs_caller');
    return this.database.transaction(ownSessionOf(caller), work);
  }
}

async function mustFind(tx: Transaction, id: string): Promise<OwnJob> {
  const job = isUuid(id) ? await findJob(tx, id) : null;
  if (job === null) throw jobFault('job_not_found', { details: id });
  return job;
}

function parseFilters({ state, kind, limit, before }: JobQuery): JobFilters {
  if (state !== undefined && !jobStates.includes(state as JobState)) {
    throw jobFault('job_filter_not_valid', { message: `"${state}" is no state of a job`, hint: `States: ${jobStates.join(', ')}` });
  }
  if (kind !== undefined && !/^[a-z][a-z0-9-]*$/.test(kind)) throw jobFault('job_filter_not_valid', { message: '"kind" must be the name of a kind of job, such as "import-rows"' });
  if (before !== undefined && !isUuid(before)) throw jobFault('job_filter_not_valid', { message: `"before" must be the id of a job, not "${before}"` });
  return { state: state as JobState | undefined, kind, before, limit: parseLimit(limit) };
}

function parseLimit(text: string | undefined): number {
  if (text === undefined) return defaultLimit;
  const limit = Number(text);
  if (!/^\d+$/.test(text) || limit < 1 || limit > mostAtOnce) throw jobFault('job_filter_not_valid', { message: `"limit" must be a whole number from 1 to ${mostAtOnce}, not "${text}"` });
  return limit;
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text);
}
