import type { Settings } from '@mainstay/config';
import {
  addApiKey, addSigningKey, countApiKeys, isDatabaseError, listApiKeys, listSigningKeys, lockSigningKeys, revokeApiKey, revokeSettingKey, roleStanding, setSigningState, writeAudit,
  type Accounts, type ApiKey, type Device, type KeptSigningKey, type OpenAccounts, type SigningKeyState,
} from '@mainstay/persistence';
import { decodeProtectedHeader, type JWK } from 'jose';
import { administration } from './audit.ts';
import { keyFault } from './key-faults.ts';
import type { KeyStore } from './key-store.ts';
import { digestOfKey } from './keyring.ts';
import { makeOpaqueKey, makeSigningKey } from './make-secrets.ts';
import { isStorable } from './metadata.ts';

export interface KeyRequest {
  readonly name: string;
  readonly kind: string;
  /** Empty: `anon` for a publishable key, `service_role` for a secret one. */
  readonly role: string;
  /** RFC 3339; null stays. */
  readonly expiresAt: string | null;
}

/** An API key as the console shows it: never the key itself. */
export interface KeyView {
  readonly id: string;
  readonly name: string;
  readonly kind: 'publishable' | 'secret' | 'jwt';
  /** The first letters of the key. */
  readonly hint: string;
  readonly role: string;
  /** Where it stands: a key of the settings is changed there. */
  readonly source: 'settings' | 'database';
  readonly created_at: Date | null;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
}

export interface SigningKeyView {
  readonly kid: string;
  readonly alg: string;
  readonly state: SigningKeyState;
  readonly source: 'settings' | 'database';
  readonly created_at: Date | null;
  readonly changed_at: Date | null;
}

type KeysSettings = Pick<Settings, 'publishableKey' | 'secretKey' | 'anonKey' | 'serviceRoleKey' | 'jwtKeys' | 'jwtAlgorithm'>;

/** As many as one process keeps in mind. */
const mostKeys = 1000;

/** Longer than any access token lives (`JWT_EXPIRY` is a week at most): what a key signed before it was replaced is over by then. */
const previousKeptMs = 8 * 86_400_000;

const uuidForm = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** The keys of a project, as the service key manages them. */
export class KeysService {
  constructor(
    private readonly accounts: Accounts,
    private readonly store: KeyStore,
    private readonly settings: KeysSettings,
  ) {}

  async list(): Promise<KeyView[]> {
    const kept = await listApiKeys(this.accounts);
    const revoked = new Set(kept.filter(({ revokedAt }) => revokedAt !== null).map(({ hint }) => hint));
    const own = this.settingKeys().filter(({ hint, kind }) => kind === 'jwt' || !revoked.has(hint));
    return [...own.map(({ text: _text, ...view }) => view), ...kept.map(viewKey)];
  }

  /** Makes a key. The answer is the only place where it is ever written. */
  async create(request: KeyRequest, device: Device): Promise<KeyView & { readonly key: string }> {
    const draft = await this.checked(request);
    const key = makeOpaqueKey(draft.kind === 'secret' ? 'sb_secret_' : 'sb_publishable_');
    const made = await this.namedOnce(draft.name, () => this.accounts.transaction(async (tx) => {
      const added = await addApiKey(tx, { ...draft, digest: Buffer.from(digestOfKey(key), 'hex'), hint: hintOf(key) });
      await note(tx, 'api_key_created', device, { key_id: added.id, key_name: added.name, role: added.role });
      return added;
    }));
    await this.store.reread();
    return { ...viewKey(made), key };
  }

  /** Ends a key: this process refuses it from now on, every other api as soon as it has heard of it, within a second. */
  async revoke(id: string, device: Device): Promise<void> {
    await this.refuseLast(id);
    const revoked = await this.accounts.transaction(async (tx) => {
      const ended = uuidForm.test(id) ? await revokeApiKey(tx, id) : await this.revokeOfSettings(tx, id);
      if (ended !== null) await note(tx, 'api_key_revoked', device, { key_id: id, key_name: ended.name, role: ended.role });
      return ended;
    });
    if (revoked === null) throw keyFault('key_not_found', { details: id });
    await this.store.end(revoked);
    await this.store.reread();
  }

  async listSigning(): Promise<SigningKeyView[]> {
    return this.viewSigning(await listSigningKeys(this.accounts));
  }

  /**
   * The standby key signs from now on, and a new one stands by. What the keys before it signed is good for as long as it says,
   * so nobody is signed out. Everybody knows a standby key before it signs; the first one of all is looked up by whoever meets it.
   */
  async rotate(device: Device): Promise<SigningKeyView[]> {
    const [next, spare] = [await makeSigningKey(this.settings.jwtAlgorithm), await makeSigningKey(this.settings.jwtAlgorithm)];
    const keys = await this.accounts.transaction(async (tx) => {
      await lockSigningKeys(tx);
      const kept = await listSigningKeys(tx);
      const standby = kept.find((key) => key.state === 'standby' && key.alg === this.settings.jwtAlgorithm && this.store.open(key) !== null);
      await this.retire(tx, kept, standby?.kid);
      if (standby === undefined) await this.keep(tx, next, 'current');
      else await setSigningState(tx, standby.kid, 'current');
      await this.keep(tx, spare, 'standby');
      await note(tx, 'signing_key_rotated', device, { kid: standby?.kid ?? next.kid });
      return listSigningKeys(tx);
    });
    await this.store.reread();
    return this.viewSigning(keys);
  }

  /** Ends a signing key: what it signed is refused, so whoever holds such a token signs in or refreshes. */
  async revokeSigning(kid: string, device: Device): Promise<void> {
    await this.accounts.transaction(async (tx) => {
      await lockSigningKeys(tx);
      const key = this.viewSigning(await listSigningKeys(tx)).find((each) => each.kid === kid && each.state !== 'revoked');
      if (key === undefined) throw keyFault('key_not_found', { message: 'There is no such signing key, or it was revoked before', details: kid });
      if (key.state === 'current') throw keyFault('key_needed', { message: 'This key signs: rotate first, then revoke it' });
      if (key.source === 'database') await setSigningState(tx, kid, 'revoked');
      else await addSigningKey(tx, { kid, alg: key.alg, state: 'revoked', publicJwk: null, sealed: null });
      await note(tx, 'signing_key_revoked', device, { kid });
    });
    await this.store.end({ kid });
    await this.store.reread();
  }

  private async retire(tx: OpenAccounts, kept: readonly KeptSigningKey[], standbyKid: string | undefined): Promise<void> {
    for (const { kid, state, changedAt } of kept) {
      if (state === 'current') await setSigningState(tx, kid, 'previous');
      else if (state === 'standby' && kid !== standbyKid) await setSigningState(tx, kid, 'revoked');
      else if (state === 'previous' && Date.now() - changedAt.getTime() > previousKeptMs) await setSigningState(tx, kid, 'revoked');
    }
  }

  private async keep(tx: OpenAccounts, jwk: Awaited<ReturnType<typeof makeSigningKey>>, state: SigningKeyState): Promise<void> {
    const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, k: _k, ...half } = jwk as JWK;
    await addSigningKey(tx, { kid: jwk.kid, alg: jwk.alg, state, publicJwk: jwk.kty === 'oct' ? null : half, sealed: this.store.seal(jwk.kid, jwk) });
  }

  private viewSigning(kept: readonly KeptSigningKey[]): SigningKeyView[] {
    const hasCurrent = kept.some((key) => key.state === 'current' && this.store.open(key) !== null);
    const known = new Set(kept.map(({ kid }) => kid));
    const signing = this.store.signing.kid;
    const own = this.store.settingKeys().filter(({ kid }) => !known.has(kid));
    return [
      ...kept.map(({ kid, alg, state, createdAt, changedAt, sealed, publicJwk }) => ({ kid, alg, state, source: sealed === null && publicJwk === null ? ('settings' as const) : ('database' as const), created_at: createdAt, changed_at: changedAt })),
      ...own.map(({ kid, alg }) => ({ kid, alg, state: !hasCurrent && kid === signing ? ('current' as const) : ('previous' as const), source: 'settings' as const, created_at: null, changed_at: null })),
    ];
  }

  private async checked({ name, kind, role, expiresAt }: KeyRequest): Promise<Pick<ApiKey, 'name' | 'kind' | 'role' | 'expiresAt'>> {
    const refuse = (message: string) => keyFault('key_not_valid', { message });
    const trimmed = name.trim();
    if (trimmed === '' || trimmed.length > 100 || !isStorable(trimmed)) throw refuse('"name" must be a text of 1 to 100 characters');
    if (kind !== 'secret' && kind !== 'publishable') throw refuse('"kind" must be "secret" or "publishable"');
    const scope = role === '' ? (kind === 'secret' ? 'service_role' : 'anon') : role;
    const standing = isStorable(scope) ? await roleStanding(this.accounts, scope) : 'unknown';
    if (standing === 'unknown') throw refuse(`There is no role "${scope}" in the database`);
    if (standing === 'not ours') throw refuse(`Requests cannot be made as "${scope}": GRANT "${scope}" TO authenticator`);
    if (standing === 'powerful' && kind === 'publishable') throw refuse(`A publishable key cannot have the role "${scope}", which no row policy binds`);
    const end = expiresAt === null ? null : new Date(expiresAt);
    if (end !== null && !(end.getTime() > Date.now())) throw refuse('"expires_at" must be a time to come, such as 2030-01-31T00:00:00Z');
    if ((await countApiKeys(this.accounts)) >= mostKeys) throw keyFault('too_many_keys', { message: `There are ${mostKeys} keys, which is the most; revoke some` });
    return { name: trimmed, kind, role: scope, expiresAt: end };
  }

  private async namedOnce<T>(name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isDatabaseError(error) && error.code === '23505') throw keyFault('key_name_taken', { message: `There is a key with the name "${name}" already`, cause: error });
      throw error;
    }
  }

  /** Somebody must be left who can make another key. */
  private async refuseLast(id: string): Promise<void> {
    const now = Date.now();
    const opens = ({ role, revoked_at, expires_at }: KeyView): boolean => role === 'service_role' && revoked_at === null && (expires_at === null || expires_at.getTime() > now);
    const live = (await this.list()).filter(opens);
    if (live.length === 1 && live[0]!.id === id) throw keyFault('key_needed');
  }

  /** Keys of the settings stand in this list too, by the name of their setting. */
  private settingKeys(): (KeyView & { readonly text: string })[] {
    const { publishableKey, secretKey, anonKey, serviceRoleKey } = this.settings;
    const keys = [['SUPABASE_PUBLISHABLE_KEY', publishableKey, 'publishable', 'anon'], ['SUPABASE_SECRET_KEY', secretKey, 'secret', 'service_role'], ['ANON_KEY', anonKey, 'jwt', 'anon'], ['SERVICE_ROLE_KEY', serviceRoleKey, 'jwt', 'service_role']] as const;
    return keys.flatMap(([name, text, kind, role]) =>
      text === null ? [] : [{ id: name, name, kind, role, text, hint: kind === 'jwt' ? algorithmOfToken(text) : hintOf(text), source: 'settings' as const, created_at: null, expires_at: null, revoked_at: null }]);
  }

  private async revokeOfSettings(tx: OpenAccounts, id: string): Promise<Pick<ApiKey, 'name' | 'role'> & { readonly digest: string } | null> {
    const key = this.settingKeys().find(({ name }) => name === id);
    if (key === undefined) return null;
    if (key.kind === 'jwt') throw keyFault('key_not_valid', { message: `${id} is a token that JWT_SECRET signed: change JWT_SECRET to end it` });
    const { name, kind, text, hint, role } = key;
    const digest = digestOfKey(text);
    return (await revokeSettingKey(tx, { name, kind, hint, role, digest: Buffer.from(digest, 'hex'), expiresAt: null })) ? { name, role, digest } : null;
  }
}

async function note(tx: OpenAccounts, action: string, { address }: Device, traits: Readonly<Record<string, unknown>>): Promise<void> {
  await writeAudit(tx, { action, actor: administration, traits, address });
}

/** Enough to tell keys apart, far too little to guess one. */
function hintOf(key: string): string {
  const prefix = /^sb_[a-z]+_/.exec(key)?.[0] ?? '';
  return `${key.slice(0, prefix.length + 5)}…`;
}

function algorithmOfToken(token: string): string {
  try {
    return `${decodeProtectedHeader(token).alg} token`;
  } catch {
    return 'token';
  }
}

function viewKey({ id, name, kind, hint, role, createdAt, expiresAt, revokedAt }: ApiKey): KeyView {
  return { id, name, kind, hint, role, source: 'database', created_at: createdAt, expires_at: expiresAt, revoked_at: revokedAt };
}
