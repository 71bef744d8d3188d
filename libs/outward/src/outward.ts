import type { Settings } from '@mainstay/config';
import type { Dispatcher } from 'undici';
import { canonicalAddress, whyNotPublic } from './address-ranges.ts';
import { AllowList } from './allow-list.ts';
import { checkBody, checkHeaders, checkMethod } from './check-request.ts';
import { Connections } from './connections.ts';
import { Deadline } from './deadline.ts';
import { failureOf } from './failure-of.ts';
import { asOutwardStep } from './outward-step.ts';
import type { OutwardAnswer, OutwardCall } from './outward-call.ts';
import { parseTarget, type Target } from './parse-target.ts';
import { OutwardFailure, OutwardRefusal } from './refusals.ts';
import { NameResolver, type LookUp } from './resolve-name.ts';
import { isPacked, readAtMost, unpackAtMost } from './unpack.ts';

export interface OutwardTerms {
  /** `public`: where a row or a caller says where to go. `anywhere`: where the operator's own configuration does. */
  readonly reach: 'public' | 'anywhere';
  /** Inner services that may be called all the same. */
  readonly allowedHosts: readonly string[];
  /** Ports of public hosts. */
  readonly allowedPorts: readonly number[];
  /** How names are resolved, for specs. */
  readonly lookUp?: LookUp;
}

/** Addresses of one name that are tried before it counts as unreachable. */
const mostAddresses = 3;
/** `100 Continue` and the like; who sends more of them means no good. */
const mostInterimAnswers = 10;

/**
 * Calls the world outside, within limits. Where a caller or a row says where to go, only public addresses are called: the name is
 * resolved once, every address of it is checked, and the connection goes to exactly a checked one. No redirect is ever followed.
 */
export class Outward {
  private readonly allowed: AllowList;
  private readonly names = new NameResolver();
  private readonly lookUp: LookUp;
  private readonly connections = new Connections();

  /** @throws SettingError for an entry of `allowedHosts` that is none */
  constructor(private readonly terms: OutwardTerms) {
    this.allowed = new AllowList(terms.allowedHosts);
    this.lookUp = terms.lookUp ?? ((name) => this.names.resolve(name));
  }

  /** @throws OutwardRefusal before anything is sent, OutwardFailure after */
  call(call: OutwardCall): Promise<OutwardAnswer> {
    return asOutwardStep(call, (made) => this.callOnce(made));
  }

  private async callOnce(call: OutwardCall): Promise<OutwardAnswer> {
    const target = parseTarget(call.url);
    const request = { method: checkMethod(call.method), headers: checkHeaders(call.headers), body: checkBody(call.body), maxAnswerBytes: call.maxAnswerBytes };
    const began = performance.now();
    const deadline = new Deadline(call.timeoutMs, call.signal);
    try {
      const addresses = await this.checkedAddresses(target, deadline);
      const answer = await this.sendToOne(target, addresses, request, deadline);
      return { ...answer, ms: Math.round(performance.now() - began) };
    } catch (error) {
      if (error instanceof OutwardRefusal) throw error;
      throw failureOf(error, { deadline, host: target.host, timeoutMs: call.timeoutMs, ms: Math.round(performance.now() - began) });
    } finally {
      deadline.clear();
    }
  }

  /** Whether a URL would be called, as far as that can be said without a look-up. @throws OutwardRefusal */
  check(url: string): void {
    const target = parseTarget(url);
    if (target.isAddress) this.judge(target, [target.host]);
    else if (this.isLocalhost(target)) this.judgeLocalhost(target);
    else this.refusePort(target, false);
  }

  close(): Promise<void> {
    return this.connections.close();
  }

  private async checkedAddresses(target: Target, deadline: Deadline): Promise<readonly string[]> {
    if (target.isAddress) return this.judge(target, [target.host]);
    if (this.isLocalhost(target)) return this.judgeLocalhost(target);
    this.refusePort(target, true);
    const found = await deadline.within(this.lookUp(target.host).catch((cause: NodeJS.ErrnoException) => {
      throw new OutwardRefusal('name_not_resolved', `The name ${target.host} is not known (${cause.code ?? cause.message})`, null, cause);
    }));
    if (found.length === 0) throw new OutwardRefusal('name_not_resolved', `The name ${target.host} has no address`);
    return this.judge(target, found);
  }

  /** One address that may not be called is enough: a name that leads inside and outside is a trap. */
  private judge(target: Target, found: readonly string[]): readonly string[] {
    const isTrusted = this.terms.reach === 'anywhere' || this.allowed.hasName(target.host, target.port);
    for (const address of found) if (!isTrusted && !this.allowed.hasAddress(address, target.port)) this.refuseInner(target, address);
    const isInner = (address: string): boolean => isTrusted || this.allowed.hasAddress(address, target.port);
    if (!found.every(isInner)) this.refusePort(target, false);
    return found.map(canonicalAddress).slice(0, mostAddresses);
  }

  /** Every name below localhost is this machine, whatever a name server says; one that is allowed by name is looked up like others. */
  private isLocalhost({ host, port }: Target): boolean {
    return /(^|\.)localhost$/.test(host) && !this.allowed.hasName(host, port);
  }

  /** Here one allowed address is enough: which one a local server listens on is an accident. */
  private judgeLocalhost(target: Target): readonly string[] {
    const found = ['127.0.0.1', '::1'].filter((address) => this.terms.reach === 'anywhere' || this.allowed.hasAddress(address, target.port));
    if (found.length === 0) this.refuseInner(target, '127.0.0.1');
    return found;
  }

  private refuseInner({ host, port }: Target, address: string): void {
    const why = whyNotPublic(address);
    if (why === null) return;
    const what = host === address ? host : `${host} (${address})`;
    const written = host.includes(':') ? `[${host}]` : host;
    throw new OutwardRefusal('address_refused', `${what} is no public address (${why}) and is not called`, `If this service is yours and may be called, set MAINSTAY_OUTWARD_ALLOW=${written}:${port}`);
  }

  /** @param isUnresolved the name may still turn out to lead to an inner service that is allowed by its address */
  private refusePort({ host, port }: Target, isUnresolved: boolean): void {
    if (this.terms.reach === 'anywhere' || this.terms.allowedPorts.includes(port) || this.allowed.hasName(host, port) || (isUnresolved && this.terms.allowedHosts.length > 0)) return;
    throw new OutwardRefusal('port_refused', `Port ${port} of ${host} is not called: only ${this.terms.allowedPorts.join(', ')} are`, `Add it to MAINSTAY_OUTWARD_PORTS, or allow this one service by MAINSTAY_OUTWARD_ALLOW=${host}:${port}`);
  }

  /** The next address is tried only where the one before could not be reached, so nothing is sent twice. */
  private async sendToOne(target: Target, addresses: readonly string[], request: Request, deadline: Deadline): Promise<Omit<OutwardAnswer, 'ms'>> {
    for (const [i, address] of addresses.entries()) {
      try {
        return await readAnswer(await this.sendAgainIfStale(target, address, request, deadline), request.maxAnswerBytes);
      } catch (error) {
        if (deadline.signal.aborted || i === addresses.length - 1 || !isUnreached(error)) throw error;
      }
    }
    throw new OutwardFailure('connection_failed', `${target.host} has no address`, 0);
  }

  /** Over a kept connection that the other side was just closing it is sent once more: that says nothing about the receiver. */
  private async sendAgainIfStale(target: Target, address: string, request: Request, deadline: Deadline): Promise<Begun> {
    const wasKept = this.connections.hasFree(target, address);
    try {
      return await this.send(target, address, request, deadline);
    } catch (error) {
      if (deadline.signal.aborted || !wasKept || !isCutOff(error)) throw error;
      return this.send(target, address, request, deadline);
    }
  }

  private async send(target: Target, address: string, { method, headers, body }: Request, deadline: Deadline): Promise<Begun> {
    let interimAnswers = 0;
    const pool = await this.connections.to(target, address);
    return pool.request({
      ...{ method: method as 'GET', path: target.path, headers, body },
      signal: deadline.signal,
      onInfo: () => {
        interimAnswers += 1;
        if (interimAnswers > mostInterimAnswers) deadline.stopBy(new OutwardFailure('answer_not_valid', `${target.host} says that it is about to answer, and does not`, 0));
      },
    });
  }
}

interface Request {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer | null;
  readonly maxAnswerBytes: number;
}

/** An answer of which the status and the headers are there. */
type Begun = Dispatcher.ResponseData;

async function readAnswer({ statusCode: status, headers, body }: Begun, mostBytes: number): Promise<Omit<OutwardAnswer, 'ms'>> {
  const read = await readAtMost(body, mostBytes);
  const all = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]));
  const { 'content-encoding': encoding, 'content-length': _length, ...unpackedHeaders } = all;
  if (!isPacked(encoding) || read.body.length === 0) return { status, headers: all, ...read };
  const unpacked = await unpackAtMost(read.body, encoding!, mostBytes);
  return { status, headers: unpackedHeaders, body: unpacked.body, isCut: read.isCut || unpacked.isCut };
}

function isUnreached(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'UND_ERR_CONNECT_TIMEOUT'].includes(String(code));
}

/** The connection ended before anything was answered. */
function isCutOff(error: unknown): boolean {
  return ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(String((error as { code?: unknown }).code));
}

/** For URLs that come from a caller or a row. */
export function makeOutward({ outwardAllow, outwardPorts }: Pick<Settings, 'outwardAllow' | 'outwardPorts'>): Outward {
  return new Outward({ reach: 'public', allowedHosts: outwardAllow, allowedPorts: outwardPorts });
}
