import type { Settings } from '@mainstay/config';
import type { User } from '@mainstay/persistence';
import type { verifyAuthenticationResponse, verifyRegistrationResponse } from '@simplewebauthn/server';

/** A credential's public half, with what tells a copied authenticator. Bytes are base64url. */
export interface PublicCredential {
  readonly credentialId: string;
  readonly publicKey: string;
  readonly signCount: number;
  readonly transports: readonly string[];
}

/** What a new credential said of itself. */
export interface NewCredential extends PublicCredential {
  readonly aaguid: string | null;
  readonly attestationType: string;
  readonly isBackupEligible: boolean;
  readonly isBackedUp: boolean;
  readonly isUserVerified: boolean;
}

/** Loaded at the first ceremony: it is made of 280 files, which would be almost half of what the api reads at its start. */
const webauthn = () => import('@simplewebauthn/server');

/** ES256, EdDSA, RS256: what authenticators have. */
const algorithms = [-7, -8, -257];

type Creation = Parameters<typeof verifyRegistrationResponse>[0]['response'];
type Assertion = Parameters<typeof verifyAuthenticationResponse>[0]['response'];

type PartySettings = Pick<Settings, 'relyingPartyId' | 'relyingPartyName' | 'relyingPartyOrigins' | 'siteUrl'>;

/** The site to which passkeys and security keys belong, and the ceremonies of WebAuthn with them. */
export class RelyingParty {
  private readonly id: string;
  private readonly name: string;
  private readonly origins: string[];

  constructor({ relyingPartyId, relyingPartyName, relyingPartyOrigins, siteUrl }: PartySettings) {
    const site = new URL(siteUrl);
    this.id = relyingPartyId ?? site.hostname;
    this.name = relyingPartyName ?? site.hostname;
    this.origins = relyingPartyOrigins.length === 0 ? [site.origin] : [...relyingPartyOrigins];
  }

  /** What a browser needs to make a credential for this user; a discoverable one can sign in without an address. */
  async creationOptions(user: User, known: readonly PublicCredential[], { isDiscoverable, seconds }: { readonly isDiscoverable: boolean; readonly seconds: number }) {
    const name = [user.email, user.phone, user.id].find((each) => (each ?? '') !== '')!;
    const { generateRegistrationOptions } = await webauthn();
    return generateRegistrationOptions({
      rpName: this.name,
      rpID: this.id,
      userName: name,
      userDisplayName: displayNameOf(user) ?? name,
      // The user handle, as GoTrue writes it: the id's text.
      userID: new Uint8Array(Buffer.from(user.id)),
      timeout: seconds * 1000,
      attestationType: 'none',
      excludeCredentials: known.map(described),
      authenticatorSelection: { residentKey: isDiscoverable ? 'required' : 'discouraged', userVerification: 'preferred' },
      supportedAlgorithmIDs: algorithms,
    });
  }

  /** What a browser needs to show a credential: one of these, or any that it has for this site. */
  async requestOptions(known: readonly PublicCredential[] | null, seconds: number) {
    const { generateAuthenticationOptions } = await webauthn();
    return generateAuthenticationOptions({ rpID: this.id, timeout: seconds * 1000, userVerification: 'preferred', ...(known === null ? {} : { allowCredentials: known.map(described) }) });
  }

  /** The credential that was made for this challenge, on one of our pages; null where the proof does not hold. */
  async proveCreation(response: unknown, challenge: string): Promise<NewCredential | null> {
    const { verifyRegistrationResponse } = await webauthn();
    const proof = await held(() =>
      verifyRegistrationResponse({ response: response as Creation, expectedChallenge: challenge, expectedOrigin: this.origins, expectedRPID: this.id, requireUserVerification: false, supportedAlgorithmIDs: algorithms }),
    );
    if (proof === null || !proof.verified) return null;
    const { credential, aaguid, fmt, credentialDeviceType, credentialBackedUp, userVerified } = proof.registrationInfo;
    return {
      credentialId: credential.id,
      publicKey: Buffer.from(credential.publicKey).toString('base64url'),
      signCount: credential.counter,
      transports: (credential.transports ?? []).filter((transport) => typeof transport === 'string').map((transport) => transport.slice(0, 32)).slice(0, 8),
      aaguid: /^[0-]+$/.test(aaguid) ? null : aaguid,
      attestationType: fmt,
      isBackupEligible: credentialDeviceType === 'multiDevice',
      isBackedUp: credentialBackedUp,
      isUserVerified: userVerified,
    };
  }

  /** Whether the holder of this credential signed this challenge on one of our pages; a counter that went back is no proof. */
  async proveRequest(response: unknown, challenge: string, known: PublicCredential): Promise<{ readonly signCount: number; readonly isBackedUp: boolean } | null> {
    const credential = { id: known.credentialId, publicKey: new Uint8Array(Buffer.from(known.publicKey, 'base64url')), counter: known.signCount };
    const { verifyAuthenticationResponse } = await webauthn();
    const proof = await held(() =>
      verifyAuthenticationResponse({ response: response as Assertion, expectedChallenge: challenge, expectedOrigin: this.origins, expectedRPID: this.id, credential, requireUserVerification: false }),
    );
    if (proof === null || !proof.verified) return null;
    return { signCount: proof.authenticationInfo.newCounter, isBackedUp: proof.authenticationInfo.credentialBackedUp };
  }
}

/** The id of the credential that a browser's answer speaks of; null where it is no such answer. */
export function credentialIdOf(response: unknown): string | null {
  if (typeof response !== 'object' || response === null) return null;
  const { id, rawId, type, response: inner } = response as Record<string, unknown>;
  const isAnswer = typeof id === 'string' && id === rawId && type === 'public-key' && typeof inner === 'object' && inner !== null && typeof (inner as Record<string, unknown>)['clientDataJSON'] === 'string';
  return isAnswer && /^[\w-]{1,1364}$/.test(id) ? id : null;
}

/** Whom a discoverable credential says it belongs to: the text of an id; null where it says nothing. */
export function userHandleOf(response: unknown): string | null {
  const handle = (response as { response?: { userHandle?: unknown } } | null)?.response?.userHandle;
  return typeof handle === 'string' && handle !== '' ? Buffer.from(handle, 'base64url').toString() : null;
}

function described({ credentialId, transports }: PublicCredential) {
  return { id: credentialId, ...(transports.length === 0 ? {} : { transports: [...transports] }) };
}

/** The library throws for whatever does not fit, with a message for developers; to whoever asks it is one refusal. */
async function held<T>(verify: () => Promise<T>): Promise<T | null> {
  try {
    return await verify();
  } catch {
    return null;
  }
}

function displayNameOf({ rawUserMetaData }: User): string | null {
  const name = rawUserMetaData?.['full_name'] ?? rawUserMetaData?.['name'];
  return typeof name === 'string' && name !== '' ? name.slice(0, 64) : null;
}
