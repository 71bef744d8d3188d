import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { SettingError, type Settings } from '@mainstay/config';
import pg from 'pg';
import { Administrator, meetServer, quoteText } from './administrator.ts';
import { connectionOf } from './logins.ts';
import { houseMigrations } from './migrations/index.ts';
import { makeRoles, roles } from './roles.ts';
import { makeSchemas } from './server-objects.ts';

/** Any number: whoever sets up this database waits for it. */
const lockKey = 7_246_873_305;

/**
 * Makes the database what a Supabase project and our services expect: roles, logins, schemas, our own tables.
 * Run by everyone who starts; does nothing where nothing has changed, and two at once wait for each other.
 * Gives a sentence for each thing that this server's administrator could not do.
 * @throws SettingError if the server or the settings do not allow it.
 */
export async function prepareDatabase(settings: Settings): Promise<string[]> {
  const client = new pg.Client({ ...connectionOf(settings, null), application_name: 'mainstay set-up' });
  await client.connect();
  try {
    const wanted = markOf(settings);
    const found = await readMarks(client);
    if (found.roles?.mark === wanted && found.database?.mark === wanted) return [...found.roles.notes, ...found.database.notes];
    return await prepare(client, settings, wanted);
  } finally {
    await client.end();
  }
}

async function prepare(client: pg.Client, settings: Settings, wanted: string): Promise<string[]> {
  const server = await meetServer(client);
  await client.query('select pg_advisory_lock($1)', [lockKey]);
  const { migrateHouse } = await import('./migrate-house.ts');

  const cluster = new Administrator(client, server);
  await patiently(() => cluster.transaction(async () => {
    cluster.notes.length = 0;
    await makeRoles(cluster, settings);
    await cluster.attempt(`comment on role mainstay_api is ${markText(wanted, cluster.notes)}`, null);
  }));

  const database = new Administrator(client, server);
  await database.transaction(() => makeSchemas(database));
  await migrateHouse(settings);
  await database.transaction(async () => {
    await database.run(`comment on schema mainstay_internal is ${markText(wanted, database.notes)}`);
  });
  return [...cluster.notes, ...database.notes];
}

/** Roles belong to the whole server: set-up of a sibling database may alter the same one, and no lock reaches across databases. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let turn = 1; ; turn += 1) {
    try {
      return await work();
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      const isRace = code === '23505' || code === '42710' || (code === 'XX000' && message.includes('concurrently'));
      if (!isRace || turn === 10) throw error;
      await sleep(20 * turn);
    }
  }
}

interface Mark {
  readonly mark: string;
  readonly notes: readonly string[];
}

/** What the last set-up left behind: on a role for what belongs to the server, on our schema for the database. */
async function readMarks(client: pg.Client): Promise<{ roles: Mark | null; database: Mark | null }> {
  const { rows } = await client.query(`
    select shobj_description(to_regrole('mainstay_api'), 'pg_authid') as roles, obj_description(to_regnamespace('mainstay_internal'), 'pg_namespace') as database`);
  const { roles, database } = rows[0] as { roles: string | null; database: string | null };
  return { roles: parseMark(roles), database: parseMark(database) };
}

function markText(mark: string, notes: readonly string[]): string {
  return quoteText(JSON.stringify({ mark, notes }));
}

function parseMark(text: string | null): Mark | null {
  if (text === null || !text.startsWith('{"mark":')) return null;
  return JSON.parse(text) as Mark;
}

/** Changes with the passwords and with anything that set-up does; keyed, so that it gives no hint of a password. */
function markOf(settings: Settings): string {
  if (settings.secret === null) throw new SettingError('MAINSTAY_SECRET is not set: the services’ database passwords are derived from it.');
  const everything = JSON.stringify([roles, makeRoles.toString(), makeSchemas.toString(), houseMigrations, settings.postgresPassword]);
  return createHmac('sha256', settings.secret).update(`set-up:${everything}`).digest('base64url');
}
