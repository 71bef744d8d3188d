import { randomUUID } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import {
  addChallenge, addFactor, dropFactor, dropUnverifiedFactors, isDatabaseError, listFactorCredentials, listFactors, lockChallenge, lockFactor, lowerSessions, sealFactor, spendChallenge, takeStep, verifyFactor,
  type Accounts, type AuthSession, type Device, type Factor, type FactorChallenge, type FactorType, type FactorWithSecret, type OpenAccounts, type User,
} from '@mainstay/persistence';
import { audit } from './audit.ts';
import { isRaised, isVerified, methodsOfFactors, personalSession, type Assurance } from './assurance.ts';
import { makeDigits, type FactorSecrets } from './factor-secrets.ts';
import { fault, type AuthFaultCode } from './faults.ts';
import { keptCredential, readCredential } from './kept-credential.ts';
import type { Limits } from './limits.ts';
import type { Messages } from './messages.ts';
import { refuseUnstorable } from './metadata.ts';
import type { Notices } from './notices.ts';
import { parseChannel, parsePhone } from './parse-address.ts';
import { credentialIdOf, type PublicCredential, type RelyingParty } from './relying-party.ts';
import type { OpenSession, SessionAnswer, Sessions, SignedIn } from './sessions.service.ts';
import { makeAuthenticator, stepOf } from './totp.ts';

export interface EnrollRequest {
  readonly factorType: string;
  readonly friendlyName: string;
  readonly issuer: string;
  readonly phone: string;
}

/** What is shown for a challenge: a code, or a browser's answer for a security key. */
export interface FactorProof {
  readonly challengeId: string;
  readonly code: string;
  readonly webauthn: { readonly type: string; readonly response: unknown } | null;
}

/** A try at a factor, as a project's hook is told of it; what it says of one may end every session of the user. */
export type FactorAttemptHook = (attempt: { readonly userId: string; readonly factorId: string; readonly factorType: FactorType; readonly isValid: boolean }) => Promise<{ readonly isRejected: boolean; readonly message: string }>;

type FactorSettings = Pick<
  Settings,
  | 'siteUrl' | 'maxEnrolledFactors' | 'maxVerifiedFactors' | 'factorChallengeSeconds' | 'factorExpirySeconds' | 'totpEnrollEnabled' | 'totpVerifyEnabled' | 'phoneFactorEnrollEnabled' | 'phoneFactorVerifyEnabled'
  | 'phoneFactorOtpLength' | 'phoneFactorPauseSeconds' | 'phoneFactorTemplate' | 'webauthnFactorEnrollEnabled' | 'webauthnFactorVerifyEnabled'
>;

type AskedType = 'totp' | 'phone' | 'webauthn';

const off: Readonly<Record<AskedType, readonly [enroll: AuthFaultCode, verify: AuthFaultCode]>> = {
  totp: ['mfa_totp_enroll_not_enabled', 'mfa_totp_verify_not_enabled'],
  phone: ['mfa_phone_enroll_not_enabled', 'mfa_phone_verify_not_enabled'],
  webauthn: ['mfa_webauthn_enroll_not_enabled', 'mfa_webauthn_verify_not_enabled'],
};

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const maxNameLength = 255;

/** Second factors: begun, asked for, shown and given up by their owner. */
export class Factors {
  constructor(
    private readonly accounts: Accounts,
    private readonly sessions: Sessions,
    private readonly assurance: Assurance,
    private readonly secrets: FactorSecrets,
    private readonly party: RelyingParty,
    private readonly messages: Messages,
    private readonly limits: Limits,
    private readonly settings: FactorSettings,
    private readonly notices: Notices,
    private readonly attemptHook: FactorAttemptHook | null = null,
  ) {}

  /** Begins a factor; it counts for nothing until it has been shown once. */
  async enroll(signedIn: SignedIn, request: EnrollRequest, device: Device): Promise<object> {
    const session = personalSession(signedIn, 'enroll a factor');
    const type = this.typeToEnroll(request.factorType);
    const friendlyName = checkedName(request.friendlyName);
    const phone = type === 'phone' ? phoneOf(request.phone) : null;
    const id = randomUUID();
    const authenticator = type === 'totp' ? makeAuthenticator(this.issuerOf(request.issuer), labelOf(signedIn.account.user)) : null;
    const secret = authenticator === null ? null : this.secrets.seal(id, authenticator.secret);
    await namingConflicts(friendlyName, () => this.accounts.transaction(async (tx) => {
      const account = await lockedAccount(tx, session.userId);
      if (phone !== null) await refuseShownPhone(tx, session.userId, phone);
      await makeRoom(tx, session, friendlyName, this.settings);
      await addFactor(tx, { id, userId: session.userId, friendlyName, type, status: 'unverified', phone, secret });
      await audit(tx, 'factor_in_progress', account.user, device, { factor_id: id, factor_type: type });
    }));
    return {
      id,
      type,
      friendly_name: friendlyName,
      ...(authenticator === null ? {} : { totp: { qr_code: authenticator.qrCode, secret: authenticator.secret, uri: authenticator.uri } }),
      ...(phone === null ? {} : { phone: request.phone }),
    };
  }

  /** Asks for a factor. A phone is sent a code; a security key gets something to sign. */
  async challenge(signedIn: SignedIn, factorId: string, channel: string, device: Device): Promise<object> {
    const { account } = signedIn;
    personalSession(signedIn, 'challenge a factor');
    const known = ownFactor(signedIn, factorId);
    const type = this.typeToVerify(known.type);
    await this.limits.request('factor', device);
    const way = type === 'phone' ? parseChannel(channel) : null;
    if (type === 'phone') await this.limits.text(known.phone!, 'factor text', this.settings.phoneFactorPauseSeconds);
    const id = randomUUID();
    const code = type === 'phone' ? makeDigits(this.settings.phoneFactorOtpLength) : null;
    return this.accounts.transaction(async (tx) => {
      const factor = await lockedFactor(tx, account.user.id, factorId);
      const asked = type === 'webauthn' ? await this.askKey(tx, account.user, factor) : null;
      const kept = { id, factorId, address: device.address, ...(code === null ? {} : { codeDigest: this.secrets.digestOf(id, code) }), ...(asked === null ? {} : { webauthn: asked.kept }) };
      const expiresAt = await addChallenge(tx, kept, this.settings.factorChallengeSeconds);
      if (code !== null) await this.messages.text(tx, { to: factor.phone!, channel: way!, code, user: account.user, factorTemplate: this.settings.phoneFactorTemplate });
      await audit(tx, 'challenge_created', account.user, device, { factor_id: factorId, factor_status: factor.status });
      return { id, type, expires_at: expiresAt, ...(asked === null ? {} : { webauthn: asked.shown }) };
    });
  }

  /** Takes what was shown for a challenge, and raises the session to aal2. */
  async verify(signedIn: SignedIn, factorId: string, proof: FactorProof, device: Device): Promise<SessionAnswer> {
    const session = personalSession(signedIn, 'verify a factor');
    const known = ownFactor(signedIn, factorId);
    if (proof.code === '' && known.type !== 'webauthn') throw fault('validation_failed', { message: 'Code needs to be non-empty' });
    const type = this.typeToVerify(known.type);
    if (proof.challengeId !== '' && !uuidForm.test(proof.challengeId)) throw fault('bad_json', { message: 'Could not parse request body as JSON: challenge_id must be a UUID' });
    await this.limits.request('factor', device);
    // Counted before it is looked at, for all factors of the user together.
    const guess = await this.limits.guess('factor', session.userId, device);
    const open = type === 'webauthn' ? await this.takeKey(session, factorId, proof, device) : await this.takeCode(session, factorId, proof, device);
    await guess.wasRight();
    return this.sessions.answer(open);
  }

  /** Gives a factor up. One that was shown is only given up by whoever shows one. */
  async unenroll(signedIn: SignedIn, factorId: string, device: Device): Promise<{ readonly id: string }> {
    const session = personalSession(signedIn, 'unenroll a factor');
    const known = ownFactor(signedIn, factorId);
    if (known.type === 'recovery_code') throw fault('validation_failed', { status: 422, message: 'Recovery codes cannot be unenrolled with this endpoint, use DELETE /factors/recovery-codes' });
    await this.accounts.transaction(async (tx) => {
      const account = await lockedAccount(tx, session.userId);
      const factor = await lockedFactor(tx, session.userId, factorId);
      if (isVerified(factor) && !isRaised(session)) throw fault('insufficient_aal', { status: 422, message: 'AAL2 required to unenroll verified factor' });
      if (isVerified(factor)) refuseSoleRecovery(await listFactors(tx, [session.userId]), factorId);
      await dropFactor(tx, factorId);
      await lowerSessions(tx, session.userId, factorId, methodsOfFactors[factor.type]);
      await audit(tx, 'factor_unenrolled', account.user, device, { factor_id: factorId, factor_status: factor.status, session_id: session.id });
      await this.notices.tell(tx, 'mfa_factor_unenrolled', account.user, { factorType: factor.type });
    });
    return { id: factorId.toLowerCase() };
  }

  private typeToEnroll(asked: string): AskedType {
    const type = askedType(asked);
    const { totpEnrollEnabled, phoneFactorEnrollEnabled, webauthnFactorEnrollEnabled } = this.settings;
    if (!{ totp: totpEnrollEnabled, phone: phoneFactorEnrollEnabled, webauthn: webauthnFactorEnrollEnabled }[type]) throw fault(off[type][0]);
    return type;
  }

  private typeToVerify(asked: FactorType): AskedType {
    const type = askedType(asked);
    const { totpVerifyEnabled, phoneFactorVerifyEnabled, webauthnFactorVerifyEnabled } = this.settings;
    if (!{ totp: totpVerifyEnabled, phone: phoneFactorVerifyEnabled, webauthn: webauthnFactorVerifyEnabled }[type]) throw fault(off[type][1]);
    return type;
  }

  private issuerOf(asked: string): string {
    refuseUnstorable(asked, 'issuer');
    return asked === '' ? new URL(this.settings.siteUrl).host : asked.slice(0, maxNameLength);
  }

  /** An unverified key is to be made, a verified one to be shown. */
  private async askKey(tx: OpenAccounts, user: User, factor: FactorWithSecret) {
    const seconds = this.settings.factorChallengeSeconds;
    const type = isVerified(factor) ? 'request' : 'create';
    const known = type === 'request' ? [credentialOf(factor)] : (await listFactorCredentials(tx, user.id)).map(readCredential).filter((each) => each !== null);
    const publicKey = type === 'request' ? await this.party.requestOptions(known, seconds) : await this.party.creationOptions(user, known, { isDiscoverable: false, seconds });
    return { kept: { challenge: publicKey.challenge, type }, shown: { type, credential_options: { publicKey } } };
  }

  private async takeCode(session: AuthSession, factorId: string, { challengeId, code }: FactorProof, device: Device): Promise<OpenSession> {
    if (this.attemptHook !== null) await this.askHook(this.attemptHook, session, factorId, challengeId, code, device);
    return this.accounts.transaction(async (tx) => {
      const { user } = await lockedAccount(tx, session.userId);
      const factor = await lockedFactor(tx, session.userId, factorId);
      const challenge = await this.openChallenge(tx, factorId, challengeId, device);
      const step = this.stepOrCode(factor, challenge, code);
      const isTaken = step !== null && (step === 'code' || (await takeStep(tx, factorId, step)));
      if (!isTaken) throw fault('mfa_verification_failed', { message: factor.type === 'phone' ? 'Invalid MFA Phone code entered' : 'Invalid TOTP code entered' });
      await spendChallenge(tx, challenge.id);
      // An import brought it as it was.
      if (factor.secret !== null && !this.secrets.isSealed(factor.secret)) await sealFactor(tx, factorId, this.secrets.seal(factorId, factor.secret));
      return this.accept(tx, session, user, factor, challenge.id, null, device);
    });
  }

  /** The step of a TOTP code, `code` for the code of a message, null for neither. */
  private stepOrCode(factor: FactorWithSecret, challenge: FactorChallenge, code: string): number | 'code' | null {
    if (factor.type === 'phone') return challenge.codeDigest !== null && this.secrets.isDigestOf(challenge.codeDigest, challenge.id, code) ? 'code' : null;
    return stepOf(this.secrets.open(factor.id, factor.secret ?? ''), code, Date.now());
  }

  /** What a project's hook says of a try; asked outside the transaction that takes the code, since it may take seconds. */
  private async askHook(hook: FactorAttemptHook, session: AuthSession, factorId: string, challengeId: string, code: string, device: Device): Promise<void> {
    const { type, isValid } = await this.accounts.transaction(async (tx) => {
      const factor = await lockedFactor(tx, session.userId, factorId);
      const challenge = await this.openChallenge(tx, factorId, challengeId, device);
      return { type: factor.type, isValid: this.stepOrCode(factor, challenge, code) !== null };
    });
    await rejecting(this.accounts, await hook({ userId: session.userId, factorId, factorType: type, isValid }), session.userId);
  }

  /** The challenge is used up by the first answer, whatever that is worth. */
  private async takeKey(session: AuthSession, factorId: string, { challengeId, webauthn }: FactorProof, device: Device): Promise<OpenSession> {
    if (webauthn === null) throw fault('validation_failed', { message: 'WebAuthn config required' });
    if (webauthn.type !== 'create' && webauthn.type !== 'request') throw fault('validation_failed', { message: 'WebAuthn type must be create or request' });
    if (webauthn.response === undefined || webauthn.response === null) throw fault('validation_failed', { message: 'credential_response required' });
    if (credentialIdOf(webauthn.response) === null) throw fault('validation_failed', { message: 'Invalid credential_response' });
    const asked = await this.accounts.transaction(async (tx) => {
      await lockedFactor(tx, session.userId, factorId);
      const challenge = await this.openChallenge(tx, factorId, challengeId, device);
      if (challenge.webauthn?.type !== webauthn.type) throw fault('validation_failed', { message: `WebAuthn type must be ${challenge.webauthn?.type ?? 'that of the challenge'}` });
      await spendChallenge(tx, challenge.id);
      return challenge.webauthn;
    });
    return this.accounts.transaction(async (tx) => {
      const { user } = await lockedAccount(tx, session.userId);
      const factor = await lockedFactor(tx, session.userId, factorId);
      const credential = await this.provenKey(factor, asked, webauthn.response);
      if (credential === null) throw fault('mfa_verification_failed', { message: 'Invalid WebAuthn credential shown' });
      return this.accept(tx, session, user, factor, challengeId, credential, device);
    });
  }

  private async provenKey(factor: FactorWithSecret, { type, challenge }: { readonly type: 'create' | 'request'; readonly challenge: string }, response: unknown): Promise<{ readonly credential: object; readonly aaguid: string | null } | null> {
    if ((type === 'request') !== isVerified(factor)) return null;
    if (type === 'create') {
      const made = await this.party.proveCreation(response, challenge);
      return made === null ? null : { credential: keptCredential(made), aaguid: made.aaguid };
    }
    const known = credentialOf(factor);
    const shown = credentialIdOf(response) === known.credentialId ? await this.party.proveRequest(response, challenge, known) : null;
    return shown === null ? null : { credential: keptCredential(shown, factor.credential), aaguid: null };
  }

  private async accept(tx: OpenAccounts, session: AuthSession, user: User, factor: FactorWithSecret, challengeId: string, credential: { readonly credential: object; readonly aaguid: string | null } | null, device: Device): Promise<OpenSession> {
    if (!isVerified(factor) || credential !== null) await verifyFactor(tx, factor.id, credential);
    // What was begun beside it is begun no more.
    await dropUnverifiedFactors(tx, session.userId, { type: factor.type });
    await audit(tx, 'verification_attempted', user, device, { factor_id: factor.id, challenge_id: challengeId, factor_type: factor.type });
    if (!isVerified(factor)) await this.notices.tell(tx, 'mfa_factor_enrolled', user, { factorType: factor.type });
    return this.assurance.raise(tx, session, factor);
  }

  private async openChallenge(tx: OpenAccounts, factorId: string, challengeId: string, device: Device): Promise<FactorChallenge> {
    const challenge = challengeId === '' ? null : await lockChallenge(tx, factorId, challengeId, device.address);
    if (challenge === null) throw fault('mfa_factor_not_found', { status: 422, message: 'MFA factor with the provided challenge ID not found' });
    // GoTrue says the same of a challenge that was answered before.
    if (challenge.isSpent || !challenge.isSameAddress) throw fault('mfa_ip_address_mismatch');
    if (challenge.ageSeconds > this.settings.factorChallengeSeconds) {
      throw fault('mfa_challenge_expired', { message: `MFA challenge ${challenge.id} has expired, verify against another challenge or create a new challenge.` });
    }
    return challenge;
  }
}

/** Ends every session of a user whom a project's hook rejects. @throws Fault `mfa_verification_rejected` */
export async function rejecting(accounts: Accounts, { isRejected, message }: { readonly isRejected: boolean; readonly message: string }, userId: string): Promise<void> {
  if (!isRejected) return;
  await accounts.transaction((tx) => tx.endSessions(userId));
  throw fault('mfa_verification_rejected', message === '' ? {} : { message });
}

/**
 * Refuses one factor too many, and one more by somebody who has shown none of those there are.
 * @throws Fault in the order in which GoTrue looks
 */
export async function makeRoom(tx: OpenAccounts, session: AuthSession, friendlyName: string, { maxEnrolledFactors, maxVerifiedFactors, factorExpirySeconds }: Pick<Settings, 'maxEnrolledFactors' | 'maxVerifiedFactors' | 'factorExpirySeconds'>): Promise<Factor[]> {
  await dropUnverifiedFactors(tx, session.userId, { olderThanSeconds: factorExpirySeconds });
  const factors = await listFactors(tx, [session.userId]);
  if (factors.some((factor) => (factor.friendlyName ?? '') === friendlyName)) throw nameConflict(friendlyName);
  const verified = factors.filter(isVerified);
  if (factors.length >= maxEnrolledFactors || verified.length >= maxVerifiedFactors) throw fault('too_many_enrolled_mfa_factors');
  if (verified.length > 0 && !isRaised(session)) throw fault('insufficient_aal', { status: 403, message: 'AAL2 required to enroll a new factor' });
  return factors;
}

/** Words what the unique index on names says. */
export async function namingConflicts<T>(friendlyName: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isDatabaseError(error) && error.code === '23505' && error.constraint === 'mfa_factors_user_friendly_name_unique') throw nameConflict(friendlyName);
    throw error;
  }
}

/** @throws Fault `validation_failed` */
export function checkedName(name: string): string {
  refuseUnstorable(name, 'friendly_name');
  if (name.length > maxNameLength) throw fault('validation_failed', { message: `friendly_name must be ${maxNameLength} characters or less` });
  return name;
}

/** A factor of whoever asks, as it was when the request came. @throws Fault `mfa_factor_not_found` */
export function ownFactor({ account }: Pick<SignedIn, 'account'>, id: string): Factor {
  if (!uuidForm.test(id)) throw fault('validation_failed', { status: 404, message: 'factor_id must be an UUID' });
  const found = account.factors?.find((factor) => factor.id === id.toLowerCase());
  if (found === undefined) throw fault('mfa_factor_not_found');
  return found;
}

function askedType(asked: string): AskedType {
  if (asked === 'totp' || asked === 'phone' || asked === 'webauthn') return asked;
  throw fault('validation_failed', { message: 'factor_type needs to be totp, phone, or webauthn' });
}

function phoneOf(asked: string): string {
  if (asked === '') throw fault('validation_failed', { message: 'Phone number required to enroll Phone factor' });
  return parsePhone(asked);
}

/** Whose account it is, as an authenticator app lists it. */
function labelOf({ email, phone, id }: User): string {
  return [email, phone].find((each) => (each ?? '') !== '') ?? id;
}

function nameConflict(friendlyName: string) {
  return fault('mfa_factor_name_conflict', { message: `A factor with the friendly name ${JSON.stringify(friendlyName)} for this user already exists` });
}

async function lockedAccount(tx: OpenAccounts, userId: string) {
  const account = await tx.lock(userId);
  if (account === null) throw fault('user_not_found', { status: 403, message: 'User from sub claim in JWT does not exist' });
  return account;
}

async function lockedFactor(tx: OpenAccounts, userId: string, id: string): Promise<FactorWithSecret> {
  const factor = await lockFactor(tx, userId, id);
  if (factor === null) throw fault('mfa_factor_not_found');
  return factor;
}

/** A number is one factor; beginning it again begins it anew. */
async function refuseShownPhone(tx: OpenAccounts, userId: string, phone: string): Promise<void> {
  const factors = await listFactors(tx, [userId]);
  if (factors.some((factor) => factor.phone === phone && isVerified(factor))) throw fault('mfa_verified_factor_exists');
  await dropUnverifiedFactors(tx, userId, { type: 'phone', phone });
}

/** Recovery codes alone are no second factor: whoever loses them loses the account. */
function refuseSoleRecovery(factors: readonly Factor[], leavingId: string): void {
  const others = factors.filter((factor) => factor.id !== leavingId.toLowerCase() && isVerified(factor));
  if (others.length === 0 || others.some(({ type }) => type !== 'recovery_code')) return;
  throw fault('mfa_recovery_codes_sole_factor', { message: 'Recovery codes cannot be the only verified factor. Please enroll another factor before unenrolling this one or delete your recovery codes.' });
}

function credentialOf({ credential }: FactorWithSecret): PublicCredential {
  const read = readCredential(credential);
  if (read === null) throw fault('unexpected_failure', { cause: new Error('a verified WebAuthn factor has no credential') });
  return read;
}

