import { readFileSync, renameSync, statSync } from 'node:fs';
import { readVaultKeyFile, writeVaultKeyFile } from '@mainstay/embedded';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import pg from 'pg';
import { connectionOf } from './logins.ts';
import { parseVaultLines, Vault, vaultKeyOf, vaultLines, type VaultKeyring } from './vault.ts';

let db: TestDatabase;
let owner: pg.Client;
beforeAll(async () => {
  db = await makeTestDatabase();
  owner = await loginAs('postgres');
});
afterAll(async () => {
  await owner.end();
  await db.close();
});

async function loginAs(user: string): Promise<pg.Client> {
  const url = new URL(db.settings.databaseUrl!);
  Object.assign(url, { username: user, password: db.settings.postgresPassword });
  const client = new pg.Client(connectionOf({ ...db.settings, databaseUrl: url.href }, null));
  await client.connect();
  return client;
}

const rows = async <R extends object = Record<string, unknown>>(sql: string, values: unknown[] = []): Promise<R[]> => (await owner.query(sql, values)).rows as R[];
const asRole = (role: string, sql: string): Promise<Record<string, unknown>[]> => db.admin.transaction({ role, settings: {} }, (tx) => tx.rows(sql));
const create = async (secret: string, name: string | null = null): Promise<string> => (await rows<{ id: string }>('select vault.create_secret($1, $2) as id', [secret, name]))[0]!.id;
const read = async (id: string): Promise<unknown> => (await rows('select decrypted_secret from vault.decrypted_secrets where id = $1', [id]))[0]?.['decrypted_secret'];

describe('as Supabase’s pages tell it', () => {
  it('create extension, as migrations say it, and its look-up', async () => {
    await owner.query(`create extension if not exists "supabase_vault" with schema "vault"; create extension if not exists supabase_vault cascade`);
    expect(await rows(`select extname from pg_extension where extname = 'supabase_vault'`)).toHaveLength(1);
  });

  it('create_secret gives an id; the view shows the secret, the table does not', async () => {
    const [made] = await rows<{ id: string }>(`select vault.create_secret('another_s3kre3t', 'unique_name', 'This is the description') as id`);
    expect(await rows('select * from vault.decrypted_secrets where name = $1', ['unique_name'])).toEqual([
      { id: made!.id, name: 'unique_name', description: 'This is the description', secret: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/), decrypted_secret: 'another_s3kre3t', key_id: null, nonce: expect.any(Buffer), created_at: expect.any(Date), updated_at: expect.any(Date) },
    ]);
    const [kept] = await rows<{ secret: string }>('select * from vault.secrets where id = $1', [made!.id]);
    expect(Object.keys(kept!)).toEqual(['id', 'name', 'description', 'secret', 'key_id', 'nonce', 'created_at', 'updated_at']);
    expect(Buffer.from(kept!.secret, 'base64').toString('latin1')).not.toContain('s3kre3t');
  });

  it('a secret alone is enough; names are unique, no name is', async () => {
    const [first, second] = [await create('same'), await create('same')];
    expect(await read(first)).toBe('same');
    expect(await rows('select count(distinct secret)::int as count from vault.secrets where id = any ($1)', [[first, second]])).toEqual([{ count: 2 }]);
    await create('x', 'taken');
    await expect(create('y', 'taken')).rejects.toMatchObject({ code: '23505', constraint: 'secrets_name_idx' });
  });

  it('update_secret changes what is given', async () => {
    const id = await create('before', 'to change');
    await owner.query(`select vault.update_secret($1, 'n3w_upd@ted_s3kret', 'updated_unique_name', 'the updated description')`, [id]);
    expect(await rows('select name, description, decrypted_secret, updated_at >= created_at as later from vault.decrypted_secrets where id = $1', [id])).toEqual([{ name: 'updated_unique_name', description: 'the updated description', decrypted_secret: 'n3w_upd@ted_s3kret', later: true }]);
    await owner.query(`select vault.update_secret($1, new_description => 'again')`, [id]);
    expect(await rows('select name, description, decrypted_secret from vault.decrypted_secrets where id = $1', [id])).toEqual([{ name: 'updated_unique_name', description: 'again', decrypted_secret: 'n3w_upd@ted_s3kret' }]);
  });

  it('rows that are inserted and updated directly are sealed as well', async () => {
    const [made] = await rows<{ id: string; secret: string }>(`insert into vault.secrets (name, secret) values ('direct', 's3kre3t_k3y') returning *`);
    expect(made!.secret).not.toContain('s3kre3t');
    expect(await read(made!.id)).toBe('s3kre3t_k3y');
    await owner.query(`update vault.secrets set secret = 'other' where id = $1`, [made!.id]);
    expect(await read(made!.id)).toBe('other');
    await owner.query(`update vault.secrets set nonce = 'x', description = 'd' where id = $1`, [made!.id]);
    expect(await read(made!.id)).toBe('other');
    const [moved] = await rows<{ id: string }>('update vault.secrets set id = gen_random_uuid() where id = $1 returning id', [made!.id]);
    expect(await read(moved!.id)).toBe('other');
    await owner.query('delete from vault.secrets where id = $1', [moved!.id]);
    expect(await read(moved!.id)).toBeUndefined();
  });

  it.each(['', 'ünïcödé 😀', 'line\nbreak', `it's "quoted"`, Buffer.from('MSVAULT').toString('base64'), 'x'.repeat(100_000)])('any text comes back: %#', async (text) => expect(await read(await create(text))).toBe(text));

  it('the functions below are there in their shape', async () => {
    expect(await rows(`select convert_from(vault._crypto_aead_det_decrypt(vault._crypto_aead_det_encrypt('text'::bytea, 'row'::bytea, 0, 'pgsodium'::bytea, n), 'row'::bytea, 0, 'pgsodium'::bytea, n), 'utf8') as text, length(n) as length from vault._crypto_aead_det_noncegen() n`)).toEqual([{ text: 'text', length: 16 }]);
    await expect(owner.query(`select vault._crypto_aead_det_decrypt(vault._crypto_aead_det_encrypt('text', 'row', 0, 'pgsodium', 'n'), 'other row', 0, 'pgsodium', 'n')`)).rejects.toMatchObject({ message: 'vault: invalid ciphertext' });
  });

  it('triggers, cron commands and functions of postgres read it, whoever makes them run', async () => {
    await create('the key', 'service_key');
    await owner.query(`create function public.call_out() returns text language plpgsql security definer set search_path = '' as $$ begin return 'Bearer ' || (select decrypted_secret from vault.decrypted_secrets where name = 'service_key'); end $$;
      create table public.calls (header text); create function public.on_call() returns trigger language plpgsql security definer set search_path = public as $$ begin new.header := public.call_out(); return new; end $$;
      create trigger sets before insert on public.calls for each row execute function public.on_call()`);
    expect(await asRole('anon', 'select public.call_out() as header')).toEqual([{ header: 'Bearer the key' }]);
    expect(await asRole('authenticated', 'insert into public.calls default values returning header')).toEqual([{ header: 'Bearer the key' }]);
  });
});

describe('who may', () => {
  it('the service creates, reads and updates', async () => {
    const [made] = await asRole('service_role', `select vault.create_secret('of the service', 'service') as id`);
    expect(await asRole('service_role', `select decrypted_secret from vault.decrypted_secrets where id = '${made!['id'] as string}'`)).toEqual([{ decrypted_secret: 'of the service' }]);
    await asRole('service_role', `select vault.update_secret('${made!['id'] as string}', 'new')`);
  });

  it.each(['anon', 'authenticated', 'authenticator', 'mainstay_api', 'mainstay_worker'])('%s reaches nothing', async (role) => {
    for (const sql of ['select * from vault.secrets', 'select * from vault.decrypted_secrets', `select vault.create_secret('x')`, `select vault._crypto_aead_det_decrypt('x', 'x', 0, 'x', 'x')`, 'select * from mainstay_internal.vault_keys', 'select mainstay_internal.vault_key(null)', `select mainstay_internal.vault_seal('x', 'x', 'x')`]) {
      await expect(asRole(role, sql)).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('postgres passes on what it may', async () => {
    await owner.query('create role vault_reader; grant vault_reader to postgres; grant usage on schema vault to vault_reader; grant select on vault.decrypted_secrets to vault_reader; grant execute on function vault._crypto_aead_det_decrypt to vault_reader');
    await create('passed on', 'passed on');
    expect(await asRole('vault_reader', `select decrypted_secret from vault.decrypted_secrets where name = 'passed on'`)).toEqual([{ decrypted_secret: 'passed on' }]);
    await owner.query('drop owned by vault_reader; drop role vault_reader');
  });

  it.each([
    ['read the keys', 'select * from mainstay_internal.vault_keys'],
    ['call what reads them', 'select mainstay_internal.vault_key(null)'],
    ['become their owner', 'set role mainstay_vault'],
    ['give itself their owner', 'grant mainstay_vault to postgres'],
    ['read the file', `select pg_read_file('/etc/passwd')`],
    ['read it by a table of its own', `create foreign table public.keys (line text) server mainstay_keys options (filename '/etc/passwd')`],
    ['make another server for files', 'create server files foreign data wrapper file_fdw'],
    ['point the table elsewhere', `alter foreign table mainstay_internal.vault_keys options (set filename '/etc/passwd')`],
    ['copy it', `copy mainstay_internal.vault_keys to stdout`],
    ['unseat the trigger', 'alter table vault.secrets disable trigger seal_secret'],
    ['put one before it', 'create trigger a before insert on vault.secrets for each row execute function public.on_call()'],
    ['change a function', `alter function vault.seal_secret() reset search_path`],
    ['make one in its schema', 'create function vault.f() returns int language sql as $$ select 1 $$'],
    ['take the view', 'alter view vault.decrypted_secrets owner to postgres'],
    ['rotate', 'select mainstay_internal.vault_rotate(1)'],
  ])('postgres cannot %s', async (_, sql) => {
    await expect(owner.query(sql)).rejects.toMatchObject({ code: '42501' });
  });

  it('a function of PostgreSQL’s that is shadowed, on the path or in pgcrypto’s schema, is not called', async () => {
    await owner.query(`create schema hostile; create table hostile.heard (what text); grant all on schema hostile to public; grant all on hostile.heard to public;
      create function hostile.sha256(bytea) returns bytea language plpgsql as $$ begin insert into hostile.heard values ('sha256'); return $1; end $$;
      create function hostile.sha512(bytea) returns bytea language plpgsql as $$ begin insert into hostile.heard values ('sha512'); return $1; end $$;
      create function hostile.convert_to(text, text) returns bytea language plpgsql as $$ begin insert into hostile.heard values ('convert_to'); return $1::bytea; end $$;
      create function extensions.hmac(bytea, bytea, name) returns bytea language plpgsql as $$ begin insert into hostile.heard values ('hmac'); return $1; end $$`);
    await owner.query('set search_path = hostile, pg_catalog');
    const id = await create('secret');
    expect(await read(id)).toBe('secret');
    await owner.query('reset search_path');
    expect(await rows('select * from hostile.heard')).toEqual([]);
  });
});

describe('at rest', () => {
  it('neither the files of the database nor a copy of its rows hold a plain text or a key', async () => {
    const plain = 'a text that nobody else writes';
    await create(plain);
    const [dump] = await db.admin.rows<{ text: string }>(`select (select string_agg(s::text, '') from vault.secrets s) || (select string_agg(a::text, '') from pg_foreign_table a) as text`);
    const [, key] = readVaultKeyFile(db.settings.vaultKeyFile!)[0]!.split(' ');
    for (const hidden of [plain, Buffer.from(plain).toString('hex'), Buffer.from(plain).toString('base64').slice(0, 30), key!]) expect(dump!.text).not.toContain(hidden);
    await db.admin.rows('checkpoint');
    const [{ path }] = await db.admin.rows<{ path: string }>(`select current_setting('data_directory') || '/' || pg_relation_filepath('vault.secrets') as path`) as [{ path: string }];
    expect(readFileSync(path).includes(plain)).toBe(false);
  });

  it('a row that was changed, or given to another, is not opened', async () => {
    const [one, two] = [await create('one'), await create('two')];
    const change = (set: string): Promise<unknown> => db.admin.rows(`begin; set local session_replication_role = replica; update vault.secrets set ${set} where id = '${one}'; commit`);
    await change(`secret = (select secret from vault.secrets where id = '${two}'), nonce = (select nonce from vault.secrets where id = '${two}')`);
    await expect(read(one)).rejects.toMatchObject({ message: 'vault: invalid ciphertext' });
    await change(`secret = encode(set_byte(decode(secret, 'base64'), 45, 255 - get_byte(decode(secret, 'base64'), 45)), 'base64')`);
    await expect(read(one)).rejects.toMatchObject({ message: 'vault: invalid ciphertext' });
    await expect(owner.query(`update vault.secrets s set secret = t.secret from vault.secrets t where s.id = $1 and t.id = $2`, [two, one])).rejects.toMatchObject({ message: 'vault: invalid ciphertext' });
    await owner.query('delete from vault.secrets where id = $1', [one]);
  });

  it('rows that were sealed are written back as they are, as a restore does', async () => {
    const id = await create('restored');
    const [kept] = await rows<{ id: string; secret: string; nonce: Buffer }>('delete from vault.secrets where id = $1 returning id, secret, nonce', [id]);
    await owner.query('insert into vault.secrets (id, secret, nonce) values ($1, $2, $3)', [kept!.id, kept!.secret, kept!.nonce]);
    expect(await read(id)).toBe('restored');
    expect(await rows('select secret from vault.secrets where id = $1', [id])).toEqual([{ secret: kept!.secret }]);
  });
});

describe('the keys', () => {
  /** A file of this spec's own, so that other specs keep theirs. */
  let path: string;
  const keyring: VaultKeyring = {
    read: async () => parseVaultLines(readVaultKeyFile(path)),
    write: async (keys) => writeVaultKeyFile(path, vaultLines(keys)),
  };
  beforeAll(async () => {
    path = `${db.settings.vaultKeyFile!}-of-a-spec`;
    await keyring.write(new Map([[1, vaultKeyOf(db.settings, 1)]]));
    await db.admin.rows(`alter foreign table mainstay_internal.vault_keys options (set filename '${path}')`);
  });

  const use = <T>(work: (vault: Vault) => Promise<T>): Promise<T> => Vault.use(db.settings, keyring, work);
  /** How many secrets cannot be read as what they were; all of them where one stands in the way. */
  const unreadable = async (): Promise<number> => {
    const all = `select count(*) filter (where decrypted_secret is distinct from 'secret of ' || name)::int as count from vault.decrypted_secrets`;
    return rows<{ count: number }>(all).then(([found]) => found!.count, () => Number.POSITIVE_INFINITY);
  };

  it('a rotation that dies at any step leaves every secret readable, and the next one completes it', async () => {
    await owner.query('delete from vault.secrets');
    await owner.query(`select vault.create_secret('secret of ' || n, n::text) from generate_series(1, 250) n`);
    let deaths = 0;
    for (let at = 1; ; at += 1) {
      let steps = 0;
      const dying = use((vault) => vault.rotate(async () => {
        steps += 1;
        if (steps === at) throw new Error('died');
      }));
      const outcome = await dying.then(() => 'done', (error: Error) => error.message);
      expect(await unreadable()).toBe(0);
      if (outcome === 'done') break;
      expect(outcome).toBe('died');
      deaths += 1;
      // What is written in between is readable too, with whichever key.
      await create(`secret of m${at}`, `m${at}`);
      if (at % 2 === 0) await use((vault) => vault.rotate());
    }
    expect(deaths).toBeGreaterThan(4);
    const { version } = await use((vault) => vault.rotate());
    expect(await use((vault) => vault.uses())).toEqual([{ version, secrets: 250 + deaths }]);
    expect((await keyring.read()).size).toBe(1);
    expect(await unreadable()).toBe(0);
  });

  it('a transaction that sealed with the old key holds the striking out until it has ended', async () => {
    await owner.query('begin');
    await owner.query(`select vault.create_secret('secret of open', 'open')`);
    const rotating = use((vault) => vault.rotate());
    const first = await Promise.race([rotating.then(() => 'rotated'), new Promise((resolve) => setTimeout(() => resolve('waits'), 400))]);
    expect(first).toBe('waits');
    await owner.query('commit');
    await rotating;
    expect(await unreadable()).toBe(0);
    await use((vault) => vault.rotate());
    expect(await unreadable()).toBe(0);
  });

  it('a home that lost the file gets its keys back from MAINSTAY_SECRET', async () => {
    renameSync(path, `${path}.lost`);
    await expect(owner.query('select * from vault.decrypted_secrets')).rejects.toMatchObject({ code: expect.stringMatching(/^58P01$/) });
    await keyring.write(new Map([[1, vaultKeyOf(db.settings, 1)]]));
    await expect(owner.query('select * from vault.decrypted_secrets')).rejects.toMatchObject({ code: '58P01', message: expect.stringMatching(/^vault: the key of version \d+ is not here$/) });
    expect(await use((vault) => vault.completeKeys())).toHaveLength(1);
    expect(await unreadable()).toBe(0);
    expect(await use((vault) => vault.completeKeys())).toEqual([]);
  });

  it('the file is for the database’s own user alone', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readVaultKeyFile(path).every((line) => /^\d+ [0-9a-f]{64}$/.test(line))).toBe(true);
  });

  it('on a server without a file they lie in a table, and are rotated there', async () => {
    await db.admin.rows(`drop foreign table mainstay_internal.vault_keys; create table mainstay_internal.vault_keys (line text not null); alter table mainstay_internal.vault_keys owner to supabase_admin; grant select on mainstay_internal.vault_keys to mainstay_vault`);
    await db.admin.rows(`insert into mainstay_internal.vault_keys select unnest($1::text[])`, [vaultLines(await keyring.read())]);
    const { version } = await Vault.use(db.settings, null, (vault) => vault.rotate());
    expect(await unreadable()).toBe(0);
    expect(await Vault.use(db.settings, null, (vault) => vault.rotate())).toEqual({ version: version + 1, isResumed: false });
    expect(await unreadable()).toBe(0);
    await expect(asRole('service_role', 'select * from mainstay_internal.vault_keys')).rejects.toMatchObject({ code: '42501' });
  });
});
