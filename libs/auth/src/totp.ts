import { timingSafeEqual } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';
import { renderSVG } from 'uqr';

/** What every authenticator app does without being asked. */
const form = { algorithm: 'SHA1', digits: 6, period: 30 } as const;
const secretBytes = 20;

/** The secret of a new authenticator, in the forms by which an app takes it. */
export interface NewAuthenticator {
  readonly secret: string;
  readonly uri: string;
  /** An SVG document. */
  readonly qrCode: string;
}

export function makeAuthenticator(issuer: string, label: string): NewAuthenticator {
  const secret = new Secret({ size: secretBytes });
  const uri = new TOTP({ ...form, issuer, label, secret }).toString();
  return { secret: secret.base32, uri, qrCode: renderSVG(uri, { ecc: 'M', border: 4, pixelSize: 4 }) };
}

/**
 * The step of time that a code is of, within one step of now; null for a code of none. All three are compared, each in constant time.
 * @throws Error where the secret is none
 */
export function stepOf(secretText: string, code: string, nowMs: number): number | null {
  const secret = Secret.fromBase32(secretText.trim().replaceAll(' ', '').toUpperCase());
  const now = Math.floor(nowMs / 1000 / form.period);
  const shown = Buffer.from(code);
  const right = [now - 1, now, now + 1].filter((step) => {
    const expected = Buffer.from(TOTP.generate({ ...form, secret, timestamp: step * form.period * 1000 }));
    return shown.length === expected.length && timingSafeEqual(shown, expected);
  });
  return right.at(-1) ?? null;
}
