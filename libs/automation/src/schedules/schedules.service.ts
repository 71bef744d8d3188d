import { checkSentHeaders, OutwardRefusal } from '@mainstay/outward';
import { isService, ownerOf, type Caller, type Claims } from '@mainstay/domain';
import {
  deleteSchedule, findRun, findSchedule, hasSchedule, isDatabaseError, listRuns, listSchedules, ownSessionOf, putSchedule, runScheduleNow, withIdempotency,
  type Database, type KeptAnswer, type KeyedRequest, type OwnSchedule, type ScheduleDraft, type ScheduleFilters, type ScheduleRun, type Transaction,
} from '@mainstay/persistence';
import { makeClockwork, nextRun } from './next-runs.ts';
import { CronRefusal, parseCron } from './parse-cron.ts';
import { refuseLists } from './refuse-lists.ts';
import { scheduleFault } from './schedule-faults.ts';

/** The filters of a list as they stand in a query. */
export type ScheduleQuery = Readonly<Partial<Record<'name' | 'kind' | 'origin' | 'state' | 'limit' | 'before', string>>>;

/** A schedule with what the clock makes of it. */
export type ShownSchedule = Omit<OwnSchedule, 'anchor_at'> & { readonly next_runs?: readonly Date[] };

const defaultLimit = 50;
const mostAtOnce = 500;
const shownRuns = 5;

/** Schedules as their owner has them; all of them for the service key. Row policies decide whose they are. */
export class SchedulesService {
  constructor(private readonly database: Database) {}

  list(caller: Caller, query: ScheduleQuery): Promise<ShownSchedule[]> {
    const filters = parseFilters(query);
    return this.asOwner(caller, async (tx) => (await listSchedules(tx, filters)).map((schedule) => show(schedule)));
  }

  find(caller: Caller, id: string): Promise<ShownSchedule> {
    return this.asOwner(caller, async (tx) => showWhole(await mustFind(tx, id)));
  }

  runs(caller: Caller, id: string, query: ScheduleQuery): Promise<ScheduleRun[]> {
    refuseLists(query);
    const { state, before } = query;
    if (state !== undefined && !runStates.includes(state)) throw scheduleFault('schedule_filter_not_valid', { message: `"${state}" is no state of a run`, hint: `States: ${runStates.join(', ')}` });
    if (before !== undefined && !/^\d{1,18}$/.test(before)) throw scheduleFault('schedule_filter_not_valid', { message: `"before" must be the id of a run, not "${before}"` });
    return this.asOwner(caller, async (tx) => {
      await mustFind(tx, id);
      return listRuns(tx, id, { ...(state === undefined ? {} : { state }), ...(before === undefined ? {} : { before }), limit: parseLimit(query.limit) });
    });
  }

  create(caller: Caller, body: unknown, keyed: KeyedRequest | null): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
    return this.change(caller, keyed, async (tx) => {
      const draft = draftOf(body, blank);
      const owner = ownerOf(caller)!;
      if (await hasSchedule(tx, owner, draft.name)) throw scheduleFault('schedule_exists', { details: draft.name, hint: 'Change it by PATCH /schedules/v1/<id>.' });
      const id = await put(tx, draft, { owner, role: caller.role, claims: { ...caller.claims, role: caller.role } });
      return { status: 201, headers: { location: `/schedules/v1/${id}` }, body: showWhole(await mustFind(tx, id)) };
    });
  }

  /** Whoever changes another's schedule (with the service key) leaves it that one's, and it goes on to act as them. */
  update(caller: Caller, id: string, body: unknown, keyed: KeyedRequest | null): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
    return this.change(caller, keyed, async (tx) => {
      const known = await mustOwn(tx, id);
      const draft = draftOf(body, known);
      if (draft.name !== known.name) throw scheduleFault('schedule_not_valid', { message: 'The name of a schedule stays: make a new one' });
      const isOwn = known.owner === ownerOf(caller);
      await put(tx, draft, { owner: known.owner, role: isOwn ? caller.role : null, claims: isOwn ? { ...caller.claims, role: caller.role } : null });
      return { status: 200, headers: {}, body: showWhole(await mustFind(tx, id)) };
    });
  }

  pause(caller: Caller, id: string, keyed: KeyedRequest | null): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
    return this.update(caller, id, { is_paused: true }, keyed);
  }

  /** What fell into the pause is not made up for. */
  resume(caller: Caller, id: string, keyed: KeyedRequest | null): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
    return this.update(caller, id, { is_paused: false }, keyed);
  }

  /** Runs it beside its slots, and whatever else of it runs. */
  runNow(caller: Caller, id: string, keyed: KeyedRequest | null): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
    return this.change(caller, keyed, async (tx) => {
      await mustFind(tx, id);
      const run = await findRun(tx, await runScheduleNow(tx, id));
      const jobId = run?.job_id ?? null;
      const headers: Record<string, string> = jobId === null ? {} : { location: `/jobs/v1/${jobId}` };
      return { status: 202, headers, body: run };
    });
  }

  delete(caller: Caller, id: string, keyed: KeyedRequest | null): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
    return this.change(caller, keyed, async (tx) => {
      await mustOwn(tx, id);
      await deleteSchedule(tx, id);
      return { status: 204, headers: {}, body: null };
    });
  }

  private change(caller: Caller, keyed: KeyedRequest | null, work: (tx: Transaction) => Promise<{ status: number; headers: Record<string, string>; body: unknown }>): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
    return this.asOwner(caller, async (tx) => {
      const make = async (): Promise<KeptAnswer> => {
        const { status, headers, body } = await work(tx);
        return { status, headers, body: body === null ? null : JSON.stringify(body) };
      };
      return keyed === null ? { ...(await make()), isReplayed: false } : withIdempotency(tx, keyed, make);
    });
  }

  private async asOwner<T>(caller: Caller, work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (ownerOf(caller) === null && !isService(caller)) throw scheduleFault('schedule_needs_caller');
    return this.database.transaction(ownSessionOf(caller), work);
  }
}

async function mustFind(tx: Transaction, id: string): Promise<OwnSchedule> {
  const schedule = isUuid(id) ? await findSchedule(tx, id) : null;
  if (schedule === null) throw scheduleFault('schedule_not_found', { details: id });
  return schedule;
}

/** One that is changed here, and not by the functions of pg_cron. */
async function mustOwn(tx: Transaction, id: string): Promise<OwnSchedule> {
  const schedule = await mustFind(tx, id);
  if (schedule.origin !== 'own') throw scheduleFault('schedule_of_pg_cron', { hint: 'Change it in SQL: cron.alter_job, cron.unschedule.' });
  return schedule;
}

/** What PostgreSQL says of a schedule that is none is meant for who made it. */
async function put(tx: Transaction, draft: ScheduleDraft, acting: { owner: string | null; role: string | null; claims: Claims | null }): Promise<string> {
  try {
    return await tx.savepoint(() => putSchedule(tx, draft, acting));
  } catch (error) {
    if (!isDatabaseError(error) || !/^(22|42|54|0A)/.test(error.code ?? '')) throw error;
    throw scheduleFault('schedule_not_valid', { status: error.code === '42501' ? 403 : 422, message: error.message, details: error.detail ?? null, hint: error.hint ?? null, cause: error });
  }
}

const blank: ScheduleDraft = {
  name: '', cron: '', time_zone: 'UTC', function: null, arguments: null, sql: null, url: null, method: null, headers: null, body: null,
  missed: 'once', overlap: 'skip', max_attempts: null, queue: null, priority: 0, is_paused: false,
};

const texts = ['name', 'cron', 'time_zone', 'function', 'sql', 'url', 'method', 'missed', 'overlap', 'queue'] as const;
const numbers = ['max_attempts', 'priority'] as const;
const anything = ['arguments', 'headers', 'body'] as const;
const targets = ['function', 'sql', 'url'] as const;

/** Reads what a body says over what is known; another target takes the place of the one before. */
function draftOf(body: unknown, known: ScheduleDraft): ScheduleDraft {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw notValid('The body must be a JSON object');
  const said = body as Record<string, unknown>;
  const fields: readonly string[] = [...texts, ...numbers, ...anything, 'is_paused'];
  for (const name of Object.keys(said)) if (!fields.includes(name)) throw notValid(`"${name}" is no field of a schedule`, { hint: `Fields: ${fields.join(', ')}` });
  for (const name of texts) if (said[name] !== undefined && said[name] !== null && typeof said[name] !== 'string') throw notValid(`"${name}" must be text`);
  for (const name of numbers) if (said[name] !== undefined && said[name] !== null && !Number.isSafeInteger(said[name])) throw notValid(`"${name}" must be a whole number`);
  if (said['is_paused'] !== undefined && typeof said['is_paused'] !== 'boolean') throw notValid('"is_paused" must be true or false');
  checkHeaders(said['headers']);
  const hasTarget = targets.some((name) => typeof said[name] === 'string');
  const kept = hasTarget ? { function: null, arguments: null, sql: null, url: null, method: null, headers: null, body: null } : {};
  const given = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
  const draft = { ...pick(known), ...kept, ...given } as ScheduleDraft;
  if ((draft.name ?? '').trim() === '') throw notValid('"name" is missing');
  if (targets.filter((name) => draft[name] !== null).length !== 1) throw notValid('A schedule needs exactly one of "function", "sql" and "url"');
  checkCron(draft.cron ?? '');
  return { ...draft, missed: draft.missed ?? blank.missed, overlap: draft.overlap ?? blank.overlap, time_zone: draft.time_zone ?? blank.time_zone, priority: draft.priority ?? 0 };
}

function pick(known: ScheduleDraft): ScheduleDraft {
  return Object.fromEntries(Object.keys(blank).map((name) => [name, known[name as keyof ScheduleDraft]])) as unknown as ScheduleDraft;
}

function checkHeaders(headers: unknown): void {
  if (headers === undefined || headers === null) return;
  const isObject = typeof headers === 'object' && !Array.isArray(headers);
  if (!isObject || !Object.values(headers).every((value) => typeof value === 'string')) throw notValid('"headers" must be an object of texts');
  try {
    checkSentHeaders(headers as Record<string, string>);
  } catch (error) {
    if (!(error instanceof OutwardRefusal)) throw error;
    throw notValid(error.message, { details: { field: 'headers' } });
  }
}

function checkCron(cron: string): void {
  try {
    parseCron(cron);
  } catch (error) {
    if (!(error instanceof CronRefusal)) throw error;
    throw notValid(`"${cron}" is no schedule: ${error.message}`, {
      details: { field: 'cron', at: error.at },
      hint: 'Five fields as cron has them, six with seconds first, @daily and its like, or an interval such as "30 seconds".',
    });
  }
}

function notValid(message: string, more: { details?: unknown; hint?: string } = {}): Error {
  return scheduleFault('schedule_not_valid', { message, ...more });
}

function show({ anchor_at: _, last_run: last, ...schedule }: OwnSchedule): ShownSchedule {
  return { ...schedule, last_run: last === null ? null : { ...last, id: String(last.id), ...Object.fromEntries(runTimes.map((name) => [name, last[name] === null ? null : new Date(last[name])])) } };
}

/** JSON that the database makes writes times and large numbers in its own way. */
const runTimes = ['slot', 'created_at', 'started_at', 'finished_at'] as const;

/** The next runs as the clock has them now: a worker works out the first of them, and may not have come to it yet. */
function showWhole(schedule: OwnSchedule): ShownSchedule {
  const runs = schedule.is_paused || schedule.trouble !== null ? [] : upcoming(schedule);
  return { ...show(schedule), next_run_at: runs[0] ?? null, next_runs: runs };
}

function upcoming({ cron, time_zone: zone, origin, anchor_at: anchor, next_run_at: known }: OwnSchedule): Date[] {
  const clockwork = makeClockwork(cron, zone, new Date(Math.floor(anchor.getTime() / 1000) * 1000), origin === 'pg_cron' ? 'pg_cron' : 'mainstay');
  const runs: Date[] = [];
  // The database's own clock stands behind the time that is known; this process's may differ.
  const from = known === null ? new Date() : new Date(known.getTime() - 1);
  for (let run = nextRun(clockwork, from); run !== null && runs.length < shownRuns; run = nextRun(clockwork, run)) runs.push(run);
  return runs;
}

const runStates: readonly string[] = ['waiting', 'queued', 'running', 'skipped', 'done', 'failed', 'dead', 'cancelled'];
const choices = { kind: ['function', 'sql', 'url'], origin: ['own', 'pg_cron'], state: ['active', 'paused', 'troubled'] } as const;

function parseFilters(query: ScheduleQuery): ScheduleFilters {
  refuseLists(query);
  for (const [name, values] of Object.entries(choices)) {
    const said = query[name as keyof typeof choices];
    if (said !== undefined && !(values as readonly string[]).includes(said)) throw scheduleFault('schedule_filter_not_valid', { message: `"${name}" must be one of ${values.join(', ')}, not "${said}"` });
  }
  if (query.before !== undefined && !isUuid(query.before)) throw scheduleFault('schedule_filter_not_valid', { message: `"before" must be the id of a schedule, not "${query.before}"` });
  const { name, kind, origin, state, before } = query;
  return Object.fromEntries(Object.entries({ name, kind, origin, state, before, limit: parseLimit(query.limit) }).filter(([, value]) => value !== undefined)) as unknown as ScheduleFilters;
}

function parseLimit(text: string | undefined): number {
  if (text === undefined) return defaultLimit;
  const limit = Number(text);
  if (!/^\d+$/.test(text) || limit < 1 || limit > mostAtOnce) throw scheduleFault('schedule_filter_not_valid', { message: `"limit" must be a whole number from 1 to ${mostAtOnce}, not "${text}"` });
  return limit;
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text);
}
