import { createHash, randomUUID } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import {
  addFactor, countRecoveryCodes, dropFactor, keepRecoveryCodes, lockFactor, lowerSessions, returnAttempts, spendRecoveryCode, takeAttempts,
  type Accounts, type AuthSession, type Bucket, type Device, type Factor, type OpenAccounts,
} from '@mainstay/persistence';
import { audit } from './audit.ts';
import { isRaised, isVerified, methodsOfFactors, personalSession, type Assurance } from './assurance.ts';
import { makeLetters, type FactorSecrets } from './factor-secrets.ts';
import { checkedName, makeRoom, namingConflicts, rejecting, type FactorAttemptHook } from './factors.service.ts';
import { fault } from './faults.ts';
import type { Limits } from './limits.ts';
import type { Notices } from './notices.ts';
import type { SessionAnswer, Sessions, SignedIn } from './sessions.service.ts';

type RecoverySettings = Pick<
  Settings,
  | 'maxEnrolledFactors' | 'maxVerifiedFactors' | 'factorExpirySeconds' | 'recoveryCodesEnrollEnabled' | 'recoveryCodesVerifyEnabled' | 'recoveryCodesCount' | 'recoveryCodeLength' | 'recoveryCodesAttempts' | 'recoveryCodesLockSeconds'
>;

const defaultName = 'Recovery codes';
const notThere = 'The user has not enrolled recovery codes';
const type = 'recovery_code';

/** Codes on paper for the day on which a second factor is lost; each is good once. */
export class RecoveryCodes {
  constructor(
    private readonly accounts: Accounts,
    private readonly sessions: Sessions,
    private readonly assurance: Assurance,
    private readonly secrets: FactorSecrets,
    private readonly limits: Limits,
    private readonly settings: RecoverySettings,
    private readonly notices: Notices,
    private readonly attemptHook: FactorAttemptHook | null = null,
  ) {}

  async status(signedIn: SignedIn): Promise<object> {
    personalSession(signedIn, 'view recovery codes');
    const factor = setOf(signedIn);
    return { id: factor.id, type, ...(await countRecoveryCodes(this.accounts, factor.id)) };
  }

  /** Makes the user's set; what it answers is never shown again. */
  async generate(signedIn: SignedIn, friendlyName: string, device: Device): Promise<object> {
    const session = this.raisedSession(signedIn, 'generate');
    const name = checkedName(friendlyName === '' ? defaultName : friendlyName);
    const id = randomUUID();
    const codes = this.makeCodes();
    await namingConflicts(name, () => this.accounts.transaction(async (tx) => {
      const account = await tx.lock(session.userId);
      if (account === null) throw fault('user_not_found', { status: 403, message: 'User from sub claim in JWT does not exist' });
      if (account.factors?.some((factor) => factor.type === type)) throw fault('mfa_verified_factor_exists', { message: 'Recovery codes are already enrolled for this user, use regenerate to rotate them' });
      const factors = await makeRoom(tx, session, name, this.settings);
      if (!factors.some(isVerified)) throw fault('mfa_recovery_codes_sole_factor');
      await addFactor(tx, { id, userId: session.userId, friendlyName: name, type, status: 'verified', phone: null, secret: null });
      await this.keep(tx, id, codes);
      await audit(tx, 'recovery_codes_generated', account.user, device, { factor_id: id, count: codes.length });
      await this.notices.tell(tx, 'mfa_factor_enrolled', account.user, { factorType: type });
    }));
    return { id, type, friendly_name: name, total: codes.length, codes };
  }

  /** Replaces the set; the old codes are void, and guessing may begin anew. */
  async regenerate(signedIn: SignedIn, device: Device): Promise<object> {
    const session = this.raisedSession(signedIn, 'regenerate');
    const factor = setOf(signedIn);
    const codes = this.makeCodes();
    await this.accounts.transaction(async (tx) => {
      await lockedSet(tx, session.userId, factor.id);
      await this.keep(tx, factor.id, codes);
      await audit(tx, 'recovery_codes_regenerated', signedIn.account.user, device, { factor_id: factor.id, count: codes.length });
    });
    await returnAttempts(this.accounts, [{ digest: this.lockOf(session.userId).digest, how: 'all' }]);
    return { id: factor.id, type, friendly_name: factor.friendlyName, total: codes.length, codes };
  }

  /** Takes a code as its owner typed it in, and raises the session to aal2. */
  async verify(signedIn: SignedIn, typed: string, device: Device): Promise<SessionAnswer> {
    const session = personalSession(signedIn, 'verify recovery codes');
    if (!this.settings.recoveryCodesVerifyEnabled) throw fault('mfa_recovery_codes_verify_not_enabled');
    const code = typed.toLowerCase().replace(/[\s-]/g, '');
    if (code === '') throw fault('validation_failed', { message: 'Code needs to be non-empty' });
    await this.limits.request('factor', device);
    const waits = await takeAttempts(this.accounts, [this.lockOf(session.userId)]);
    if (waits > 0) throw fault('mfa_recovery_codes_locked', { headers: { 'retry-after': String(Math.ceil(waits)) } });
    const factor = signedIn.account.factors?.find((each) => each.type === type);
    if (factor === undefined) throw wrongCode();
    const digest = this.secrets.digestOf(factor.id, code);
    if (this.attemptHook !== null) await this.askHook(this.attemptHook, session.userId, factor.id, digest);
    const open = await this.accounts.transaction(async (tx) => {
      const account = await tx.lock(session.userId);
      if (account === null || !(await spendRecoveryCode(tx, factor.id, digest))) throw wrongCode();
      const { remaining } = await countRecoveryCodes(tx, factor.id);
      await audit(tx, 'recovery_codes_verified', account.user, device, { factor_id: factor.id, remaining });
      return this.assurance.raise(tx, session, factor);
    });
    await returnAttempts(this.accounts, [{ digest: this.lockOf(session.userId).digest, how: 'all' }]);
    return this.sessions.answer(open);
  }

  async remove(signedIn: SignedIn, device: Device): Promise<{ readonly id: string }> {
    const session = personalSession(signedIn, 'delete recovery codes');
    if (!isRaised(session)) throw fault('insufficient_aal', { status: 403, message: 'AAL2 required to delete recovery codes' });
    const factor = setOf(signedIn);
    await this.accounts.transaction(async (tx) => {
      await lockedSet(tx, session.userId, factor.id);
      await dropFactor(tx, factor.id);
      await lowerSessions(tx, session.userId, factor.id, methodsOfFactors[type]);
      await audit(tx, 'recovery_codes_deleted', signedIn.account.user, device, { factor_id: factor.id });
      await this.notices.tell(tx, 'mfa_factor_unenrolled', signedIn.account.user, { factorType: type });
    });
    return { id: factor.id };
  }

  private raisedSession(signedIn: SignedIn, what: 'generate' | 'regenerate'): AuthSession {
    const session = personalSession(signedIn, `${what} recovery codes`);
    if (!this.settings.recoveryCodesEnrollEnabled) throw fault('mfa_recovery_codes_enroll_not_enabled');
    if (!isRaised(session)) throw fault('insufficient_aal', { status: 403, message: `AAL2 required to ${what} recovery codes` });
    return session;
  }

  private makeCodes(): string[] {
    const codes = new Set<string>();
    while (codes.size < this.settings.recoveryCodesCount) codes.add(makeLetters(this.settings.recoveryCodeLength));
    return [...codes];
  }

  private async keep(tx: OpenAccounts, factorId: string, codes: readonly string[]): Promise<void> {
    await keepRecoveryCodes(tx, factorId, codes.map((code) => this.secrets.digestOf(factorId, code)));
  }

  private lockOf(userId: string): Bucket {
    const { recoveryCodesAttempts: most, recoveryCodesLockSeconds: seconds } = this.settings;
    return { digest: createHash('sha256').update(JSON.stringify(['recovery codes', userId])).digest(), most, seconds };
  }

  private async askHook(hook: FactorAttemptHook, userId: string, factorId: string, digest: string): Promise<void> {
    const kept = await this.accounts.rows('select 1 as kept from auth.mfa_recovery_codes where mfa_factor_id = $1::uuid and code_hash = $2 and used_at is null', [factorId, digest]);
    await rejecting(this.accounts, await hook({ userId, factorId, factorType: type, isValid: kept.length > 0 }), userId);
  }
}

function setOf({ account }: SignedIn): Factor {
  const factor = account.factors?.find((each) => each.type === type);
  if (factor === undefined) throw fault('mfa_factor_not_found', { message: notThere });
  return factor;
}

async function lockedSet(tx: OpenAccounts, userId: string, factorId: string): Promise<void> {
  if ((await lockFactor(tx, userId, factorId)) === null) throw fault('mfa_factor_not_found', { message: notThere });
}

function wrongCode() {
  return fault('mfa_verification_failed', { message: 'Invalid recovery code entered' });
}
