import type { Settings } from '@mainstay/config';
import { fault } from './faults.ts';
import { fetchWithin } from './outgoing.ts';

const verifiers = { hcaptcha: 'https://hcaptcha.com/siteverify', turnstile: 'https://challenges.cloudflare.com/turnstile/v0/siteverify' } as const;
const askTimeoutMs = 5000;

type CaptchaSettings = Pick<Settings, 'captchaEnabled' | 'captchaProvider' | 'captchaSecret' | 'captchaVerifierUrl'>;

/** Proof that a person sits there, by hCaptcha's and Turnstile's common protocol. */
export class Captcha {
  constructor(private readonly settings: CaptchaSettings) {}

  get isOn(): boolean {
    return this.settings.captchaEnabled;
  }

  /** @throws Fault `captcha_failed`, or `unexpected_failure` where the verifier does not answer: nobody comes in unproved. */
  async refuseUnproved(token: string, address: string | null): Promise<void> {
    const { captchaEnabled, captchaProvider, captchaSecret, captchaVerifierUrl } = this.settings;
    if (!captchaEnabled) return;
    if (token === '') throw fault('captcha_failed', { message: 'captcha protection: request disallowed (no captcha_token found in request)' });
    const form = new URLSearchParams({ secret: captchaSecret ?? '', response: token, ...(address === null ? {} : { remoteip: address }) });
    const verdict = await askVerifier(captchaVerifierUrl ?? verifiers[captchaProvider], form);
    if (verdict.success !== true) throw fault('captcha_failed', { message: `captcha protection: request disallowed (${(verdict['error-codes'] ?? []).map(String).join(', ').slice(0, 200)})` });
  }
}

interface Verdict {
  readonly success?: unknown;
  readonly 'error-codes'?: readonly unknown[];
}

async function askVerifier(url: string, form: URLSearchParams): Promise<Verdict> {
  try {
    const answer = await fetchWithin(url, { method: 'POST', body: form, signal: AbortSignal.timeout(askTimeoutMs) });
    const verdict: unknown = await answer.json();
    return typeof verdict === 'object' && verdict !== null ? (verdict as Verdict) : {};
  } catch (error) {
    throw fault('unexpected_failure', { message: 'captcha verification process failed', cause: error });
  }
}
