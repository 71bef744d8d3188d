import { IsDefined, IsNumberString, IsString, IsUUID } from 'class-validator';

/** The kinds of work that may wait together; each is one Bull queue with its own concurrency. */
export const queues = {
  transfers: { concurrency: 2 },
  mail: { concurrency: 4 },
  upkeep: { concurrency: 32 },
  /** Functions of the users' own, in SQL. */
  functions: { concurrency: 10 },
  /** Calls to the world outside that users ask for. */
  calls: { concurrency: 64 },
  webhooks: { concurrency: 64 },
  exports: { concurrency: 2 },
  /** SQL that schedules run, of pg_cron too; each has a database connection of its own. */
  commands: { concurrency: 8 },
} as const satisfies Record<string, { concurrency: number }>;
export type QueueName = keyof typeof queues;

export interface Contract<P extends object> {
  /** The payload's class: `consume` checks what it reads against its decorators. */
  readonly payload: new () => P;
  readonly queue: QueueName;
  /** How often it is tried before it is dead. */
  readonly attempts: number;
  /** Two open jobs of a kind with the same key are one job. */
  readonly keyOf: (payload: P) => string | null;
  /** The database's `statement_timeout` while the handler runs. */
  readonly timeoutSeconds: number;
}

/** Writes the rows of an uploaded file into its collection, as the caller who sent it. */
export class ImportRows {
  @IsUUID()
  importId!: string;
}

/** Sends a mail that was written with the change that needs it, by SMTP. */
export class SendMessage {
  @IsUUID()
  messageId!: string;
}

/** Makes the file of an export, as the caller who asked for it. */
export class ExportRows {
  @IsUUID()
  exportId!: string;
}

/** Sends an endpoint what is due to it, one delivery after the other and many at once, until nothing is. */
export class DeliverEvents {
  @IsUUID()
  endpointId!: string;
}

/** Calls a URL that somebody asked for, as its row says. */
export class SendRequest {
  @IsUUID()
  requestId!: string;
}

/** Carries nothing: sweeps away what is over (imports, exports, jobs, idempotency keys, uploads that never ended, messages, codes and counters). */
export class SweepOver {}

/** Calls a function of the users' own, as who asked for it. */
export class CallFunction {
  @IsString()
  schema!: string;

  @IsString()
  name!: string;

  @IsDefined()
  arguments!: unknown;
}

/** Runs the SQL of one slot of a schedule, as the schedule’s role. */
export class RunCommand {
  @IsNumberString({ no_symbols: true })
  slotId!: string;
}

/** Does nothing; measures the engine (`npm run bench`) and shows that a worker is making progress. */
export class Ping {}

function contract<P extends object>(payload: new () => P, terms: Partial<Omit<Contract<P>, 'payload'>> & { queue: QueueName }): Contract<P> {
  return { payload, attempts: 5, keyOf: () => null, timeoutSeconds: 900, ...terms };
}

/** All that is agreed about the jobs of the house, in one place: api and worker both read it. */
export const jobs = {
  'import-rows': contract(ImportRows, { queue: 'transfers', attempts: 8, keyOf: (p) => p.importId }),
  'send-message': contract(SendMessage, { queue: 'mail', attempts: 12, keyOf: (p) => p.messageId, timeoutSeconds: 30 }),
  'export-rows': contract(ExportRows, { queue: 'exports', attempts: 5, keyOf: (p) => p.exportId }),
  'call-function': contract(CallFunction, { queue: 'functions' }),
  'send-request': contract(SendRequest, { queue: 'calls', attempts: 12, timeoutSeconds: 30 }),
  'deliver-events': contract(DeliverEvents, { queue: 'webhooks', attempts: 5, keyOf: (p) => p.endpointId, timeoutSeconds: 60 }),
  'run-command': contract(RunCommand, { queue: 'commands', keyOf: (p) => p.slotId }),
  'sweep-over': contract(SweepOver, { queue: 'upkeep', attempts: 3, keyOf: () => 'sweep' }),
  ping: contract(Ping, { queue: 'upkeep', attempts: 3 }),
};

export type JobKind = keyof typeof jobs;
export type PayloadOf<K extends JobKind> = InstanceType<(typeof jobs)[K]['payload']>;

export function isJobKind(kind: string): kind is JobKind {
  return Object.hasOwn(jobs, kind);
}
