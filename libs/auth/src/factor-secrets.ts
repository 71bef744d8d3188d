import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';

const prefix = 'mainstay:v1:';
const [ivBytes, tagBytes] = [12, 16];

/**
 * What second factors are checked by, as the database keeps it: secrets sealed, codes as digests that nobody makes without our
 * key. A sealed text is bound to its factor, so it opens nothing in another row. Plain secrets, as imports bring them, are read too.
 */
export class FactorSecrets {
  private readonly sealing: Buffer;
  private readonly hashing: Buffer;

  constructor(secret: string) {
    this.sealing = Buffer.from(hkdfSync('sha256', secret, '', 'mainstay factor secrets', 32));
    this.hashing = Buffer.from(hkdfSync('sha256', secret, '', 'mainstay factor codes', 32));
  }

  seal(factorId: string, plain: string): string {
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv('aes-256-gcm', this.sealing, iv).setAAD(Buffer.from(factorId));
    const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
    return prefix + Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
  }

  /** @throws Error where MAINSTAY_SECRET is not the one with which it was sealed */
  open(factorId: string, kept: string): string {
    if (!this.isSealed(kept)) return kept;
    const bytes = Buffer.from(kept.slice(prefix.length), 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', this.sealing, bytes.subarray(0, ivBytes)).setAAD(Buffer.from(factorId));
    decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
    return decipher.update(bytes.subarray(ivBytes + tagBytes), undefined, 'utf8') + decipher.final('utf8');
  }

  isSealed(kept: string): boolean {
    return kept.startsWith(prefix);
  }

  /** The digest of a code; `of` is what the code belongs to. */
  digestOf(of: string, code: string): string {
    return createHmac('sha256', this.hashing).update(JSON.stringify([of, code])).digest('hex');
  }

  isDigestOf(digest: string, of: string, code: string): boolean {
    const [kept, shown] = [Buffer.from(digest), Buffer.from(this.digestOf(of, code))];
    return kept.length === shown.length && timingSafeEqual(kept, shown);
  }
}

/** A code of so many digits. */
export function makeDigits(length: number): string {
  return String(randomInt(10 ** length)).padStart(length, '0');
}

/** No letter that is read as another: no i, l, o, u, 0, 1. */
const letters = 'abcdefghjkmnpqrstvwxyz23456789';

/** A text that a person copies from paper; each letter carries almost five bits. */
export function makeLetters(length: number): string {
  return Array.from({ length }, () => letters[randomInt(letters.length)]).join('');
}
