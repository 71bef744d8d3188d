import { readdirSync, readFileSync } from 'node:fs';
import { extensionsFolder, trustedContrib } from '@mainstay/embedded';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import pg from 'pg';
import { connectionOf } from './logins.ts';

const page = (name: string): string => readFileSync(new URL(`../../../docs/${name}.md`, import.meta.url), 'utf8');
const rows = Array.from(page('compatibility').matchAll(/^\| ([\w, -]+) \| (full|partly|empty|administrator|not offered) \|/gm), ([, names, state]) => names!.split(', ').map((name) => [name, state!] as const)).flat();
const states = new Map(rows);

let db: TestDatabase;
let postgres: pg.Client;
beforeAll(async () => {
  db = await makeTestDatabase();
  const url = new URL(db.settings.databaseUrl!);
  Object.assign(url, { username: 'postgres', password: db.settings.postgresPassword });
  postgres = new pg.Client(connectionOf({ ...db.settings, databaseUrl: url.href }, null));
  await postgres.connect();
});
afterAll(async () => {
  await postgres.end();
  await db.close();
});

describe('docs/compatibility.md', () => {
  it('names each extension once, and every one of ours and of contrib', async () => {
    expect(rows).toHaveLength(states.size);
    const ours = readdirSync(extensionsFolder()).filter((file) => file.endsWith('.control')).map((file) => file.replace('.control', ''));
    const brought = (await db.admin.rows<{ name: string }>(`select name from pg_available_extensions where name !~ '_pl(perl|python)|pl(perl|tcl)u$'`)).map(({ name }) => name);
    expect([...ours, ...trustedContrib, ...brought].filter((name) => !states.has(name))).toEqual([]);
  });

  it.each(rows)('%s: %s', async (name, state) => {
    const made = postgres.query(`begin; create extension if not exists "${name}" cascade; rollback`).then(() => 'made', async (error: { code: string }) => {
      await postgres.query('rollback');
      return error.code;
    });
    // The house has made it for itself.
    if (name === 'file_fdw') return expect(await made).toBe('made');
    // 42501: for a superuser; 0A000: not here; 58P01: a library is not.
    expect(await made).toMatch({ full: /^made$/, partly: /^made$/, empty: /^made$/, administrator: /^42501$/, 'not offered': /^(0A000|58P01|XX000|42501)$/ }[state]!);
    const [found] = await db.admin.rows<{ comment: string }>('select comment from pg_available_extensions where name = $1', [name]);
    if (name !== 'supabase_vault') expect(/^Empty in Mainstay/.test(found?.comment ?? '')).toBe(state === 'empty');
  });
});

describe('the SQL of the pages runs', () => {
  it.each(['compatibility', 'vault'])('docs/%s.md', async (name) => {
    for (const [, sql] of page(name).matchAll(/^```sql\n(.*?)^```$/gms)) await postgres.query(sql!);
  });
});
