import type { Settings } from '@mainstay/config';
import {
  addPasskey, beginPasskey, dropPasskey, findPasskey, isDatabaseError, listPasskeys, lockPasskey, renamePasskey, takePasskeyChallenge, usePasskey,
  type Accounts, type Device, type Passkey, type PasskeyChallenge, type User,
} from '@mainstay/persistence';
import { audit } from './audit.ts';
import { isRaised, isVerified, personalSession } from './assurance.ts';
import { fault } from './faults.ts';
import type { Limits } from './limits.ts';
import { refuseUnstorable } from './metadata.ts';
import { credentialIdOf, userHandleOf, type RelyingParty } from './relying-party.ts';
import type { SessionAnswer, Sessions, SignedIn } from './sessions.service.ts';
import { isBanned, isEmailConfirmed, isPhoneConfirmed } from './views.ts';

/** What a browser answers to a challenge. */
export interface PasskeyAnswer {
  readonly challengeId: string;
  readonly credential: unknown;
}

/** A passkey as its owner and an administrator see it. */
export interface PasskeyView {
  readonly id: string;
  readonly friendly_name?: string;
  readonly created_at: Date;
  readonly last_used_at?: Date;
}

type PasskeySettings = Pick<Settings, 'passkeysEnabled' | 'maxPasskeys' | 'webauthnChallengeSeconds'>;

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const maxNameLength = 120;

/** Sign-in by what a device keeps: no address is asked, and nothing is sent that could be stolen. */
export class Passkeys {
  constructor(
    private readonly accounts: Accounts,
    private readonly sessions: Sessions,
    private readonly party: RelyingParty,
    private readonly limits: Limits,
    private readonly settings: PasskeySettings,
  ) {}

  async registrationOptions(signedIn: SignedIn): Promise<object> {
    const { user } = this.owner(signedIn);
    const known = await listPasskeys(this.accounts, user.id);
    if (known.length >= this.settings.maxPasskeys) throw fault('too_many_passkeys');
    const options = await this.party.creationOptions(user, known, { isDiscoverable: true, seconds: this.settings.webauthnChallengeSeconds });
    return this.begun(user.id, 'registration', options);
  }

  /** Keeps the passkey that was made for a challenge of this user. */
  async register(signedIn: SignedIn, answer: PasskeyAnswer, device: Device): Promise<PasskeyView> {
    const { user } = this.owner(signedIn);
    const { challenge } = await this.takeChallenge(answer, 'registration', user.id);
    const made = await this.party.proveCreation(answer.credential, challenge);
    if (made === null) throw fault('webauthn_verification_failed');
    try {
      return await this.accounts.transaction(async (tx) => {
        const account = await tx.lock(user.id);
        if (account === null) throw fault('user_not_found', { status: 403, message: 'User from sub claim in JWT does not exist' });
        if ((await listPasskeys(tx, user.id)).length >= this.settings.maxPasskeys) throw fault('too_many_passkeys');
        const added = await addPasskey(tx, { ...made, userId: user.id, friendlyName: '' });
        await audit(tx, 'passkey_created', account.user, device, { passkey_id: added.id });
        return viewPasskey(added);
      });
    } catch (error) {
      if (isDatabaseError(error) && error.constraint === 'webauthn_credentials_credential_id_key') throw fault('webauthn_credential_exists', { cause: error });
      throw error;
    }
  }

  /** Asks for any passkey of this site. */
  async authenticationOptions(device: Device): Promise<object> {
    this.refuseOff();
    await this.limits.request('passkey', device);
    return this.begun(null, 'authentication', await this.party.requestOptions(null, this.settings.webauthnChallengeSeconds));
  }

  /** Signs in whoever holds the passkey. Whatever does not fit is one refusal. */
  async authenticate(answer: PasskeyAnswer, device: Device): Promise<SessionAnswer> {
    this.refuseOff();
    await this.limits.request('passkey', device);
    const { challenge } = await this.takeChallenge(answer, 'authentication', null);
    const known = await findPasskey(this.accounts, credentialIdOf(answer.credential)!);
    if (known === null || userHandleOf(answer.credential) !== known.userId) throw fault('webauthn_verification_failed');
    const open = await this.accounts.transaction(async (tx) => {
      const account = await tx.lock(known.userId);
      // Its counter is read and written under one lock: of a copied authenticator and its original, one comes too late.
      const passkey = await lockPasskey(tx, known.id);
      const proof = passkey === null ? null : await this.party.proveRequest(answer.credential, challenge, passkey);
      if (account === null || proof === null) throw fault('webauthn_verification_failed');
      refuseUnfit(account.user);
      await usePasskey(tx, known.id, proof.signCount, proof.isBackedUp);
      await audit(tx, 'login', account.user, device, { provider: 'passkey', passkey_id: known.id });
      return this.sessions.open(tx, account, 'passkey', device);
    });
    return this.sessions.answer(open);
  }

  async list(signedIn: SignedIn): Promise<PasskeyView[]> {
    this.refuseOff();
    personalSession(signedIn, 'list passkeys');
    return (await listPasskeys(this.accounts, signedIn.account.user.id)).map(viewPasskey);
  }

  async rename(signedIn: SignedIn, id: string, friendlyName: string, device: Device): Promise<PasskeyView> {
    this.refuseOff();
    personalSession(signedIn, 'rename a passkey');
    if (!uuidForm.test(id)) throw noSuchPasskey();
    if (friendlyName === '') throw fault('validation_failed', { message: 'friendly_name is required' });
    if (friendlyName.length > maxNameLength) throw fault('validation_failed', { message: `friendly_name must be ${maxNameLength} characters or less` });
    refuseUnstorable(friendlyName, 'friendly_name');
    const { user } = signedIn.account;
    return this.accounts.transaction(async (tx) => {
      const renamed = await renamePasskey(tx, user.id, id, friendlyName);
      if (renamed === null) throw noSuchPasskey();
      await audit(tx, 'passkey_updated', user, device, { passkey_id: renamed.id });
      return viewPasskey(renamed);
    });
  }

  async remove(signedIn: SignedIn, id: string, device: Device): Promise<void> {
    const { user } = this.owner(signedIn);
    if (!uuidForm.test(id)) throw noSuchPasskey();
    await this.accounts.transaction(async (tx) => {
      if (!(await dropPasskey(tx, user.id, id))) throw noSuchPasskey();
      await audit(tx, 'passkey_deleted', user, device, { passkey_id: id });
    });
  }

  /** Who may add and delete passkeys: with a second factor, only a session in which it was shown. */
  private owner(signedIn: SignedIn): { readonly user: User } {
    this.refuseOff();
    const session = personalSession(signedIn, 'manage passkeys');
    const { user, factors = [] } = signedIn.account;
    if (factors.some(isVerified) && !isRaised(session)) throw fault('insufficient_aal', { status: 403, message: 'AAL2 session is required to manage passkeys when MFA is enabled' });
    if (user.isSsoUser) throw fault('validation_failed', { status: 422, message: 'SSO users cannot register passkeys' });
    return { user };
  }

  private refuseOff(): void {
    if (!this.settings.passkeysEnabled) throw fault('passkey_disabled');
  }

  private async begun(userId: string | null, type: 'registration' | 'authentication', options: { readonly challenge: string }): Promise<object> {
    const { id, until } = await beginPasskey(this.accounts, { userId, type, challenge: options.challenge }, this.settings.webauthnChallengeSeconds);
    return { challenge_id: id, options, expires_at: until };
  }

  private async takeChallenge({ challengeId, credential }: PasskeyAnswer, type: 'registration' | 'authentication', userId: string | null): Promise<PasskeyChallenge> {
    if (challengeId === '') throw fault('validation_failed', { message: 'challenge_id is required' });
    if (credential === undefined || credential === null) throw fault('validation_failed', { message: 'credential is required' });
    if (!uuidForm.test(challengeId)) throw fault('validation_failed', { message: 'challenge_id must be a valid UUID' });
    const challenge = await takePasskeyChallenge(this.accounts, challengeId, type, userId);
    if (challenge === null) throw fault('webauthn_challenge_not_found');
    if (challenge.isOver) throw fault('webauthn_challenge_expired');
    if (credentialIdOf(credential) === null) throw fault('webauthn_verification_failed', { message: 'Invalid credential response' });
    return challenge;
  }
}

export function viewPasskey({ id, friendlyName, createdAt, lastUsedAt }: Passkey): PasskeyView {
  return { id, ...(friendlyName === '' ? {} : { friendly_name: friendlyName }), created_at: createdAt, ...(lastUsedAt === null ? {} : { last_used_at: lastUsedAt }) };
}

export function noSuchPasskey() {
  return fault('validation_failed', { status: 404, message: 'Passkey not found' });
}

/** What is told only to somebody who holds the passkey. */
function refuseUnfit(user: User): void {
  if (user.deletedAt instanceof Date) throw fault('user_not_found', { status: 403 });
  if ((user.email ?? '') !== '' && !isEmailConfirmed(user)) throw fault('email_not_confirmed', { status: 403 });
  if ((user.phone ?? '') !== '' && !isPhoneConfirmed(user)) throw fault('phone_not_confirmed', { status: 403 });
  if (isBanned(user)) throw fault('user_banned', { status: 403 });
}
