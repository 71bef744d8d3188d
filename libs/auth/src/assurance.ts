import { endLowSessions, raiseSession, type AuthSession, type Factor, type FactorType, type OpenAccounts } from '@mainstay/persistence';
import { fault } from './faults.ts';
import { digestOf, type RefreshTokens } from './refresh-tokens.ts';
import type { OpenSession, SignedIn } from './sessions.service.ts';

/** What `amr` says of a session that was raised by such a factor. */
export const methodsOfFactors: Readonly<Record<FactorType, string>> = { totp: 'totp', phone: 'mfa/phone', webauthn: 'mfa/webauthn', recovery_code: 'mfa/recovery_code' };

/** The session of somebody who may have factors and passkeys: an account that is one of a person, and a session to raise. */
export function personalSession({ account, session }: SignedIn, forWhat: string): AuthSession {
  if (account.user.isAnonymous) throw fault('no_authorization', { status: 403, message: 'Anonymous user not allowed to perform these actions' });
  if (session === null) throw fault('session_not_found', { message: `A valid session and a registered user are required to ${forWhat}` });
  return session;
}

/** Whether a second factor was shown in this session. */
export function isRaised(session: AuthSession | null): boolean {
  return session?.aal === 'aal2' || session?.aal === 'aal3';
}

export function isVerified({ status }: Factor): boolean {
  return status === 'verified';
}

/** Raises sessions in the transaction in which a factor was shown. */
export class Assurance {
  constructor(private readonly refreshTokens: RefreshTokens) {}

  /** The same session at aal2, with a refresh token of its own line. Sessions of the user that stayed below end. */
  async raise(tx: OpenAccounts, session: AuthSession, factor: Factor): Promise<OpenSession> {
    const refreshToken = this.refreshTokens.makeFirst();
    const { id, userId } = session;
    const amr = await raiseSession(tx, { sessionId: id, userId, factorId: factor.id, method: methodsOfFactors[factor.type], tokenDigest: digestOf(refreshToken) });
    if (amr === null) throw fault('session_not_found');
    await endLowSessions(tx, userId, id);
    const account = await tx.find(userId);
    if (account === null) throw fault('user_not_found', { status: 403, message: 'User from sub claim in JWT does not exist' });
    return { account, facts: { id, userId, aal: 'aal2', amr }, refreshToken };
  }
}
