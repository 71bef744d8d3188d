import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { SettingError, type Settings } from '@mainstay/config';
import pg from 'pg';
import { Administrator, meetServer, quoteText, type Server } from './administrator.ts';
import { connectionOf } from './logins.ts';
import { findPending, migrateHouse } from './migrate-house.ts';
import { houseMigrations } from './migrations/index.ts';
import { findStranger, keyFingerprint, silentSeconds, strangerSentence, type Stranger } from './processes.ts';
import { makeRoles, roles } from './roles.ts';
import { makeSchemas, makeServerObjects, serverObjects } from './server-objects.ts';

/** Any number: whoever sets up this database waits for it. */
const lockKey = 7_246_873_305;

/**
 * Makes the database what a Supabase project and our services expect: roles, logins, schemas, our own tables.
 * Run by everyone who starts: it does nothing where nothing has changed, and two at once wait for each other.
 * Gives a sentence for each thing that this server's administrator could not do.
 * @throws SettingError if the server, the administrator or the settings do not allow a start.
 */
export async function prepareDatabase(settings: Settings): Promise<string[]> {
  const client = new pg.Client({ ...connectionOf(settings, null), application_name: 'mainstay set-up', options: '-c search_path=pg_catalog' });
  // A connection that breaks makes the running query fail; without a listener it would end the process as well.
  client.on('error', () => {});
  await client.connect();
  try {
    const mark = markOf(settings);
    if (await isPrepared(client, mark)) return [];
    const server = await meetServer(client);
    await client.query('select pg_advisory_lock($1)', [lockKey]);
    if (await isPrepared(client, mark)) return [];
    return await prepare(client, server, settings, mark);
  } finally {
    await client.end();
  }
}

async function prepare(client: pg.Client, server: Server, settings: Settings, mark: string): Promise<string[]> {
  await refuseStranger(client, settings);
  const pending = await findPending(client);
  const cluster = new Administrator(client, server);
  const database = new Administrator(client, server);
  try {
    await patiently(() => cluster.transaction(() => makeRoles(cluster, settings)));
    await database.transaction(() => makeSchemas(database));
    if (pending.length > 0) await migrateHouse(settings);
    await database.transaction(() => makeServerObjects(database, settings));
  } catch (error) {
    throw (error as { code?: string }).code === '42501' ? powerless(server, error as Error) : error;
  }
  const notes = [...cluster.notes, ...database.notes];
  // What an administrator could not do may be possible at the next start: only a whole set-up is marked as done.
  if (notes.length === 0) await leaveMark(client, mark);
  return notes;
}

/** Before anything is changed: other keys mean other passwords, and the running processes would lose their logins. */
async function refuseStranger(client: pg.Client, settings: Settings): Promise<void> {
  const { rows: tables } = await client.query(`select from pg_class where oid = to_regclass('mainstay_internal.processes')`);
  if (tables.length === 0) return;
  const { rows } = await client.query(findStranger, [keyFingerprint(settings), silentSeconds]);
  if (rows[0] !== undefined) throw new SettingError(strangerSentence(rows[0] as Stranger));
}

/** Roles belong to the whole server: set-up of a sibling database may alter the same one, and no lock of ours reaches across databases. */
async function patiently(work: () => Promise<void>): Promise<void> {
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

function powerless(server: Server, cause: Error): SettingError {
  return new SettingError(
    `The administrator ${server.login} of DATABASE_URL may not set up database ${server.database} (${cause.message}): it needs CREATEROLE, CREATEDB and the ownership of the database, or to be a superuser.`,
    { cause },
  );
}

/** The marks stand on a role for what belongs to the server, and on a schema for the database: a copied or restored database is noticed. */
async function isPrepared(client: pg.Client, mark: string): Promise<boolean> {
  const { rows } = await client.query(
    `select from pg_roles r, pg_namespace n where r.rolname = 'mainstay_api' and n.nspname = 'mainstay_internal'
       and shobj_description(r.oid, 'pg_authid') = $1 and obj_description(n.oid, 'pg_namespace') = $1`,
    [mark],
  );
  return rows.length > 0;
}

async function leaveMark(client: pg.Client, mark: string): Promise<void> {
  await patiently(async () => {
    await client.query(`comment on role mainstay_api is ${quoteText(mark)}; comment on schema mainstay_internal is ${quoteText(mark)}`);
  });
}

/** Changes with the passwords and with anything that set-up would do; keyed, so that it gives no hint of a password. */
function markOf(settings: Settings): string {
  if (settings.secret === null) throw new SettingError('MAINSTAY_SECRET is not set: the passwords of the services’ database logins are derived from it.');
  const everything = JSON.stringify([roles, serverObjects, houseMigrations, settings.postgresPassword, settings.vaultKeyFile]);
  return `set up: ${createHmac('sha256', settings.secret).update(everything).digest('base64url')}`;
}
