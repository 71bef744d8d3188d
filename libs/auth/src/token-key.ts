import type { CryptoKey } from 'jose';

/** A key that verifies tokens: it is used with its own algorithm and with no other. */
export interface TokenKey {
  readonly kid: string | null;
  readonly alg: string;
  readonly verifying: CryptoKey | Uint8Array;
}
