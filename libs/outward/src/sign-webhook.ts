import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const prefix = 'whsec_';
/** What Standard Webhooks asks of a secret. */
const [leastBytes, mostBytes] = [24, 64];
/** How far the sender's clock may be from ours. */
const toleranceSeconds = 300;

export interface SignedMessage {
  /** The same on every try, so that the receiver knows a repetition. */
  readonly id: string;
  readonly timestampSeconds: number;
  readonly body: Buffer | string;
  /** `whsec_…`, one or, while one takes the other's place, several. */
  readonly secrets: readonly string[];
}

/** The headers by which a receiver knows us, as Standard Webhooks has them: one signature for each secret. */
export function signWebhook({ id, timestampSeconds, body, secrets }: SignedMessage): Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string> {
  const signatures = secrets.map((secret) => `v1,${digestOf(secret, id, String(timestampSeconds), body).toString('base64')}`);
  return { 'webhook-id': id, 'webhook-timestamp': String(timestampSeconds), 'webhook-signature': signatures.join(' ') };
}

/** A new secret: 32 random bytes. */
export function makeWebhookSecret(): string {
  return `${prefix}${randomBytes(32).toString('base64')}`;
}

/** Whether a text is a secret of Standard Webhooks: `whsec_` and 24 to 64 bytes in base64. */
export function isWebhookSecret(text: string): boolean {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text)) return false;
  const { length } = Buffer.from(text.slice(prefix.length), 'base64');
  return length >= leastBytes && length <= mostBytes;
}

/**
 * Whether a message was signed with one of these secrets, and not long ago. For receivers of ours, and for specs.
 * @param headers with names in small letters
 */
export function isSignedWebhook(body: Buffer | string, headers: Readonly<Record<string, string | undefined>>, secrets: readonly string[], nowSeconds: number): boolean {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers;
  if (id === undefined || timestamp === undefined || signatures === undefined || !/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(nowSeconds - Number(timestamp)) > toleranceSeconds) return false;
  const given = signatures.split(' ').flatMap((signature) => (signature.startsWith('v1,') ? [Buffer.from(signature.slice(3), 'base64')] : []));
  return secrets.some((secret) => {
    const right = digestOf(secret, id, timestamp, body);
    return given.some((one) => one.length === right.length && timingSafeEqual(one, right));
  });
}

function digestOf(secret: string, id: string, timestamp: string, body: Buffer | string): Buffer {
  const key = Buffer.from(secret.startsWith(prefix) ? secret.slice(prefix.length) : secret, 'base64');
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
}
