import type { Settings } from '@mainstay/config';
import { keysChannel, listKeyDigests, listSigningKeys, Sealing, type Accounts, type KeptSigningKey, type Listener } from '@mainstay/persistence';
import type { JWK } from 'jose';
import type { KeySource } from './callers.ts';
import { Keyring, noStoredKeys, type KeySettings, type SigningKey, type StoredKeys } from './keyring.ts';

/** How long a proof that fits no key may cause no further look at the database: whoever sends junk costs one look a second. */
const shortestPauseMs = 1000;

/** Even where a notification was lost, a revoked key does not hold for longer. */
const longestPauseMs = 30_000;

/**
 * The keys of the house as they are now: those of the settings and those that the database keeps. Every change there is heard
 * of at once, and whoever asked to be told is told.
 */
export class KeyStore implements KeySource {
  private keyring: Keyring;
  private readonly sealing: Sealing;
  private readonly told: ((keyring: Keyring) => void)[] = [];
  private stored: StoredKeys = noStoredKeys;
  private seen = '';
  private lookedAtMs = -Infinity;
  private reading: Promise<boolean> | null = null;
  /** Whoever makes a new ring of keys comes one after the other, so that no older one takes the place of a newer. */
  private turn: Promise<unknown> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private again: NodeJS.Timeout | undefined;

  constructor(
    private readonly accounts: Pick<Accounts, 'rows'>,
    private settings: KeySettings & Pick<Settings, 'secret'>,
    keyring: Keyring,
    private readonly onFailed: (error: unknown) => void = () => {},
  ) {
    this.keyring = keyring;
    this.sealing = new Sealing(settings.secret!, 'mainstay signing keys');
  }

  /** The key that signs now. */
  get signing(): SigningKey {
    return this.keyring.signing;
  }

  /** The public halves of all keys that verify, and of the one that signs next. */
  get published(): Keyring['published'] {
    return this.keyring.published;
  }

  /** The keys of JWT_KEYS that were not revoked. */
  settingKeys(): { readonly kid: string; readonly alg: string }[] {
    return this.keyring.own.map(({ kid, alg }) => ({ kid: kid!, alg }));
  }

  /** Calls `tell` with every new ring of keys. */
  onChange(tell: (keyring: Keyring) => void): void {
    this.told.push(tell);
  }

  /** Reads the keys, and goes on listening. A database that is away is asked again as soon as it is back. */
  async start(listener: Listener): Promise<void> {
    const look = (): void => void this.reread();
    listener.on({ channel: keysChannel, onNotify: look, onListening: look });
    this.timer = setInterval(look, longestPauseMs).unref();
    await this.reread();
    void listener.start();
  }

  stop(): void {
    clearInterval(this.timer);
    clearTimeout(this.again);
  }

  read(settings: KeySettings): Promise<Keyring> {
    return this.inTurn(async () => {
      const keyring = await Keyring.readAny(settings, this.stored);
      this.settings = { ...settings, secret: this.settings.secret };
      this.keyring = keyring;
      return keyring;
    });
  }

  /** Refuses a key that was revoked, by its digest or its `kid`: in this process at once, also while the database cannot be asked. */
  end(key: { readonly digest: string } | { readonly kid: string }): Promise<void> {
    return this.inTurn(async () => {
      const { signing, opaque } = this.stored;
      this.stored = 'digest' in key ? { signing, opaque: new Map([...opaque, [key.digest, null]]) } : { signing: [...signing.filter(({ kid }) => kid !== key.kid), { kid: key.kid, state: 'revoked', jwk: null }], opaque };
      this.seen = '';
      await this.renew();
    });
  }

  async lookAgain(): Promise<boolean> {
    if (this.reading !== null && (await this.reading)) return true;
    if (Date.now() - this.lookedAtMs < shortestPauseMs) return false;
    this.lookedAtMs = Date.now();
    return this.reread();
  }

  /** The private half of a key that is kept; null where another MAINSTAY_SECRET sealed it. */
  open({ kid, sealed }: Pick<KeptSigningKey, 'kid' | 'sealed'>): JWK | null {
    const text = sealed === null ? null : this.sealing.open(kid, sealed);
    return text === null ? null : (JSON.parse(text) as JWK);
  }

  seal(kid: string, jwk: JWK): string {
    return this.sealing.seal(kid, JSON.stringify(jwk));
  }

  /** Reads the keys anew; true if they have changed. Who asks while that is done waits for the next time, which sees what they did. */
  async reread(): Promise<boolean> {
    const reading = this.inTurn(() => this.readOnce());
    this.reading = reading;
    try {
      return await reading;
    } finally {
      if (this.reading === reading) this.reading = null;
    }
  }

  private async readOnce(): Promise<boolean> {
    try {
      const [signing, digests] = await Promise.all([listSigningKeys(this.accounts), listKeyDigests(this.accounts)]);
      const seen = JSON.stringify([signing, digests]);
      if (seen === this.seen) return false;
      this.stored = {
        signing: signing.map((key) => ({ kid: key.kid, state: key.state, jwk: this.open(key) ?? (key.publicJwk as JWK | null) })),
        opaque: new Map(digests.map(({ digest, role, endsAtSeconds, isRevoked }) => [digest, isRevoked ? null : { role, endsAtSeconds: endsAtSeconds ?? Infinity }])),
      };
      await this.renew();
      this.seen = seen;
      return true;
    } catch (error) {
      // What was known holds until the database is back: nobody is signed out by its absence.
      this.onFailed(error);
      clearTimeout(this.again);
      this.again = setTimeout(() => void this.reread(), shortestPauseMs).unref();
      return false;
    }
  }

  private async renew(): Promise<void> {
    this.keyring = await Keyring.readAny(this.settings, this.stored);
    for (const tell of this.told) tell(this.keyring);
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(work);
    this.turn = mine.catch(() => {});
    return mine;
  }
}
