import { createHash } from 'node:crypto';
import { KeyStore } from './key-store.ts';
import { Keyring, type KeySettings } from './keyring.ts';
import { makeSigningKey } from './make-secrets.ts';

const key = 'sb_secret_kept';
const digest = createHash('sha256').update(key).digest('hex');
const settings = { jwtSecret: 'x'.repeat(40), jwtKeys: null, publishableKey: null, secretKey: null } as KeySettings;

/** A database that holds one key, until it is away. */
class Rows {
  isAway = false;
  isRevoked = false;
  waits: Promise<void> = Promise.resolve();

  async rows(text: string): Promise<any> {
    await this.waits;
    if (this.isAway) throw new Error('away');
    return text.includes('api_keys') ? [{ digest, role: 'service_role', endsAtSeconds: null, isRevoked: this.isRevoked }] : [];
  }
}

async function start(more: Partial<KeySettings> = {}): Promise<{ store: KeyStore; rows: Rows; now: () => Keyring }> {
  const rows = new Rows();
  const all = { ...settings, ...more, secret: 's'.repeat(40) };
  let ring = await Keyring.read(all);
  const store = new KeyStore(rows, all, ring);
  store.onChange((next) => (ring = next));
  await store.reread();
  return { store, rows, now: () => ring };
}

describe('a key that was revoked', () => {
  it('is refused here at once, also while the database cannot be asked', async () => {
    const { store, rows, now } = await start();
    expect(now().findOpaqueKey(key)).not.toBeNull();
    rows.isAway = true;
    await store.end({ digest });
    expect(await store.reread()).toBe(false);
    expect(now().findOpaqueKey(key)).toBeNull();
    Object.assign(rows, { isAway: false, isRevoked: true });
    expect(await store.reread()).toBe(true);
    expect(now().findOpaqueKey(key)).toBeNull();
    store.stop();
  });

  it('that signed verifies no more, and is published no more', async () => {
    const jwk = await makeSigningKey('ES256');
    const { store, rows, now } = await start({ jwtKeys: JSON.stringify({ keys: [jwk] }) });
    rows.isAway = true;
    await store.end({ kid: jwk.kid });
    expect(now().keysFor({ alg: 'ES256', kid: jwk.kid })).toEqual([]);
    expect(store.published.keys).toEqual([]);
    store.stop();
  });
});

describe('a proof that fits no key', () => {
  it('leads to one look at the database a second, also right after the start', async () => {
    const { store, rows } = await start();
    rows.isRevoked = true;
    expect(await store.lookAgain()).toBe(true);
    rows.isRevoked = false;
    expect(await store.lookAgain()).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 1050));
    expect(await store.lookAgain()).toBe(true);
    store.stop();
  });
});

describe('settings that are read anew', () => {
  it('are not overtaken by keys that were read before them', async () => {
    const { store, rows, now } = await start();
    let go = (): void => {};
    rows.waits = new Promise((resolve) => (go = resolve));
    rows.isRevoked = true;
    const reading = store.reread();
    const read = store.read({ ...settings, secretKey: 'sb_secret_fresh' });
    go();
    const [ring] = await Promise.all([read, reading]);
    for (const each of [ring, now()]) expect(each.findOpaqueKey(key)).toBeNull();
    expect(ring.findOpaqueKey('sb_secret_fresh')).not.toBeNull();
    store.stop();
  });
});
