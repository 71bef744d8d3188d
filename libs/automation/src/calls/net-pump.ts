import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Outward } from '@mainstay/outward';
import {
  claimNetRequests, dropNetRequest, freeNetRequests, Gathered, isConnectionError, isDatabaseError, isNetOurs, PoolTimeout, returnNetRequests, sayNetAsleep, settleNetRequests, sweepNetAnswers,
  type Database, type NetAnswer, type NetRequest,
} from '@mainstay/persistence';
import { Drowsiness, WakefulLoop, type Log } from '@mainstay/queue';
import { curlWords } from './curl-words.ts';
import { textOf } from './readable-answer.ts';

export interface NetPumpTerms {
  /** Runs what role `postgres` asked for: a project may have triggers on the answers. */
  readonly commands: Database;
  /** The worker's own. */
  readonly database: Database;
  readonly outward: Outward;
  readonly log: Log;
  readonly keepSeconds: number;
  readonly mostAnswerBytes: number;
}

/** Requests under way in one worker, and of these to one host; to one that does not answer, only so many. */
const mostAtOnce = 256;
const perHost = 64;
const perSilentHost = 8;

const awakePollMs = 20;
const drowsyMs = 500;
const retryMs = 500;
const gatherMs = 5;
const freeMs = 2000;
const sweepMs = 60_000;
const settleForMs = 10_000;
const graceMs = 1500;
/** As long as a timer goes. */
const longestRestMs = 2 ** 31 - 1;

/**
 * Sends what SQL has written down by `net.http_get` and its like, after the commit and at least once: a claim is a lease in the
 * request's own row, and the answer takes the row's place. Rows of their own and not jobs: a project sends thousands of them and
 * looks at the answers for six hours, so none of them needs a history.
 */
export class NetPump {
  private readonly token = randomUUID();
  private readonly underWay = new Map<string, NetRequest>();
  private readonly perHostUnderWay = new Map<string, number>();
  /** Hosts whose last request timed out. */
  private readonly silentHosts = new Set<string>();
  private readonly settlements: Gathered<NetAnswer, null>;
  private readonly aborter = new AbortController();
  private afterHost = '';
  private isMore = false;
  /** Null until the database was asked whether it has pg_net itself. */
  private isOurs: boolean | null = null;
  private freedAt = -Infinity;
  private sweptAt = -Infinity;
  private readonly drowsiness: Drowsiness;
  private readonly loop: WakefulLoop;

  constructor(private readonly terms: NetPumpTerms) {
    this.settlements = new Gathered(async (answers) => {
      await settleNetRequests(terms.commands, this.token, answers);
      return answers.map(() => null);
    });
    this.drowsiness = new Drowsiness({ awakePollMs, drowsyMs, say: (isAsleep) => sayNetAsleep(terms.database, isAsleep) });
    this.loop = new WakefulLoop({ pass: () => this.pass(), retryMs, log: terms.log, words: { failing: 'requests of pg_net not sent', well: 'requests of pg_net sent again' } });
  }

  start(): void {
    this.loop.start();
  }

  /** A request was written down: more may follow, so it stays awake for a while. */
  wake(): void {
    this.drowsiness.stir();
    this.loop.wake();
  }

  /** Lets requests end for a moment, and gives the rest back to the other workers. */
  async stop(): Promise<void> {
    await this.loop.stop();
    await this.drowsiness.sleepForGood();
    const end = performance.now() + graceMs;
    while (this.underWay.size > 0 && performance.now() < end) await pause(20);
    const unsent = [...this.underWay.keys()];
    this.aborter.abort();
    if (unsent.length > 0) await returnNetRequests(this.terms.commands, this.token, unsent).catch(ignoreLost);
  }

  private async findOut(): Promise<boolean> {
    const isOurs = await isNetOurs(this.terms.database);
    if (!isOurs) this.terms.log.info({}, 'the server has pg_net itself');
    return isOurs;
  }

  private async pass(): Promise<number> {
    this.isOurs ??= await this.findOut();
    if (!this.isOurs) return longestRestMs;
    await this.tidy();
    const places = mostAtOnce - this.underWay.size;
    const claimed = places > 0 ? await this.claim(places) : [];
    for (const request of claimed) void this.carryOut(request);
    // As many as there was room for: there will be more as soon as there is room again.
    this.isMore = claimed.length > 0 || places <= 0;
    if (claimed.length === 0 || this.underWay.size >= mostAtOnce) return this.drowsiness.rest(claimed.length > 0 || this.underWay.size > 0);
    // A claim costs the same for one as for many: let some of them end first.
    await pause(gatherMs);
    return 0;
  }

  private async claim(places: number): Promise<NetRequest[]> {
    const free = new Map([...this.silentHosts].map((host) => [host, perSilentHost]));
    for (const [host, count] of this.perHostUnderWay) free.set(host, Math.max(0, (free.get(host) ?? perHost) - count));
    const claimed = await claimNetRequests(this.terms.commands, { token: this.token, places, afterHost: this.afterHost, perHost, free });
    this.afterHost = claimed.at(-1)?.host ?? this.afterHost;
    for (const request of claimed) {
      this.underWay.set(request.id, request);
      this.perHostUnderWay.set(request.host, (this.perHostUnderWay.get(request.host) ?? 0) + 1);
    }
    return claimed;
  }

  /** What every worker does from time to time: more often would bring nothing, and twice does no harm. */
  private async tidy(): Promise<void> {
    const now = performance.now();
    if (now - this.freedAt > freeMs) {
      this.freedAt = now;
      const freed = await freeNetRequests(this.terms.commands);
      if (freed > 0) this.terms.log.warn({ requests: freed }, 'requests of a lost worker are sent again');
    }
    if (now - this.sweptAt > sweepMs) {
      this.sweptAt = now;
      await sweepNetAnswers(this.terms.commands, this.terms.keepSeconds);
    }
  }

  private async carryOut(request: NetRequest): Promise<void> {
    const answer = await this.send(request);
    if (this.aborter.signal.aborted) return;
    try {
      await this.settle(answer);
    } finally {
      this.ended(request, answer.hasTimedOut);
    }
  }

  private ended({ id, host }: NetRequest, hasTimedOut: boolean): void {
    this.underWay.delete(id);
    const left = (this.perHostUnderWay.get(host) ?? 1) - 1;
    if (left > 0) this.perHostUnderWay.set(host, left);
    else this.perHostUnderWay.delete(host);
    if (hasTimedOut) this.silentHosts.add(host);
    else this.silentHosts.delete(host);
    if (this.isMore && this.underWay.size <= mostAtOnce * 0.8) this.loop.wake();
  }

  private async send({ id, method, url, headers, body, timeoutMs }: NetRequest): Promise<NetAnswer> {
    const { outward, mostAnswerBytes } = this.terms;
    const nothing = { id, statusCode: null, contentType: null, headers: null, content: null };
    try {
      const target = withoutUser(url);
      const answer = await outward.call({
        method,
        url: target.url,
        headers: { 'user-agent': 'pg_net/0.20.0 (Mainstay)', ...target.headers, ...textsOf(headers) },
        body,
        timeoutMs,
        maxAnswerBytes: mostAnswerBytes,
        signal: this.aborter.signal,
      });
      const error = answer.isCut ? `The answer is longer than ${mostAnswerBytes} bytes and was cut` : null;
      return { id, statusCode: answer.status, contentType: answer.headers['content-type'] ?? null, headers: answer.headers, content: textOf(answer), hasTimedOut: false, error };
    } catch (error) {
      return { ...nothing, ...curlWords(error, timeoutMs) };
    }
  }

  /** Writes the answer down, also when the database is away for a while; after that the lease runs out, and the request is sent again. */
  private async settle(answer: NetAnswer): Promise<void> {
    const end = performance.now() + settleForMs;
    for (;;) {
      try {
        await this.settlements.ask(answer);
        return;
      } catch (error) {
        if (isDatabaseError(error)) return this.drop(answer, error);
        if (!isConnectionError(error) && !(error instanceof PoolTimeout)) throw error;
        if (performance.now() > end) return;
        await pause(250);
      }
    }
  }

  /** A trigger of the project's refuses the answer: the request was sent, and must not be sent for ever. */
  private async drop({ id }: NetAnswer, error: Error): Promise<void> {
    this.terms.log.warn({ request: id, error: error.message }, 'answer to a request of pg_net not kept');
    await dropNetRequest(this.terms.commands, this.token, id).catch(ignoreLost);
  }
}

/** curl takes the name and password of a URL for the header; the guard takes none in a URL. */
function withoutUser(text: string): { readonly url: string; readonly headers: Record<string, string> } {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.username === '' && url.password === '')) return { url: text, headers: {} };
  const user = Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString('base64');
  Object.assign(url, { username: '', password: '' });
  return { url: url.href, headers: { authorization: `Basic ${user}` } };
}

function textsOf(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const given = Object.entries(headers).filter(([, value]) => value !== null);
  return Object.fromEntries(given.map(([name, value]) => [name.toLowerCase(), typeof value === 'string' ? value : JSON.stringify(value)]));
}

/** Whatever was not said is found out by the others. */
function ignoreLost(): void {}
