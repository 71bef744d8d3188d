import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

interface CreationOptions {
  readonly challenge: string;
  readonly user: { readonly id: string };
}

interface RequestOptions {
  readonly challenge: string;
}

interface Twist {
  readonly origin?: string;
  readonly challenge?: string;
  readonly counter?: number;
  readonly userHandle?: string;
  readonly rpId?: string;
}

const [userPresent, userVerified, withCredential] = [0x01, 0x04, 0x40];

/** An authenticator with one ES256 credential, without a browser around it: what it says can be twisted. */
export class SoftAuthenticator {
  readonly credentialId = randomBytes(32).toString('base64url');
  counter = 0;
  private userHandle = '';
  private readonly publicKey: KeyObject;
  private readonly privateKey: KeyObject;

  constructor(
    private readonly rpId: string,
    private readonly origin: string,
  ) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.publicKey = publicKey;
    this.privateKey = privateKey;
  }

  /** Answers `navigator.credentials.create()`, as JSON. */
  create(options: CreationOptions, twist: Twist = {}): Record<string, unknown> {
    this.userHandle = options.user.id;
    const authData = Buffer.concat([this.head(withCredential, twist), Buffer.alloc(16), uint16(Buffer.from(this.credentialId, 'base64url').length), Buffer.from(this.credentialId, 'base64url'), this.coseKey()]);
    const attestationObject = Buffer.concat([Buffer.from('a363666d74646e6f6e656761747453746d74a0686175746844617461', 'hex'), Buffer.from([0x59]), uint16(authData.length), authData]);
    return this.answer({ clientDataJSON: this.clientData('webauthn.create', options.challenge, twist), attestationObject: attestationObject.toString('base64url'), transports: ['internal'] });
  }

  /** Answers `navigator.credentials.get()`, as JSON. */
  get(options: RequestOptions, twist: Twist = {}): Record<string, unknown> {
    this.counter = twist.counter ?? this.counter + 1;
    const authenticatorData = this.head(0, twist);
    const clientDataJSON = this.clientData('webauthn.get', options.challenge, twist);
    const signed = Buffer.concat([authenticatorData, createHash('sha256').update(Buffer.from(clientDataJSON, 'base64url')).digest()]);
    const signature = sign('sha256', signed, this.privateKey).toString('base64url');
    return this.answer({ clientDataJSON, authenticatorData: authenticatorData.toString('base64url'), signature, userHandle: twist.userHandle ?? this.userHandle });
  }

  private answer(response: object): Record<string, unknown> {
    return { id: this.credentialId, rawId: this.credentialId, type: 'public-key', clientExtensionResults: {}, authenticatorAttachment: 'platform', response };
  }

  private head(flags: number, { rpId }: Twist): Buffer {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(this.counter);
    return Buffer.concat([createHash('sha256').update(rpId ?? this.rpId).digest(), Buffer.from([userPresent | userVerified | flags]), counter]);
  }

  private clientData(type: string, challenge: string, twist: Twist): string {
    return Buffer.from(JSON.stringify({ type, challenge: twist.challenge ?? challenge, origin: twist.origin ?? this.origin, crossOrigin: false })).toString('base64url');
  }

  /** CBOR of {1: 2, 3: -7, -1: 1, -2: x, -3: y}. */
  private coseKey(): Buffer {
    const { x, y } = this.publicKey.export({ format: 'jwk' });
    return Buffer.concat([Buffer.from('a5010203262001215820', 'hex'), Buffer.from(x!, 'base64url'), Buffer.from('225820', 'hex'), Buffer.from(y!, 'base64url')]);
  }
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
