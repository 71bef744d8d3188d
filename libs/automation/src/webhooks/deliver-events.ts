import { setTimeout as pause } from 'node:timers/promises';
import { OutwardFailure, OutwardRefusal, retryAfterSecondsOf, signWebhook, type Outward, type OutwardAnswer } from '@mainstay/outward';
import {
  asDeliverer, findEndpointAtWork, isConnectionError, rebuildWatchesOf, settleDeliveries, settleHealth, takeDue,
  type BreakerTerms, type Database, type DueDelivery, type EndpointAtWork, type JobError, type Sealing, type Settled, type Transaction,
} from '@mainstay/persistence';
import type { JobRun, Log } from '@mainstay/queue';
import { openHeaders, openSecrets, signing, type EndpointSecret } from './endpoint-secrets.ts';
import { longestRestSeconds, pauseAfter, type RetryPlan } from './retry-plan.ts';
import { webhookIdOf } from './show-webhooks.ts';
import { starred } from './parse-endpoint.ts';
import { writeBody } from './write-body.ts';

export interface DeliveryTerms {
  readonly plan: RetryPlan;
  readonly breaker: BreakerTerms;
  readonly timeoutMs: number;
  /** Most calls under way to one endpoint. */
  readonly concurrency: number;
  /** How long a job without anything to do waits, look by look, before it ends: the next event may come any moment. */
  readonly lingerMs: readonly number[];
}

export interface Delivered {
  readonly delivered: number;
  readonly failed: number;
}

/** So much of an answer is kept. */
const answerBytes = 64 * 1024;
/** So much of what is to be sent is held at once. */
const heldBytes = 8 * 1024 * 1024;
/** How many calls are begun with, before the endpoint has shown that it answers. */
const firstWindow = 4;
/** What was settled is written down when so many are together, or after so long. */
const settledAtOnce = 64;
const settleAfterMs = 15;
/** How often it looks for more while calls are under way. */
const lookAgainMs = 100;
const longestLookMs = 1000;
/** A job that goes on for ever would never give its slot to another endpoint's. */
const sliceMs = 10_000;
const heldBackMs = 25;
const againMs = 250;

/** Sends an endpoint what is due to it: the handler of `deliver-events`. */
export class EventDeliverer {
  constructor(
    private readonly database: Database,
    private readonly outward: Pick<Outward, 'call'>,
    private readonly sealing: Sealing,
    private readonly terms: DeliveryTerms,
    private readonly log: Pick<Log, 'info' | 'warn'>,
    private readonly onEnd: () => void = () => {},
  ) {}

  async deliver(endpointId: string, run: JobRun): Promise<Delivered> {
    try {
      return await new EndpointRun(this.database, this.outward, this.sealing, this.terms, this.log, endpointId, run).run();
    } finally {
      // What came at the last moment needs a job of its own. The feeder sees this one ended only after its completion.
      setTimeout(this.onEnd, 30).unref();
    }
  }
}

interface Keys {
  readonly secrets: readonly EndpointSecret[];
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * One job's deliveries. What is under way lives in memory alone; every outcome is a row, many written in one transaction that is
 * fenced by the job's lease. Whoever dies in between leaves rows that are still queued: they are sent again, under the same id.
 */
class EndpointRun {
  /** What this job has begun, with the row that it is about, until its outcome is written down: else it would be found due again. */
  private readonly begun = new Map<string, string | null>();
  private underWay = 0;
  private settled: Settled[] = [];
  private window = firstWindow;
  /** By the endpoint's own limit, and for that alone. */
  private isHeldBack = false;
  private tokens = { count: 0, at: performance.now() };
  private health = { hasSuccess: false, failures: 0, restSeconds: null as number | null, gone: null as JobError | null };
  private keys: { readonly sealed: string; readonly opened: Keys | null } | null = null;
  private delivered = 0;
  private failed = 0;
  private wake: () => void = () => {};
  private readonly beganAt = performance.now();

  constructor(
    private readonly database: Database,
    private readonly outward: Pick<Outward, 'call'>,
    private readonly sealing: Sealing,
    private readonly terms: DeliveryTerms,
    private readonly log: Pick<Log, 'info' | 'warn'>,
    private readonly endpointId: string,
    private readonly job: JobRun,
  ) {}

  async run(): Promise<Delivered> {
    this.job.signal.addEventListener('abort', () => this.wake(), { once: true });
    let idleTurns = 0;
    let lookMs = lookAgainMs;
    for (;;) {
      const isStopping = this.job.signal.aborted;
      const taken = await this.turn(isStopping || performance.now() - this.beganAt > sliceMs);
      if (isStopping) throw this.job.signal.reason;
      if (taken > 0) {
        idleTurns = 0;
        lookMs = lookAgainMs;
      }
      if (this.isHeldBack) {
        await this.until(heldBackMs);
        continue;
      }
      if (this.underWay === 0 && this.settled.length === 0 && taken <= 0) {
        const lingering = this.terms.lingerMs[idleTurns];
        if (taken < 0 || lingering === undefined) return { delivered: this.delivered, failed: this.failed };
        idleTurns += 1;
        await this.until(lingering);
        continue;
      }
      await this.until(lookMs);
      lookMs = Math.min(lookMs * 1.5, longestLookMs);
    }
  }

  /** Writes down what was settled and begins what there is room for; says how many, -1 where there will be no more. */
  private async turn(isLast: boolean): Promise<number> {
    const settled = this.settled;
    const health = this.health;
    this.settled = [];
    this.health = { hasSuccess: false, failures: 0, restSeconds: null, gone: null };
    const { endpoint, due } = await this.persistently((tx) => this.writeAndTake(tx, settled, health, isLast));
    for (const { eventId } of settled) this.begun.delete(eventId);
    if (health.gone !== null) await this.disabled(health.gone);
    if (endpoint === null) return -1;
    for (const delivery of due) void this.carry(endpoint, delivery);
    return due.length === 0 && (isLast || !endpoint.isOpen) ? -1 : due.length;
  }

  private async writeAndTake(tx: Transaction, settled: readonly Settled[], health: EndpointRun['health'], isLast: boolean): Promise<{ endpoint: EndpointAtWork | null; due: readonly DueDelivery[] }> {
    let endpoint = await findEndpointAtWork(tx, this.endpointId);
    if (endpoint !== null && settled.length > 0) {
      await settleDeliveries(tx, endpoint.no, settled);
      const isNews = health.failures > 0 || health.restSeconds !== null || health.gone !== null || (health.hasSuccess && (endpoint.failures > 0 || endpoint.openings > 0));
      if (isNews) {
        await settleHealth(tx, endpoint.no, health, this.terms.breaker);
        endpoint = await findEndpointAtWork(tx, this.endpointId);
      }
    }
    if (endpoint === null || isLast) this.isHeldBack = false;
    const due = endpoint === null || isLast ? [] : await this.take(tx, endpoint);
    if (settled.length > 0) await this.job.assertLease(tx);
    return { endpoint, due };
  }

  private async take(tx: Transaction, endpoint: EndpointAtWork): Promise<readonly DueDelivery[]> {
    this.isHeldBack = false;
    if (!endpoint.isOpen) return [];
    // Half open: one call tells whether it is well again.
    const window = endpoint.openings > 0 ? 1 : this.window;
    const allowed = this.allowed(endpoint.rate);
    this.isHeldBack = allowed < 1;
    const places = Math.min(window - this.underWay, allowed);
    if (places <= 0) return [];
    if (this.keysOf(endpoint) === null) {
      await settleHealth(tx, endpoint.no, { hasSuccess: false, failures: 0, restSeconds: null, gone: { code: 'secret_not_readable', message: 'The secrets of this endpoint were sealed with another MAINSTAY_SECRET', details: null, hint: 'Make it anew.' } }, this.terms.breaker);
      return [];
    }
    const rows = [...this.begun.values()].filter((row) => row !== null);
    const due = await takeDue(tx, endpoint.no, { underWay: [...this.begun.keys()], rowsUnderWay: rows, places, bytes: heldBytes }, Math.random());
    if (endpoint.rate !== null) this.tokens.count -= due.length;
    return due;
  }

  /** How many the endpoint's own limit lets begin now: it fills up as time goes by, to a second's worth. */
  private allowed(rate: number | null): number {
    if (rate === null) return Infinity;
    const now = performance.now();
    this.tokens = { count: Math.min(rate, this.tokens.count + ((now - this.tokens.at) / 1000) * rate), at: now };
    return Math.floor(this.tokens.count);
  }

  private keysOf({ id, secrets, headers }: EndpointAtWork): Keys | null {
    const sealed = `${secrets} ${headers}`;
    if (this.keys?.sealed !== sealed) {
      const opened = { secrets: openSecrets(this.sealing, id, secrets), headers: openHeaders(this.sealing, id, headers) };
      this.keys = { sealed, opened: opened.secrets === null || opened.headers === null ? null : { secrets: opened.secrets, headers: opened.headers } };
    }
    return this.keys.opened;
  }

  /** One delivery from its call to its outcome. */
  private async carry(endpoint: EndpointAtWork, delivery: DueDelivery): Promise<void> {
    this.begun.set(delivery.eventId, delivery.rowKey);
    this.underWay += 1;
    const outcome = await this.send(endpoint, delivery);
    this.underWay -= 1;
    if (outcome === null) this.begun.delete(delivery.eventId);
    else this.settle(outcome);
    if (this.settled.length >= settledAtOnce || this.underWay === 0) this.wake();
    else if (this.settled.length === 1) setTimeout(() => this.wake(), settleAfterMs);
  }

  private settle(outcome: Settled): void {
    this.settled.push(outcome);
    if (outcome.state === 'done') {
      this.delivered += 1;
      this.health.hasSuccess = true;
      this.health.failures = 0;
      this.window = Math.min(this.window + 1, this.terms.concurrency);
    } else {
      this.failed += 1;
      this.window = Math.max(1, Math.floor(this.window / 2));
    }
  }

  /** Null where it was we who stopped it: that was no try. */
  private async send(endpoint: EndpointAtWork, delivery: DueDelivery): Promise<Settled | null> {
    const at = new Date();
    const { secrets, headers } = this.keysOf(endpoint)!;
    const body = writeBody(delivery);
    const signed = { 'content-type': 'application/json', 'user-agent': 'Mainstay-Webhooks', ...signWebhook({ id: webhookIdOf(endpoint.id, delivery.eventId), timestampSeconds: Math.floor(at.getTime() / 1000), body, secrets: signing(secrets, at) }) };
    const about = { eventId: delivery.eventId, attempts: delivery.attempts + 1, at: at.toISOString(), url: endpoint.url, requestHeaders: { ...Object.fromEntries(Object.keys(headers).map((name) => [name, starred])), ...signed } };
    try {
      const answer = await this.outward.call({ method: 'POST', url: endpoint.url, headers: { ...headers, ...signed }, body, timeoutMs: this.terms.timeoutMs, maxAnswerBytes: answerBytes, signal: this.job.signal });
      return { ...about, ...answered(answer), ...this.judge(delivery, answer) };
    } catch (error) {
      if (this.job.signal.aborted) return null;
      return { ...about, ...unanswered(error), ...this.judgeFailure(delivery, errorOf(error)) };
    }
  }

  private judge(delivery: DueDelivery, answer: OutwardAnswer): Pick<Settled, 'state' | 'afterSeconds' | 'error'> {
    const { status, headers } = answer;
    if (status >= 200 && status < 300) return { state: 'done', afterSeconds: null, error: null };
    const error = refusalOf(status);
    if (status === 410) {
      this.health.gone = error;
      return { state: 'dead', afterSeconds: null, error };
    }
    const asked = retryAfterSecondsOf(headers['retry-after'], Date.now());
    const isBusy = (status === 429 || status === 503) && asked !== null;
    // It is there and says when to come again: all its deliveries wait so long, and the breaker need not learn it.
    if (isBusy) this.health.restSeconds = Math.max(this.health.restSeconds ?? 0, Math.min(asked, longestRestSeconds));
    return this.judgeFailure(delivery, error, asked, isBusy);
  }

  private judgeFailure({ attempts }: DueDelivery, error: JobError, retryAfterSeconds: number | null = null, isBusy = false): Pick<Settled, 'state' | 'afterSeconds' | 'error'> {
    if (!isBusy) this.health.failures += 1;
    const afterSeconds = pauseAfter(this.terms.plan, attempts + 1, retryAfterSeconds, Math.random());
    return { state: afterSeconds === null ? 'dead' : 'queued', afterSeconds, error };
  }

  private async disabled(reason: JobError): Promise<void> {
    this.log.warn({ endpoint: this.endpointId, code: reason.code }, 'webhook endpoint disabled');
    await this.database.transaction(asDeliverer, (tx) => rebuildWatchesOf(tx, this.endpointId)).catch((error: Error) => this.log.warn({ endpoint: this.endpointId, error: error.message }, 'triggers of a disabled endpoint not made anew'));
  }

  /** While the database is away, what was settled is kept as long as the job is ours: else it would all be sent again. */
  private async persistently<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await this.database.transaction(asDeliverer, work);
      } catch (error) {
        if (!isConnectionError(error) || this.job.signal.aborted) throw error;
        await pause(againMs);
      }
    }
  }

  private until(ms: number): Promise<void> {
    if (this.settled.length >= settledAtOnce) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function answered({ status, headers, body, isCut, ms }: OutwardAnswer): Pick<Settled, 'status' | 'answerHeaders' | 'answerBody' | 'isCut' | 'ms'> {
  return { status, answerHeaders: headers, answerBody: body.toString('base64'), isCut, ms };
}

function unanswered(error: unknown): Pick<Settled, 'status' | 'answerHeaders' | 'answerBody' | 'isCut' | 'ms'> {
  return { status: null, answerHeaders: null, answerBody: null, isCut: false, ms: error instanceof OutwardFailure ? error.ms : 0 };
}

function errorOf(error: unknown): JobError {
  if (error instanceof OutwardFailure) return { code: error.code, message: error.message, details: null, hint: null };
  if (error instanceof OutwardRefusal) return { code: error.code, message: error.message, details: null, hint: error.hint };
  return { code: 'unexpected', message: `The call could not be made: ${error instanceof Error ? error.message : String(error)}`, details: null, hint: null };
}

function refusalOf(status: number): JobError {
  if (status === 410) return { code: 'endpoint_gone', message: 'The receiver answered 410: it is gone for good', details: null, hint: 'Nothing is written down for this endpoint until it is resumed.' };
  if (status >= 300 && status < 400) return { code: 'redirect_refused', message: `The receiver answered ${status}: a redirect is not followed`, details: null, hint: 'Give the endpoint the address to which it leads.' };
  return { code: 'status_not_ok', message: `The receiver answered ${status}`, details: null, hint: null };
}
