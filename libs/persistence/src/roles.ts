import { SettingError, type Settings } from '@mainstay/config';
import { quoteName, quoteText, type Administrator, type Attempt } from './administrator.ts';
import { loginPassword, logins, type Login } from './logins.ts';
import { scramVerifier } from './scram.ts';

/** A power that an ordinary administrator may be unable to give. */
type Power = 'createrole' | 'createdb' | 'replication' | 'bypassrls';

interface Role {
  readonly name: string;
  readonly isLogin?: boolean;
  /** False: it holds its memberships' powers only after SET ROLE. */
  readonly inherits?: boolean;
  readonly powers?: readonly Power[];
  /** Roles that it is a member of. */
  readonly memberOf?: readonly string[];
  /** Roles that it is a member of and may give to others and alter. */
  readonly adminOf?: readonly string[];
  /** Settings of its sessions, as `ALTER ROLE … SET` takes them. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A transaction of a request that holds on for longer than this has gone astray. */
const requestLimits = { lock_timeout: `'2s'`, idle_in_transaction_session_timeout: `'10s'`, transaction_timeout: `'30s'`, synchronous_commit: 'on' };

/** Callers' roles, then owners, then logins: a role may name only those above it. */
export const roles: readonly Role[] = [
  // The roles of callers. Their timeouts are read by the data API: a setting of a role does not come with SET ROLE.
  { name: 'anon', settings: { statement_timeout: `'3s'` } },
  { name: 'authenticated', settings: { statement_timeout: `'8s'` } },
  { name: 'service_role', powers: ['bypassrls'] },
  { name: 'dashboard_user' },

  // Owners. `supabase_admin` is the superuser of the embedded server; elsewhere it owns schemas and is nothing more.
  { name: 'supabase_storage_admin', inherits: false, settings: { search_path: 'storage' } },
  { name: 'supabase_realtime_admin', inherits: false },
  // Whose database webhooks and pg_net's objects are: it may write down a request, and nothing outside of their schemas.
  { name: 'supabase_functions_admin', inherits: false },
  // Whose our trusted extensions' functions are: it can do nothing, so neither can they.
  { name: 'mainstay_extensions', inherits: false },
  // Whose the vault is: it alone may read the vault's keys, and has no other power.
  { name: 'mainstay_vault', inherits: false },
  // Whose our views in schema mainstay are, and what is behind them: row policies apply to it, and decide what is one's own.
  { name: 'mainstay_viewer', inherits: false },
  // Whose the triggers are that write down events for webhooks: it may add an event and nothing else, whatever a filter calls.
  { name: 'mainstay_watcher', inherits: false },
  {
    name: 'supabase_auth_admin',
    isLogin: true,
    inherits: false,
    settings: { search_path: 'auth', statement_timeout: `'8s'`, ...requestLimits },
  },
  { name: 'supabase_admin', memberOf: ['supabase_auth_admin', 'supabase_storage_admin', 'supabase_realtime_admin', 'supabase_functions_admin', 'mainstay_watcher', 'mainstay_viewer', 'mainstay_vault'] },

  // The services' logins: a function can always RESET ROLE to its login's powers, so each login has few.
  {
    name: 'authenticator',
    isLogin: true,
    inherits: false,
    memberOf: ['anon', 'authenticated', 'service_role'],
    settings: { search_path: 'public, extensions', statement_timeout: `'8s'`, temp_file_limit: `'1GB'`, ...requestLimits },
  },
  { name: 'mainstay_api', isLogin: true, inherits: false, settings: { search_path: `''`, statement_timeout: `'8s'`, ...requestLimits } },
  {
    name: 'mainstay_worker',
    isLogin: true,
    inherits: false,
    memberOf: ['anon', 'authenticated', 'service_role'],
    settings: { search_path: 'public, extensions', idle_in_transaction_session_timeout: `'60s'`, transaction_timeout: '0', synchronous_commit: 'on' },
  },

  // Whose the users' tables are: no superuser, but master of everything that a Supabase project's migrations touch.
  {
    name: 'postgres',
    isLogin: true,
    powers: ['createrole', 'createdb', 'replication', 'bypassrls'],
    memberOf: ['supabase_auth_admin', 'supabase_storage_admin', 'supabase_realtime_admin', 'supabase_functions_admin', 'pg_monitor', 'pg_signal_backend'],
    adminOf: ['anon', 'authenticated', 'service_role', 'authenticator'],
    settings: { search_path: '"$user", public, extensions' },
  },

  // Where the worker runs what `postgres` asked for: apart from its own login, since a function can always RESET ROLE.
  {
    name: 'mainstay_commands',
    isLogin: true,
    inherits: false,
    memberOf: ['postgres'],
    settings: { search_path: '"$user", public, extensions', idle_in_transaction_session_timeout: `'60s'`, transaction_timeout: '0', synchronous_commit: 'on' },
  },
];

/**
 * Makes every role what the table says. A role that is a superuser already stays as it is, but for its memberships.
 * @throws SettingError if the administrator has less power than the role that migrates.
 */
export async function makeRoles(admin: Administrator, settings: Settings): Promise<void> {
  const known = new Map((await admin.rows<KnownRole>(knownRoles)).map((role) => [role.rolname, role]));
  if (known.get('postgres')?.rolsuper === true && !admin.server.isSuperuser) {
    throw new SettingError(
      `Role postgres is a superuser on this server, and ${admin.server.login} of DATABASE_URL may not act as it; a project's migrations run as postgres: let DATABASE_URL name a superuser, or use a server whose superuser has another name.`,
    );
  }
  for (const role of roles) {
    await makeRole(admin, role, known.get(role.name));
    await setPassword(admin, settings, role, known.get(role.name));
    await admin.attemptEach([...settingsOf(admin, role, known.get(role.name)), ...membershipsOf(admin, role)]);
  }
  noteSuperuser(admin, known.get('postgres'));
}

const knownRoles = `
  select r.rolname, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolbypassrls, coalesce(s.setconfig, '{}') as settings
  from pg_catalog.pg_roles r left join pg_catalog.pg_db_role_setting s on s.setrole = r.oid and s.setdatabase = 0`;

interface KnownRole {
  readonly rolname: string;
  /** Each as `name=value`. */
  readonly settings: readonly string[];
  readonly rolsuper: boolean;
  readonly rolcreaterole: boolean;
  readonly rolcreatedb: boolean;
  readonly rolreplication: boolean;
  readonly rolbypassrls: boolean;
}

async function makeRole(admin: Administrator, role: Role, known: KnownRole | undefined): Promise<void> {
  const { server } = admin;
  if (known?.rolsuper === true) return;
  const name = quoteName(role.name);
  const attributes = `${role.isLogin ? 'login' : 'nologin'} ${role.inherits === false ? 'noinherit' : 'inherit'}`;
  if (known === undefined) await admin.run(`create role ${name} ${attributes}`);
  else if (role.name !== server.login) await admin.attempt(`alter role ${name} ${attributes}`, `Role ${role.name} exists, and ${server.login} may not alter it.`);

  // A non-superuser that made a role is its administrator, yet no member of it; set-up acts as these roles.
  if (!server.isSuperuser && role.name !== server.login) await admin.attempt(`grant ${name} to ${quoteName(server.login)}`, `${server.login} may not act as ${role.name}.`);

  for (const power of role.powers ?? []) {
    if (known?.[`rol${power}`] === true) continue;
    await admin.attempt(`alter role ${name} ${power}`, `${server.login} may not give ${role.name} ${power.toUpperCase()}: ${lackOf(role.name, power)}`);
  }
}

function lackOf(role: string, power: Power): string {
  if (power !== 'bypassrls') return `what needs it fails. A superuser can: ALTER ROLE ${role} ${power.toUpperCase()}.`;
  const effect = role === 'service_role' ? 'the service key sees only what row policies give to service_role' : `row policies apply to ${role} on tables of other owners`;
  return `${effect}. A superuser can: ALTER ROLE ${role} BYPASSRLS.`;
}

/** The administrator's own password is never changed: DATABASE_URL has it. */
async function setPassword(admin: Administrator, settings: Settings, role: Role, known: KnownRole | undefined): Promise<void> {
  const password = passwordOf(settings, role);
  if (password === null || role.name === admin.server.login || known?.rolsuper === true) return;
  await admin.attempt(`alter role ${quoteName(role.name)} password ${quoteText(scramVerifier(password))}`, `${admin.server.login} may not set the password of ${role.name}.`);
}

function passwordOf(settings: Settings, role: Role): string | null {
  if ((logins as readonly string[]).includes(role.name)) return loginPassword(settings, role.name as Login);
  return role.name === 'postgres' ? settings.postgresPassword : null;
}

/** A setting that stands already stays: operators change timeouts, and an upgrade must not undo that. */
function settingsOf({ server }: Administrator, role: Role, known: KnownRole | undefined): Attempt[] {
  return Object.entries(role.settings ?? {})
    .filter(([setting]) => setting !== 'transaction_timeout' || server.version >= 17)
    .filter(([setting]) => known?.settings.some((text) => text.startsWith(`${setting}=`)) !== true)
    .map(([setting, value]) => ({ sql: `alter role ${quoteName(role.name)} set ${setting} = ${value}`, note: `${server.login} may not set ${setting} for ${role.name}.` }));
}

function membershipsOf({ server }: Administrator, role: Role): Attempt[] {
  const join = (group: string, option: string): Attempt => ({
    sql: `grant ${group} to ${quoteName(role.name)}${option}`,
    note: `${server.login} may not make ${role.name} a member of ${group}.`,
  });
  return [...(role.memberOf ?? []).map((group) => join(group, '')), ...(role.adminOf ?? []).map((group) => join(group, ' with admin option'))];
}

function noteSuperuser(admin: Administrator, postgres: KnownRole | undefined): void {
  if (postgres?.rolsuper !== true) return;
  admin.notes.push('Role postgres is a superuser on this server: a project’s migrations run with all powers, and row policies do not apply to them.');
}
