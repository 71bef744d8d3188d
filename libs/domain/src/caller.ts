/** The claims of a verified token, as they are handed to PostgreSQL in `request.jwt.claims`. */
export type Claims = Readonly<Record<string, unknown>>;

/** How a caller showed who they are. */
export type CallerKind = 'anonymous' | 'key' | 'user';

/**
 * Who asks, once the token or key has been verified. The database decides what they may do:
 * `role` is the PostgreSQL role to act as and `claims` are what row policies read.
 */
export interface Caller {
  readonly kind: CallerKind;
  readonly role: string;
  /** The user's id (`sub`), or null for keys and guests. */
  readonly subject: string | null;
  readonly sessionId: string | null;
  readonly claims: Claims;
  /** `claims` as JSON text: made once per token, not once per request. */
  readonly claimsText: string;
}

/** The role that sees and does everything, by the service key alone. */
export const serviceRole = 'service_role';

/** Makes a caller from verified claims; `role` falls back to the guest's role when the token names none. */
export function makeCaller(kind: CallerKind, claims: Claims, guestRole = 'anon'): Caller {
  const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
  const role = text(claims['role']) ?? guestRole;
  return {
    kind,
    role,
    subject: text(claims['sub']),
    sessionId: text(claims['session_id']),
    claims,
    claimsText: JSON.stringify({ ...claims, role }),
  };
}

export function isService(caller: Caller): boolean {
  return caller.role === serviceRole;
}

/**
 * The name under which jobs, imports and idempotency keys are kept: the user's id, or the role where there is no user.
 * Guests own nothing (null).
 */
export function ownerOf(caller: Caller): string | null {
  if (caller.subject !== null) return caller.subject;
  return caller.kind === 'key' && isService(caller) ? serviceRole : null;
}
