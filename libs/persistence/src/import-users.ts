import { quoteName } from './administrator.ts';
import { readConnectionString } from './connection-string.ts';
import { isDatabaseError } from './database-faults.ts';
import { Database } from './database.ts';
import { ProjectFault } from './project-fault.ts';
import type { Transaction } from './statement.ts';

/** Accounts of another Supabase project, or of any database that GoTrue keeps. */
export interface UserImport {
  /** Connection string of the database that they come from. It is only read. */
  readonly from: string;
  /** Sessions and their refresh tokens too: nobody has to sign in anew, as long as JWT_SECRET or JWT_KEYS are the same. */
  readonly withSessions: boolean;
  /** Says what would be done, and does nothing. */
  readonly isDryRun: boolean;
  /** Lets the project's own triggers on the tables run, as if everybody signed up anew. */
  readonly firesTriggers: boolean;
  readonly tell: (progress: { readonly table: string; readonly done: number; readonly total: number }) => void;
}

/** What became of the rows of one table. */
export interface ImportedTable {
  readonly table: string;
  readonly read: number;
  readonly added: number;
  readonly changed: number;
}

export interface ImportedUsers {
  readonly tables: readonly ImportedTable[];
  /** What whoever imports should know, a sentence each. */
  readonly notes: readonly string[];
}

interface Table {
  readonly name: string;
  /** What makes a row the same row. */
  readonly key: string;
  /** What is there already stays as it is: since the first import it may have lived on here. */
  readonly isKept?: boolean;
  /** Columns that are numbered here anew. */
  readonly leaves?: readonly string[];
  /** Of the source: which rows, and what they are beside their columns. `t` is the row. */
  readonly where?: string;
  readonly more?: (columns: ReadonlySet<string>) => string;
}

/** Older releases kept the provider's id under another name, and the confirmation too. The id made here is the same at every import. */
const olderIdentity = (columns: ReadonlySet<string>): string =>
  columns.has('provider_id') ? '' : ` || jsonb_build_object('provider_id', t.id, 'id', md5(t.provider || ':' || t.id)::uuid)`;
const olderUser = (columns: ReadonlySet<string>): string => (columns.has('email_confirmed_at') || !columns.has('confirmed_at') ? '' : ` || jsonb_build_object('email_confirmed_at', t.confirmed_at)`);

/** The digest under which a refresh token stands here. */
const digest = (column: string): string => `rtrim(translate(encode(sha256(convert_to(t.${column}, 'UTF8')), 'base64'), E'+/\\n', '-_'), '=')`;

const accountTables: readonly Table[] = [
  { name: 'users', key: 'id', more: olderUser },
  { name: 'identities', key: 'id', more: olderIdentity },
  { name: 'mfa_factors', key: 'id' },
  { name: 'mfa_recovery_codes', key: 'id' },
  { name: 'webauthn_credentials', key: 'id' },
];

const sessionTables: readonly Table[] = [
  { name: 'sessions', key: 'id', isKept: true, where: 'exists (select from auth.refresh_tokens r where r.session_id = t.id)' },
  { name: 'mfa_amr_claims', key: 'id', isKept: true, where: 'exists (select from auth.refresh_tokens r where r.session_id = t.session_id)' },
  {
    name: 'refresh_tokens', key: 'token', isKept: true, leaves: ['id'], where: 't.session_id is not null and t.token is not null',
    more: () => ` || jsonb_build_object('token', ${digest('token')}, 'parent', ${digest('parent')})`,
  },
];

const rowsAtOnce = 500;

/** Ends a transaction that was only to show what it would do. */
class Rehearsed extends Error {
  constructor(readonly result: ImportedUsers) {
    super('rehearsed');
  }
}

/**
 * Copies accounts with their ids, passwords, identities and factors. It is one transaction here and one look there, so it is whole
 * or nothing, and a second time changes only what has changed there.
 * @param target this house's database, as its administrator
 * @throws ProjectFault with one sentence that names the table and the row
 */
export async function importUsers(target: Database, terms: UserImport): Promise<ImportedUsers> {
  const source = new Database({ connection: readConnectionString(terms.from), max: 1, applicationName: 'mainstay import-users' });
  const settings = { statement_timeout: '0', idle_in_transaction_session_timeout: '0', row_security: 'off' };
  try {
    return await source.transaction({ role: null, settings, isReadOnly: true, isolation: 'repeatable read' }, async (there) => {
      await refuseStranger(there);
      return target.transaction({ role: null, settings: { statement_timeout: '0', idle_in_transaction_session_timeout: '0' } }, (here) => copyAll(there, here, terms));
    });
  } catch (error) {
    if (error instanceof Rehearsed) return error.result;
    throw error;
  } finally {
    await source.close();
  }
}

async function refuseStranger(there: Transaction): Promise<void> {
  const [row] = await there.rows<{ users: string | null }>(`select to_regclass('auth.users')::text as users`);
  if (row!.users === null) throw new ProjectFault('The database of --from has no table auth.users: it must be that of a Supabase project, or of GoTrue.');
}

async function copyAll(there: Transaction, here: Transaction, terms: UserImport): Promise<ImportedUsers> {
  const notes: string[] = [];
  if (!terms.firesTriggers) await silenceTriggers(here, notes);
  // The owner: row policies bind whoever is no superuser.
  await here.rows('set local role supabase_auth_admin');
  const tables: ImportedTable[] = [];
  for (const table of [...accountTables, ...(terms.withSessions ? sessionTables : [])]) {
    const copied = await copyTable(there, here, table, terms.tell, notes);
    if (copied !== null) tables.push(copied);
  }
  notes.push(...(await remarks(there, terms)));
  if (terms.isDryRun) throw new Rehearsed({ tables, notes });
  return { tables, notes };
}

async function silenceTriggers(here: Transaction, notes: string[]): Promise<void> {
  try {
    await here.savepoint(() => here.rows(`set local session_replication_role = 'replica'`));
  } catch (error) {
    if (!isDatabaseError(error) || error.code !== '42501') throw error;
    notes.push('The administrator of this database may not silence triggers: those on the tables of accounts run for each imported row.');
  }
}

interface Columns {
  /** Columns that both have, and those that are made for here. */
  readonly names: readonly string[];
  readonly source: string;
}

async function copyTable(there: Transaction, here: Transaction, table: Table, tell: UserImport['tell'], notes: string[]): Promise<ImportedTable | null> {
  const columns = await commonColumns(there, here, table, notes);
  if (columns === null) return null;
  const from = `from auth.${table.name} t${table.where === undefined ? '' : ` where ${table.where}`}`;
  const [{ total }] = (await there.rows<{ total: number }>(`select count(*)::int as total ${from}`)) as [{ total: number }];
  const write = writeText(table, columns.names);
  const sum = { read: 0, added: 0, changed: 0 };
  for await (const page of there.pages({ text: `select (${columns.source})::text ${from} order by 1`, values: [] }, rowsAtOnce)) {
    const [written] = (await writing(table, () => here.rows<{ added: number; changed: number }>(write, [`[${page.map(([row]) => row).join(',')}]`]))) as [{ added: number; changed: number }];
    sum.read += page.length;
    sum.added += written.added;
    sum.changed += written.changed;
    tell({ table: table.name, done: sum.read, total });
  }
  return { table: table.name, ...sum };
}

/** Releases of GoTrue differ by columns: what only one side has is left out, with a word. Null where one side lacks the table. */
async function commonColumns(there: Transaction, here: Transaction, { name, leaves = [], more = () => '' }: Table, notes: string[]): Promise<Columns | null> {
  const [theirs, ours] = [await columnsOf(there, name), await columnsOf(here, name)];
  if (theirs.size === 0 || ours.size === 0) return null;
  const made = more(new Set(theirs.keys()));
  const names = [...ours.keys()].filter((column) => !leaves.includes(column) && ours.get(column)!.isWritten && (theirs.has(column) || made.includes(`'${column}'`)));
  const lost = [...theirs].filter(([column, { isWritten }]) => isWritten && !ours.has(column)).map(([column]) => column);
  const filled = await filledOf(there, name, lost);
  if (filled.length > 0) notes.push(`auth.${name}: ${filled.join(', ')} of the source ${filled.length === 1 ? 'is' : 'are'} not known here and left out.`);
  const needed = [...ours].find(([column, { isNeeded }]) => isNeeded && !leaves.includes(column) && !names.includes(column));
  if (needed !== undefined) throw new ProjectFault(`auth.${name} of the source has no column "${needed[0]}", without which a row cannot be here: its GoTrue is too old; let it migrate first.`);
  return { names, source: `to_jsonb(t)${made}` };
}

interface Column {
  /** Not generated. */
  readonly isWritten: boolean;
  /** Not null, and without a default. */
  readonly isNeeded: boolean;
}

async function columnsOf(tx: Transaction, table: string): Promise<Map<string, Column>> {
  const rows = await tx.rows<Column & { name: string }>(
    `select attname as name, attgenerated = '' as "isWritten", attnotnull and not atthasdef as "isNeeded" from pg_catalog.pg_attribute
     where attrelid = to_regclass('auth.' || quote_ident($1)) and attnum > 0 and not attisdropped order by attnum`,
    [table],
  );
  return new Map(rows.map(({ name, ...column }) => [name, column]));
}

/** Of some columns those in which anything stands. */
async function filledOf(there: Transaction, table: string, columns: readonly string[]): Promise<string[]> {
  if (columns.length === 0) return [];
  const [row] = await there.rows<Record<string, boolean>>(`select ${columns.map((name) => `count(${quoteName(name)}) > 0 as ${quoteName(name)}`).join(', ')} from auth.${table}`);
  return columns.filter((name) => row![name] === true);
}

function writeText({ name, key, isKept }: Table, columns: readonly string[]): string {
  const list = columns.map(quoteName);
  const others = list.filter((column) => column !== quoteName(key));
  const row = (of: string): string => `row(${others.map((column) => `${of}.${column}`).join(', ')})`;
  const update = `do update set ${others.map((column) => `${column} = excluded.${column}`).join(', ')} where ${row('kept')} is distinct from ${row('excluded')}`;
  return `
    with given as (select ${list.join(', ')} from jsonb_populate_recordset(null::auth.${name}, $1::jsonb)),
    written as (
      insert into auth.${name} as kept (${list.join(', ')}) select ${list.join(', ')} from given
      on conflict (${quoteName(key)}) ${isKept === true ? 'do nothing' : update} returning (xmax = 0) as is_new
    )
    select count(*) filter (where is_new)::int as added, count(*) filter (where not is_new)::int as changed from written`;
}

/** Words what the database says against a row. */
async function writing<T>({ name }: Table, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isDatabaseError(error)) throw error;
    const why = error.code === '23505' ? `${error.detail ?? error.message} It belongs to another account here: delete that one, or change it, and import again.` : `${error.message}${error.detail === undefined ? '' : `: ${error.detail}`}.`;
    throw new ProjectFault(`auth.${name} cannot be imported, and nothing was: ${why}`, { cause: error });
  }
}

/** What cannot be taken along. */
async function remarks(there: Transaction, { withSessions }: UserImport): Promise<string[]> {
  const count = async (text: string): Promise<number> => (await there.rows<{ n: number }>(`select count(*)::int as n ${text}`))[0]!.n;
  const notes: string[] = [];
  const sso = await count(`from auth.users where to_jsonb(users) ->> 'is_sso_user' = 'true'`);
  if (sso > 0) notes.push(`${sso} users sign in by SAML, which is not yet here: until then only a password or a mailed code lets them in.`);
  if ((await columnsOf(there, 'mfa_factors')).has('secret')) {
    const sealed = await count(`from auth.mfa_factors where secret like '{%'`);
    if (sealed > 0) notes.push(`${sealed} authenticator apps have a secret that GoTrue encrypted (GOTRUE_SECURITY_DB_ENCRYPTION): their owners have to enroll them anew.`);
  }
  const locked = await count(`from auth.users where encrypted_password like '{%'`);
  if (locked > 0) notes.push(`${locked} passwords are encrypted by GoTrue (GOTRUE_SECURITY_DB_ENCRYPTION): their owners have to set new ones.`);
  if (withSessions && (await columnsOf(there, 'sessions')).has('refresh_token_counter')) {
    const newer = await count('from auth.sessions where refresh_token_counter is not null');
    if (newer > 0) notes.push(`${newer} sessions have refresh tokens of a newer kind, which only the source can read: their owners sign in anew.`);
  }
  return notes;
}
