import { availableParallelism } from 'node:os';
import * as argon2 from '@node-rs/argon2';
import * as bcrypt from '@node-rs/bcrypt';
import { fault } from './faults.ts';
import { parseFirebaseHash, verifyFirebaseHash } from './firebase-scrypt.ts';

/** What a hash costs to make. */
export interface Cost {
  /** KiB. */
  readonly memoryCost: number;
  readonly timeCost: number;
  readonly parallelism: number;
}

/** OWASP's first choice: 19 MiB, two passes, one lane. */
const soundCost: Cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** `Algorithm.Argon2id`, a const enum that isolated modules cannot read. */
const argon2id = 2 as argon2.Algorithm;

/** Verified for an account that does not exist or has no password, so that an answer takes as long as for one that has; no password gives an all-zero digest. */
const dummyHashOf = ({ memoryCost, timeCost, parallelism }: Cost): string => `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${'A'.repeat(22)}$${'A'.repeat(43)}`;

/** bcrypt reads no more, and GoTrue refuses more; so does everybody who may have written a hash that we are given. */
const maxBytes = 72;

/** What a stored hash may cost to verify: beyond this a single row could keep a thread for minutes. */
const dearest = { memoryCost: 262_144, timeCost: 16, parallelism: 16, bcryptCost: 16 };

export interface Verdict {
  readonly isRight: boolean;
  /** The hash is weaker than what we write today: hash the password anew while it is at hand. */
  readonly isOutdated: boolean;
}

/**
 * Hashes and verifies passwords, a few at a time: hashing is slow on purpose and shares libuv's threads with file and
 * name look-ups, so it may never take them all, and whoever would wait too long is told so at once.
 */
export class Passwords {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(
    /** At once. libuv has four threads; one stays free. */
    private readonly lanes = Math.min(availableParallelism(), 3),
    /** In line behind them: two or three seconds of work on two cores. */
    private readonly maxWaiting = 200,
    /** Less than what is sound is for tests alone. */
    private readonly cost = soundCost,
  ) {}

  async hash(password: string): Promise<string> {
    return this.inTurn(() => argon2.hash(password, { algorithm: argon2id, ...this.cost }));
  }

  /** Compares a password with what is stored, in the same time whether or not there is anything stored. */
  async verify(password: string, stored: string | null): Promise<Verdict> {
    return this.inTurn(async () => {
      const hash = stored !== null && isVerifiable(stored) ? stored : dummyHashOf(this.cost);
      const isRight = await compare(password, hash);
      return { isRight, isOutdated: isRight && isOutdated(hash, this.cost) };
    });
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    await this.takeLane();
    try {
      return await work();
    } finally {
      this.giveLane();
    }
  }

  private async takeLane(): Promise<void> {
    if (this.running < this.lanes) {
      this.running += 1;
      return;
    }
    if (this.waiting.length >= this.maxWaiting) throw fault('over_request_rate_limit', { message: 'Too many sign-ins are waiting, try again in a moment', headers: { 'retry-after': '2' } });
    await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private giveLane(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.running -= 1;
    else next();
  }
}

/** True for a hash in a format that `verify` reads, at a price that it pays. */
export function isVerifiable(hash: string): boolean {
  try {
    if (isBcrypt(hash)) return bcryptCostOf(hash) <= dearest.bcryptCost;
    if (isFirebase(hash)) return parseFirebaseHash(hash) !== null;
    const { memoryCost, timeCost, parallelism } = argon2.parseOptions(hash);
    return memoryCost <= dearest.memoryCost && timeCost <= dearest.timeCost && parallelism <= dearest.parallelism;
  } catch {
    // No format of ours: what a verifier cannot read, no password fits.
    return false;
  }
}

/** Two digits of cost, then salt and hash in 53 letters of bcrypt's own base 64; infinite for what is no such hash. */
function bcryptCostOf(hash: string): number {
  const match = /^\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(hash);
  return match === null ? Infinity : Number(match[1]);
}

async function compare(password: string, hash: string): Promise<boolean> {
  // bcrypt reads a password in circles of itself and a NUL, so one with a NUL inside could stand for a shorter one;
  // and every half of a surrogate pair is hashed as one and the same character.
  const isPossible = password !== '' && Buffer.byteLength(password) <= maxBytes && !password.includes('\0') && password.isWellFormed();
  return (await isHashOf(password, hash)) && isPossible;
}

async function isHashOf(password: string, hash: string): Promise<boolean> {
  if (isBcrypt(hash)) return bcrypt.verify(password, hash);
  return isFirebase(hash) ? verifyFirebaseHash(password, parseFirebaseHash(hash)!) : argon2.verify(hash, password);
}

function isBcrypt(hash: string): boolean {
  return /^\$2[abxy]\$/.test(hash);
}

function isFirebase(hash: string): boolean {
  return hash.startsWith('$fbscrypt$');
}

function isOutdated(hash: string, cost: Cost): boolean {
  if (isBcrypt(hash) || isFirebase(hash)) return true;
  const { algorithm, memoryCost, timeCost } = argon2.parseOptions(hash);
  return algorithm !== argon2id || memoryCost < cost.memoryCost || timeCost < cost.timeCost;
}

export interface Weakness {
  readonly message: string;
  readonly reasons: readonly string[];
}

/** What speaks against a new password, or null. */
export function weaknessOf(password: string, minLength: number): Weakness | null {
  if ([...password].length >= minLength) return null;
  return { message: `Password should be at least ${minLength} characters.`, reasons: ['length'] };
}

/** @throws Fault `weak_password` or `validation_failed`: nobody may choose such a password. */
export function refuseWeakPassword(password: string, minLength: number): void {
  if (Buffer.byteLength(password) > maxBytes) throw fault('validation_failed', { message: `Password cannot be longer than ${maxBytes} characters` });
  if (password.includes('\0')) throw fault('validation_failed', { message: 'Password cannot contain the character NUL' });
  if (!password.isWellFormed()) throw fault('validation_failed', { message: 'Password cannot contain half of a surrogate pair' });
  const weakness = weaknessOf(password, minLength);
  if (weakness !== null) throw fault('weak_password', { message: weakness.message, details: { reasons: weakness.reasons } });
}
