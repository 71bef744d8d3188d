import { hkdfSync } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import pg from 'pg';
import { quoteText, type Administrator } from './administrator.ts';
import { connectionOf } from './logins.ts';

/** The keys of the vault by their versions, in hexadecimal digits. */
export type VaultKeys = ReadonlyMap<number, string>;

/** What the set-up of the vault's keys looks like, for the fingerprint of a set-up. */
export const vaultFacts = ['vault keys', 1];

/** A line at the start of a server that cannot have the keys in a file. */
export const vaultNote = 'The keys of the vault lie in the database (mainstay_internal.vault_keys), since this server reads no key file of ours: whoever has a copy of the whole database can read vault.secrets.';

/**
 * The key of a version. It follows from MAINSTAY_SECRET, so that a copy of the database and of the home's secrets is enough to
 * read the vault again; a key that leaked does not lead to the next one.
 */
export function vaultKeyOf(settings: Pick<Settings, 'secret'>, version: number): string {
  if (settings.secret === null) throw new Error('MAINSTAY_SECRET is not set');
  return Buffer.from(hkdfSync('sha256', settings.secret, '', `vault key ${version}`, 32)).toString('hex');
}

/** As the file and the table hold them. */
export function vaultLines(keys: VaultKeys): string[] {
  return [...keys].sort(([a], [b]) => a - b).map(([version, key]) => `${version} ${key}`);
}

/** Lines that are none are left out, as PostgreSQL's side does it. */
export function parseVaultLines(lines: readonly string[]): VaultKeys {
  const found = lines.flatMap((line): [number, string][] => {
    const parts = /^([0-9]{1,9}) ([0-9a-f]{64})$/.exec(line);
    return parts === null ? [] : [[Number(parts[1]), parts[2]!]];
  });
  return new Map(found);
}

/**
 * Makes `mainstay_internal.vault_keys`, which only the vault's owner may read. Where the settings name a file, it is a foreign table
 * over that file and nothing else: its owner may read this one file, and no function of ours any other. Elsewhere it is a table.
 */
export async function makeVaultKeys(admin: Administrator, settings: Settings): Promise<void> {
  const [known] = await admin.rows<{ kind: string; options: string[] | null }>(
    `select c.relkind::text as kind, f.ftoptions as options from pg_catalog.pg_class c left join pg_catalog.pg_foreign_table f on f.ftrelid = c.oid where c.oid = to_regclass('mainstay_internal.vault_keys')`,
  );
  const { vaultKeyFile } = settings;
  if (known?.kind === 'f' && vaultKeyFile !== null && !known.options!.includes(`filename=${vaultKeyFile}`)) {
    await admin.run(`alter foreign table mainstay_internal.vault_keys options (set filename ${quoteText(vaultKeyFile)})`);
  }
  if (known !== undefined) return;
  if (vaultKeyFile !== null && (await admin.attempt(`${foreignTable(vaultKeyFile)}; ${forItsOwner}`, vaultNote))) return;
  await admin.run(`set local role supabase_admin; create table mainstay_internal.vault_keys (line text not null); ${forItsOwner}; insert into mainstay_internal.vault_keys values (${quoteText(vaultLines(new Map([[1, vaultKeyOf(settings, 1)]]))[0]!)}); reset role`);
}

/** A line that holds the delimiter would fail and be shown: no key holds an "@". */
function foreignTable(file: string): string {
  return `create extension if not exists file_fdw with schema mainstay_internal;
    do $$ begin if to_regproc('mainstay_internal.file_fdw_handler') is not null then revoke execute on function mainstay_internal.file_fdw_handler, mainstay_internal.file_fdw_validator from public; end if; end $$;
    create server if not exists mainstay_keys foreign data wrapper file_fdw;
    create foreign table mainstay_internal.vault_keys (line text) server mainstay_keys options (filename ${quoteText(file)}, format 'text', delimiter '@')`;
}

const forItsOwner = 'revoke all on mainstay_internal.vault_keys from public; grant select on mainstay_internal.vault_keys to mainstay_vault';

/** Where the keys are kept: the file, by whoever may write it, or the table. */
export interface VaultKeyring {
  read(): Promise<VaultKeys>;
  /** Writes all keys, at once or not at all. */
  write(keys: VaultKeys): Promise<void>;
}

/** Keys that are in use, by version, and how many secrets each has sealed. */
export interface VaultUse {
  readonly version: number | null;
  readonly secrets: number;
}

export interface Rotation {
  readonly version: number;
  /** True if a rotation that was begun before was brought to its end. */
  readonly isResumed: boolean;
}

/** The vault as its keeper sees it: on a connection of the administrator's own, as `supabase_admin`. */
export class Vault {
  private constructor(
    private readonly client: pg.Client,
    private readonly settings: Settings,
    private readonly keyring: VaultKeyring | null,
  ) {}

  /**
   * Opens it for some work.
   * @param keyring where the file with the keys can be written; null where they lie in the table
   */
  static async use<T>(settings: Settings, keyring: VaultKeyring | null, work: (vault: Vault) => Promise<T>): Promise<T> {
    const client = new pg.Client({ ...connectionOf(settings, null), application_name: 'mainstay vault', options: '-c role=supabase_admin -c search_path=pg_catalog' });
    client.on('error', () => {});
    await client.connect();
    try {
      return await work(new Vault(client, settings, keyring));
    } finally {
      await client.end();
    }
  }

  async uses(): Promise<VaultUse[]> {
    const { rows } = await this.client.query<{ version: number | null; secrets: number }>('select version, secrets::int from mainstay_internal.vault_versions()');
    return rows;
  }

  /** Makes the keys anew that rows were sealed with and the file lacks: that of a home restored without it. Gives their versions. */
  async completeKeys(): Promise<number[]> {
    const keys = await this.readKeys();
    const missing = (await this.uses()).flatMap(({ version }) => (version === null || keys.has(version) ? [] : [version]));
    if (missing.length > 0) await this.writeKeys(new Map([...keys, ...missing.map((version) => [version, vaultKeyOf(this.settings, version)] as const)]));
    return missing;
  }

  /**
   * Seals every secret with a new key, a hundred at a time, and forgets the old one. Killed at any moment it leaves every secret
   * readable: a key is written down before it seals, and struck out when nothing that it sealed is left. Run again, it goes on.
   * @param onStep told before each step; for a test that dies there
   */
  async rotate(onStep: (step: string) => Promise<void> = async () => {}): Promise<Rotation> {
    await this.client.query(`select pg_advisory_lock(hashtextextended('mainstay vault rotation', 0))`);
    await onStep('locked');
    const keys = await this.readKeys();
    const newest = newestOf(keys);
    const isResumed = (await this.uses()).some(({ version }) => version !== newest) || (this.keyring !== null && keys.size > 1);
    if (!isResumed) {
      await onStep('before the key');
      await this.writeKeys(new Map([...keys, [newest + 1, vaultKeyOf(this.settings, newest + 1)]]));
    }
    for (;;) {
      await onStep('before a piece');
      const { rows } = await this.client.query<{ left: string }>('select mainstay_internal.vault_rotate(100) as left');
      if (rows[0]!.left === '0') break;
    }
    await this.strikeOut(onStep);
    return { version: isResumed ? newest : newest + 1, isResumed };
  }

  /** A transaction that seals holds a lock on the table since before it read the keys, so none that is under way still uses the old one. */
  private async strikeOut(onStep: (step: string) => Promise<void>): Promise<void> {
    await this.client.query('begin');
    await this.client.query('lock table vault.secrets in share mode');
    const used = new Set((await this.uses()).map(({ version }) => version));
    const keys = await this.readKeys();
    // In a table the one before stays until the next rotation: a transaction with a fixed snapshot may not see the new one yet.
    const kept = newestOf(keys) - (this.keyring === null ? 1 : 0);
    await onStep('before the old keys go');
    await this.writeKeys(new Map([...keys].filter(([version]) => version >= kept || used.has(version))));
    await onStep('before the end');
    await this.client.query('commit');
  }

  private async readKeys(): Promise<VaultKeys> {
    if (this.keyring !== null) return this.keyring.read();
    const { rows } = await this.client.query<{ line: string }>('select line from mainstay_internal.vault_keys');
    return parseVaultLines(rows.map(({ line }) => line));
  }

  private async writeKeys(keys: VaultKeys): Promise<void> {
    if (this.keyring !== null) return this.keyring.write(keys);
    await this.client.query('with gone as (delete from mainstay_internal.vault_keys) insert into mainstay_internal.vault_keys select unnest($1::text[])', [vaultLines(keys)]);
  }
}

function newestOf(keys: VaultKeys): number {
  return Math.max(0, ...keys.keys());
}
