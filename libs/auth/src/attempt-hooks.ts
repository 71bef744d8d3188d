import type { Hooks } from './hooks.ts';

const rejections = {
  password: 'Further password verification attempts will be rejected.',
  factor: 'Further MFA verification attempts will be rejected.',
};

/** What a hook says of an attempt. */
export interface Verdict {
  readonly isRejected: boolean;
  readonly message: string;
  readonly endsSessions: boolean;
}

interface FactorAttempt {
  readonly userId: string;
  readonly factorId: string;
  readonly factorType: string;
  readonly isValid: boolean;
}

/** Tells the hook of a password that was right or wrong. */
export async function passwordAttempt(hooks: Hooks, userId: string, isValid: boolean): Promise<Verdict> {
  return verdictOf(await hooks.ask('password_verification_attempt', { user_id: userId, valid: isValid }), rejections.password);
}

/** Tells the hook of a second factor that was right or wrong; null where there is no such hook. */
export function factorAttempts(hooks: Hooks): ((attempt: FactorAttempt) => Promise<Verdict>) | null {
  if (!hooks.has('mfa_verification_attempt')) return null;
  return async ({ userId, factorId, factorType, isValid }) =>
    verdictOf(await hooks.ask('mfa_verification_attempt', { user_id: userId, factor_id: factorId, factor_type: factorType, valid: isValid }), rejections.factor);
}

function verdictOf(answer: Readonly<Record<string, unknown>> | null, otherwise: string): Verdict {
  const { decision, message, should_logout_user: endsSessions } = answer ?? {};
  return { isRejected: decision === 'reject', message: typeof message === 'string' && message !== '' ? message : otherwise, endsSessions: endsSessions === true };
}
