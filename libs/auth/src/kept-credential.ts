import type { NewCredential, PublicCredential } from './relying-party.ts';

/** A WebAuthn factor's credential in `auth.mfa_factors`, in the form in which GoTrue keeps it: bytes are base64. */
interface KeptCredential {
  readonly id: string;
  readonly publicKey: string;
  readonly transport?: readonly string[] | null;
  readonly authenticator?: { readonly signCount?: number };
  readonly flags?: object;
}

/** Reads what this or another system kept; null where it is nothing of that kind. */
export function readCredential(kept: unknown): PublicCredential | null {
  if (typeof kept !== 'object' || kept === null) return null;
  const { id, publicKey, transport, authenticator } = kept as Partial<KeptCredential>;
  if (typeof id !== 'string' || typeof publicKey !== 'string') return null;
  const url = (base64: string): string => Buffer.from(base64, 'base64').toString('base64url');
  return { credentialId: url(id), publicKey: url(publicKey), signCount: Number(authenticator?.signCount ?? 0), transports: (transport ?? []).filter((each) => typeof each === 'string') };
}

/** A new credential to be kept, or what a known one is after it was shown. */
export function keptCredential(credential: NewCredential | { readonly signCount: number; readonly isBackedUp: boolean }, known?: unknown): object {
  if (!('credentialId' in credential)) {
    const before = known as KeptCredential;
    return { ...before, flags: { ...before.flags, backupState: credential.isBackedUp }, authenticator: { ...before.authenticator, signCount: credential.signCount } };
  }
  const base64 = (url: string): string => Buffer.from(url, 'base64url').toString('base64');
  return {
    id: base64(credential.credentialId),
    publicKey: base64(credential.publicKey),
    attestationType: credential.attestationType,
    transport: credential.transports,
    flags: { userPresent: true, userVerified: credential.isUserVerified, backupEligible: credential.isBackupEligible, backupState: credential.isBackedUp },
    authenticator: { AAGUID: Buffer.from((credential.aaguid ?? '').replaceAll('-', ''), 'hex').toString('base64'), signCount: credential.signCount, cloneWarning: false, attachment: '' },
  };
}
