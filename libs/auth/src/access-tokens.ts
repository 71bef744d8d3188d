import { apiUrlOf, type Settings } from '@mainstay/config';
import type { SessionFacts, User } from '@mainstay/persistence';
import { SignJWT, type JWTPayload } from 'jose';
import { noHooks, type Hooks } from './hooks.ts';
import type { SigningKey } from './keyring.ts';
import { customClaims } from './token-hook.ts';

export interface AccessToken {
  readonly text: string;
  /** Unix seconds. */
  readonly expiresAt: number;
  readonly lifetimeSeconds: number;
}

/** Signs access tokens: what the holder may show to every surface of ours, and what row policies read. */
export class AccessTokens {
  private readonly issuer: string;

  constructor(
    /** Asked for each token: keys are rotated while we run. */
    private readonly keys: { readonly signing: SigningKey },
    private readonly settings: Pick<Settings, 'apiExternalUrl' | 'host' | 'port' | 'jwtAudience' | 'jwtExpirySeconds'>,
    private readonly hooks: Hooks = noHooks,
  ) {
    this.issuer = `${apiUrlOf(settings)}/auth/v1`;
  }

  /** @param method by which it was earned; the project's hook is told */
  async sign(user: User, session: SessionFacts, method = session.amr[0]?.method ?? 'password'): Promise<AccessToken> {
    const issuedAt = Math.floor(Date.now() / 1000);
    const lifetimeSeconds = this.settings.jwtExpirySeconds;
    const expiresAt = issuedAt + lifetimeSeconds;
    const ours = {
      iss: this.issuer,
      sub: user.id,
      aud: textOr(user.aud, this.settings.jwtAudience),
      exp: expiresAt,
      iat: issuedAt,
      email: user.email ?? '',
      phone: user.phone ?? '',
      app_metadata: user.rawAppMetaData ?? {},
      user_metadata: user.rawUserMetaData ?? {},
      role: textOr(user.role, 'authenticated'),
      aal: session.aal,
      amr: session.amr,
      session_id: session.id,
      is_anonymous: user.isAnonymous,
      ...(session.clientId ? { client_id: session.clientId, scope: session.scopes ?? '' } : {}),
    };
    const claims = await customClaims(this.hooks, session, ours, method);
    const endsAt = Number(claims['exp']);
    return { text: await signed(claims, this.keys.signing), expiresAt: endsAt, lifetimeSeconds: endsAt - issuedAt };
  }

  /** Signs what tells an application who its user is. Its audience is the application, so that it opens nothing here. */
  async signIdToken(userId: string, clientId: string, claims: Readonly<Record<string, unknown>>): Promise<string> {
    const issuedAt = Math.floor(Date.now() / 1000);
    return signed({ ...claims, iss: this.issuer, sub: userId, aud: clientId, azp: clientId, iat: issuedAt, exp: issuedAt + this.settings.jwtExpirySeconds }, this.keys.signing);
  }

  get algorithm(): string {
    return this.keys.signing.alg;
  }
}

function signed(claims: JWTPayload, { alg, kid, signing }: SigningKey): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg, typ: 'JWT', ...(kid === null ? {} : { kid }) }).sign(signing);
}

/** Rows of seeds leave these null or empty. */
function textOr(text: string | null | undefined, otherwise: string): string {
  return text === null || text === undefined || text === '' ? otherwise : text;
}
