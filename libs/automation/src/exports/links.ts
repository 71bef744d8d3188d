import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { exportFault } from './export-faults.ts';

/** The key that all processes of one house sign links with. Without a secret a link is good for the process that gave it. */
export function linkKeyOf({ secret }: { readonly secret: string | null }): Uint8Array {
  return secret === null ? randomBytes(32) : createHmac('sha256', secret).update('export links').digest();
}

/** Links to files that whoever holds them may fetch until they expire: they name the file and the end, signed together. */
export class Links {
  constructor(private readonly key: Uint8Array) {}

  /** The query of a link, good until the given second since 1970. */
  sign(id: string, expires: number): string {
    return `expires=${expires}&signature=${this.signature(id, String(expires))}`;
  }

  /** @throws Fault for a link that we never made, or that is over */
  check(id: string, expires: string | undefined, signature: string | undefined, now: number): void {
    const right = Buffer.from(this.signature(id, expires ?? ''));
    const given = Buffer.from(signature ?? '');
    if (given.length !== right.length || !timingSafeEqual(given, right)) throw exportFault('link_not_valid', { hint: 'Take it whole, as the export shows it.' });
    const seconds = Number(expires);
    if (!(seconds > now)) throw exportFault('link_expired', { details: `It was good until ${new Date(seconds * 1000).toISOString()}.`, hint: 'Ask for the export again: it shows a new link as long as the file is kept.' });
  }

  private signature(id: string, expires: string): string {
    return createHmac('sha256', this.key).update(`${id.toLowerCase()}\n${expires}`).digest('base64url');
  }
}
