import type { Settings } from '@mainstay/config';
import type { Caller } from '@mainstay/domain';
import type { Account, Accounts, AuthSession, Device, KeptSession, OpenAccounts, SessionFacts, TokenInFamily } from '@mainstay/persistence';
import { listSessions, sessionStanding } from '@mainstay/persistence';
import { randomUUID } from 'node:crypto';
import type { AccessTokens } from './access-tokens.ts';
import { audit, auditAdmin } from './audit.ts';
import { fault } from './faults.ts';
import { asPassing } from './hooks.ts';
import { digestOf, worthOf, type RefreshTokens } from './refresh-tokens.ts';
import { isBanned, viewUser, type UserView } from './views.ts';

/** A session as its owner gets it. */
export interface SessionAnswer {
  readonly access_token: string;
  readonly token_type: 'bearer';
  readonly expires_in: number;
  readonly expires_at: number;
  readonly refresh_token: string;
  readonly user: UserView;
  /** Why the password that was just used would not be taken as a new one. */
  readonly weak_password?: { readonly message: string; readonly reasons: readonly string[] };
}

/** An open session with the refresh token that its owner may use next. */
export interface OpenSession {
  readonly account: Account;
  readonly facts: SessionFacts;
  readonly refreshToken: string;
}

/** Who a request of `/auth/v1` speaks for, looked up now and not only proved by a token. */
export interface SignedIn {
  readonly account: Account;
  /** Null for a token that names no session, such as one that an application signed itself. */
  readonly session: AuthSession | null;
}

type SessionSettings = Pick<Settings, 'refreshReuseSeconds' | 'sessionTimeboxSeconds' | 'sessionIdleSeconds' | 'singleSession'>;

/** A session as its owner sees it in a list. */
export interface SessionView extends KeptSession {
  /** The one that asks. */
  readonly is_current: boolean;
}

/** Which sessions a sign-out ends. */
export type LogoutScope = 'global' | 'local' | 'others';

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The life of a session: opened by a sign-in, refreshed by its tokens, ended by its owner or by a theft. */
export class Sessions {
  constructor(
    private readonly accounts: Accounts,
    private readonly accessTokens: AccessTokens,
    private readonly refreshTokens: RefreshTokens,
    private readonly settings: SessionSettings,
  ) {}

  /** Opens a session inside the transaction of the sign-in that earned it. */
  async open(tx: OpenAccounts, account: Account, method: string, device: Device): Promise<OpenSession> {
    account.user.lastSignInAt = new Date();
    await tx.write();
    const refreshToken = this.refreshTokens.makeFirst();
    const facts = await tx.startSession(account.user.id, method, device, digestOf(refreshToken), randomUUID());
    return { account, facts, refreshToken };
  }

  /** The answer that carries a session to its owner. Signing is done when the transaction is over: it needs no lock. */
  async answer({ account, facts, refreshToken }: OpenSession, method?: string): Promise<SessionAnswer> {
    const token = await this.accessTokens.sign(account.user, facts, method);
    return {
      access_token: token.text,
      token_type: 'bearer',
      expires_in: token.lifetimeSeconds,
      expires_at: token.expiresAt,
      refresh_token: refreshToken,
      user: viewUser(account),
    };
  }

  /**
   * Exchanges a refresh token. Everybody who does so for one session comes one after the other, so many tabs at once
   * leave one lineage: the first rotates, the others are given what it got.
   * @param clientId the application that asks, proved; null is the user's own
   */
  async refresh(token: string, device: Device, clientId: string | null = null): Promise<SessionAnswer> {
    const digest = digestOf(token);
    const atOnce = this.hasRules || clientId !== null ? null : await this.refreshAtOnce(token, digest, device);
    if (atOnce !== null) return this.refreshed(atOnce);
    // A theft has to be written down, so it leaves the transaction as a value: a throw would roll its traces back.
    const open = await this.accounts.transaction(async (tx) => {
      const family = await tx.lockFamily(digest);
      if (family === null || (family.session.clientId ?? null) !== clientId) throw fault('refresh_token_not_found');
      const worth = worthOf(digest, family, this.settings.refreshReuseSeconds);
      if (worth === 'refuse') throw fault('refresh_token_already_used');
      if (family.isSessionOver || (await this.isOutlived(tx, family.session.id))) throw fault('session_expired');
      const account = await this.entitled(tx, family.session.userId);
      if (worth === 'revoke') {
        await tx.revokeFamily(family.session.id);
        await audit(tx, 'token_revoked', account.user, device);
        return null;
      }
      const refreshToken = worth === 'rotate' ? await this.rotate(tx, family, token, digest, device) : await this.repeat(tx, family, token, device);
      return { account, facts: family.session, refreshToken };
    });
    if (open === null) throw fault('refresh_token_already_used');
    return this.refreshed(open);
  }

  /**
   * Who the caller is now. A token outlives what it says: the account may be gone or banned, the session ended.
   * @throws Fault as GoTrue words each of these.
   */
  async signedIn(caller: Caller): Promise<SignedIn> {
    if (caller.subject === null) throw fault('bad_jwt', { message: 'invalid claim: missing sub claim' });
    if (!uuidForm.test(caller.subject)) throw fault('bad_jwt', { message: 'invalid claim: sub claim must be a UUID' });
    if (caller.sessionId !== null && !uuidForm.test(caller.sessionId)) throw fault('bad_jwt', { message: 'invalid claim: session_id claim must be a UUID' });
    const { account, session } = await this.accounts.findSignedIn(caller.subject, caller.sessionId);
    if (account === null || account.user.deletedAt instanceof Date) throw fault('user_not_found', { status: 403, message: 'User from sub claim in JWT does not exist' });
    if (caller.sessionId !== null && (session === null || isOver(session))) throw fault('session_not_found');
    if (session !== null && this.isPast(session)) throw fault('session_expired', { status: 403, message: 'Session has expired' });
    if (isBanned(account.user)) throw fault('user_banned', { status: 403 });
    return { account, session: session === null ? null : { ...session, aal: lesserLevel(session.aal, caller.claims['aal']) } };
  }

  /** The sessions of whoever asks, the last used first. */
  async list({ account, session }: SignedIn): Promise<SessionView[]> {
    const kept = await listSessions(this.accounts, account.user.id);
    return kept.map((each) => ({ ...each, is_current: each.id === session?.id }));
  }

  /** Ends one of one's own sessions. @throws Fault `session_not_found` */
  async endOne({ account }: SignedIn, id: string, device: Device): Promise<void> {
    if (!uuidForm.test(id)) throw fault('validation_failed', { message: 'session_id must be an UUID' });
    await this.accounts.transaction(async (tx) => {
      const kept = await listSessions(tx, account.user.id);
      if (!kept.some((each) => each.id === id.toLowerCase())) throw fault('session_not_found', { status: 404, message: 'Session not found' });
      await tx.endSessions(account.user.id, { only: id });
      await audit(tx, 'logout', account.user, device, { session_id: id });
    });
  }

  /** Ends sessions at once: their refresh tokens go, and the auth API no longer takes their access tokens. */
  async end({ account, session }: SignedIn, scope: LogoutScope, device: Device | null = null): Promise<void> {
    const { id } = account.user;
    await this.accounts.transaction(async (tx) => {
      await audit(tx, 'logout', account.user, device);
      if (session === null || scope === 'global') return tx.endSessions(id);
      return tx.endSessions(id, scope === 'local' ? { only: session.id } : { except: session.id });
    });
  }

  /** The sessions of another, for an administrator. @throws Fault `user_not_found` */
  async listOf(userId: string): Promise<SessionView[]> {
    if (!uuidForm.test(userId)) throw fault('validation_failed', { status: 404, message: 'user_id must be an UUID' });
    if ((await this.accounts.find(userId)) === null) throw fault('user_not_found');
    const kept = await listSessions(this.accounts, userId);
    return kept.map((each) => ({ ...each, is_current: false }));
  }

  /** Ends one session of another, or with null all of them. @throws Fault `user_not_found`, `session_not_found` */
  async endOf(userId: string, id: string | null, device: Device): Promise<void> {
    const live = await this.listOf(userId);
    if (id !== null && !live.some((each) => each.id === id.toLowerCase())) throw fault('session_not_found', { status: 404, message: 'Session not found' });
    await this.accounts.transaction(async (tx) => {
      const account = await tx.find(userId);
      if (account === null) throw fault('user_not_found');
      await tx.endSessions(userId, id === null ? {} : { only: id });
      await auditAdmin(tx, 'logout', account.user, device, id === null ? {} : { session_id: id });
    });
  }

  private async refreshed(open: OpenSession): Promise<SessionAnswer> {
    try {
      return await this.answer(open, 'token_refresh');
    } catch (error) {
      throw asPassing(error);
    }
  }

  /** What nearly every refresh is: the live token of a living session, replaced in one round trip. */
  private async refreshAtOnce(token: string, digest: string, device: Device): Promise<OpenSession | null> {
    const refreshToken = this.refreshTokens.childOf(token);
    const refreshed = await this.accounts.refreshes.ask(digest, digestOf(refreshToken), device);
    return refreshed === null ? null : { ...refreshed, refreshToken };
  }

  /** Whether a session may end by more than its own end. */
  private get hasRules(): boolean {
    const { sessionTimeboxSeconds, sessionIdleSeconds, singleSession } = this.settings;
    return sessionTimeboxSeconds > 0 || sessionIdleSeconds > 0 || singleSession;
  }

  /** Past its time box or idle limit, or replaced by a newer one where a user may have only one. Asked only where such a rule is set. */
  private async isOutlived(tx: OpenAccounts, sessionId: string): Promise<boolean> {
    if (!this.hasRules) return false;
    const { sessionTimeboxSeconds: timebox, sessionIdleSeconds: idle, singleSession } = this.settings;
    const standing = await sessionStanding(tx, sessionId);
    return (timebox > 0 && standing.ageSeconds > timebox) || (idle > 0 && standing.idleSeconds > idle) || (singleSession && standing.hasNewer);
  }

  private isPast({ createdAt, updatedAt }: AuthSession): boolean {
    const { sessionTimeboxSeconds: timebox, sessionIdleSeconds: idle } = this.settings;
    const secondsSince = (time: Date | null | undefined): number => (time instanceof Date ? (Date.now() - time.getTime()) / 1000 : 0);
    return (timebox > 0 && secondsSince(createdAt) > timebox) || (idle > 0 && secondsSince(updatedAt) > idle);
  }

  private async entitled(tx: OpenAccounts, userId: string): Promise<Account> {
    const account = await tx.find(userId);
    if (account === null) throw fault('refresh_token_not_found');
    if (isBanned(account.user)) throw fault('user_banned', { message: 'Invalid Refresh Token: User Banned' });
    return account;
  }

  private async rotate(tx: OpenAccounts, family: TokenInFamily, token: string, digest: string, device: Device): Promise<string> {
    const child = this.refreshTokens.childOf(token);
    await tx.rotate(family.session, digest, digestOf(child), device);
    return child;
  }

  /** Gives the live token once more. After a change of MAINSTAY_SECRET it cannot be found again: then it is replaced. */
  private async repeat(tx: OpenAccounts, family: TokenInFamily, token: string, device: Device): Promise<string> {
    const { session, active } = family;
    const live = this.refreshTokens.descendant(token, active!.digest);
    if (live !== null) return live;
    const fresh = this.refreshTokens.makeFirst();
    await tx.rotate(session, active!.digest, digestOf(fresh), device);
    return fresh;
  }
}

/** A token from before the second factor is not raised with its session, nor one from after it when the factor has gone. */
function lesserLevel(ofSession: string | null | undefined, ofToken: unknown): string {
  return typeof ofToken === 'string' && ofToken !== 'aal1' && typeof ofSession === 'string' ? ofSession : 'aal1';
}

function isOver({ notAfter }: AuthSession): boolean {
  return notAfter instanceof Date && notAfter.getTime() <= Date.now();
}
