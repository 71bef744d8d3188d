import { createCipheriv, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';

/** A password hash of Firebase, in the form in which GoTrue keeps one. */
export interface FirebaseHash {
  readonly options: ScryptOptions & { readonly N: number; readonly r: number; readonly p: number };
  readonly salt: Buffer;
  readonly signerKey: Buffer;
  readonly hash: Buffer;
}

const form = /^\$fbscrypt\$v=1,n=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})(?:,ss=([^,$]*))?,sk=([^,$]+)\$([^$]+)\$([^$]+)$/;
const base64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** The most memory that one such hash may take to verify. */
const mostBytes = 128 * 1024 * 1024;

/** Reads `$fbscrypt$v=1,n=14,r=8,p=1,ss=…,sk=…$salt$hash`; null for anything else, and for one that is too dear. */
export function parseFirebaseHash(text: string): FirebaseHash | null {
  const match = form.exec(text);
  if (match === null) return null;
  const [, n, r, p, separator = '', signerKey, salt, hash] = match as unknown as [string, string, string, string, string | undefined, string, string, string];
  if (![separator, signerKey, salt, hash].every((part) => base64.test(part))) return null;
  const options = { N: 2 ** Number(n), r: Number(r), p: Number(p) };
  const bytes = 128 * options.N * options.r;
  if (options.N < 2 || options.r < 1 || options.p < 1 || options.p > 4 || bytes > mostBytes) return null;
  const decoded = (part: string): Buffer => Buffer.from(part, 'base64');
  return { options: { ...options, maxmem: 2 * bytes + 1024 * 1024 }, salt: Buffer.concat([decoded(salt), decoded(separator)]), signerKey: decoded(signerKey), hash: decoded(hash) };
}

/** Whether a password has this hash: Firebase encrypts the project's signer key by what scrypt makes of the password. */
export async function verifyFirebaseHash(password: string, { options, salt, signerKey, hash }: FirebaseHash): Promise<boolean> {
  const key = await new Promise<Buffer>((resolve, reject) => {
    scrypt(password, salt, 32, options, (error, derived) => (error === null ? resolve(derived) : reject(error)));
  });
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const made = Buffer.concat([cipher.update(signerKey), cipher.final()]);
  return made.length === hash.length && timingSafeEqual(made, hash);
}
