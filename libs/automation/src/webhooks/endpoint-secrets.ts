import { makeWebhookSecret } from '@mainstay/outward';
import { Sealing } from '@mainstay/persistence';

/** A secret of an endpoint, the newest first. */
export interface EndpointSecret {
  readonly secret: string;
  readonly created_at: string;
  /** Until when it signs beside the newer one. */
  readonly expires_at: string | null;
}

export function webhookSealing(secret: string): Sealing {
  return new Sealing(secret, 'mainstay webhooks');
}

export function newSecret(now: Date): EndpointSecret {
  return { secret: makeWebhookSecret(), created_at: now.toISOString(), expires_at: null };
}

/** A new one takes the place of the one there is, which signs for some hours yet. */
export function rotated(secrets: readonly EndpointSecret[], overlapHours: number, now: Date): EndpointSecret[] {
  const until = new Date(now.getTime() + overlapHours * 3_600_000).toISOString();
  const kept = secrets.map((old) => ({ ...old, expires_at: old.expires_at ?? until })).filter(({ expires_at: end }) => end > now.toISOString());
  return [newSecret(now), ...kept];
}

/** Those that sign now. */
export function signing(secrets: readonly EndpointSecret[], now: Date): string[] {
  return secrets.filter(({ expires_at: end }) => end === null || Date.parse(end) > now.getTime()).map(({ secret }) => secret);
}

export function sealSecrets(sealing: Sealing, endpointId: string, secrets: readonly EndpointSecret[]): string {
  return sealing.seal(`secrets of ${endpointId}`, JSON.stringify(secrets));
}

/** Null where they were sealed with another MAINSTAY_SECRET. */
export function openSecrets(sealing: Sealing, endpointId: string, sealed: string): EndpointSecret[] | null {
  const text = sealing.open(`secrets of ${endpointId}`, sealed);
  return text === null ? null : (JSON.parse(text) as EndpointSecret[]);
}

export function sealHeaders(sealing: Sealing, endpointId: string, headers: Readonly<Record<string, string>>): string | null {
  return Object.keys(headers).length === 0 ? null : sealing.seal(`headers of ${endpointId}`, JSON.stringify(headers));
}

export function openHeaders(sealing: Sealing, endpointId: string, sealed: string | null): Record<string, string> | null {
  if (sealed === null) return {};
  const text = sealing.open(`headers of ${endpointId}`, sealed);
  return text === null ? null : (JSON.parse(text) as Record<string, string>);
}
