import { readFileSync } from 'node:fs';
import type pg from 'pg';

/**
 * Reads a connection string as PostgreSQL's own clients do: a URL, or keywords such as `host=db user=me password='a b'`.
 * What it does not say comes from the environment (`PGHOST`, `PGUSER`, …), which the driver reads itself.
 * @throws Error with one sentence, never with the string: a password may stand in it.
 */
export function readConnectionString(text: string): pg.ClientConfig {
  if (/^postgres(ql)?:\/\//.test(text)) return readUrl(text);
  if (text.includes('=')) return fromKeywords(readKeywords(text));
  throw new Error('PGRST_DB_URI is not right: it must be a URL that begins with postgresql:// or keywords such as "host=db user=authenticator".');
}

/** The driver reads most of a URL itself; what it would not take for a folder of sockets, or a user without a host, is read here. */
function readUrl(text: string): pg.ClientConfig {
  const match = /^postgres(?:ql)?:\/\/(?:([^@/]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/.exec(text);
  if (match === null) throw new Error('PGRST_DB_URI is not right: it is no URL of PostgreSQL.');
  const [, login = '', place = '', database = '', query = ''] = match;
  const colon = login.indexOf(':');
  const [host, port] = splitPlace(place);
  const said = {
    user: decode(colon === -1 ? login : login.slice(0, colon)),
    password: colon === -1 ? '' : decode(login.slice(colon + 1)),
    host,
    port,
    dbname: decode(database),
    ...Object.fromEntries(new URLSearchParams(query)),
  };
  return fromKeywords(said);
}

/** The first of several hosts; an address of IPv6 stands in brackets. */
function splitPlace(place: string): [host: string, port: string] {
  const [first = ''] = place.split(',');
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(first);
  return [decode(match?.[1]?.replace(/^\[|\]$/g, '') ?? ''), match?.[2] ?? ''];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone % in a password is meant as it stands.
    return text;
  }
}

function readKeywords(text: string): Record<string, string> {
  const pattern = /\s*([a-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))/gy;
  return Object.fromEntries([...text.matchAll(pattern)].map(([, name, quoted, plain]) => [name!, (quoted ?? plain!).replace(/\\(.)/g, '$1')]));
}

function fromKeywords({ host = '', hostaddr = '', port = '', dbname = '', user = '', password = '', sslmode = '', options = '', connect_timeout: _timeout, ...others }: Record<string, string>): pg.ClientConfig {
  const settings = { host: hostaddr || host, port: port === '' ? '' : Number(port.split(',')[0]), database: dbname, user, password, options, application_name: others['application_name'] };
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== '' && value !== undefined));
  return { ...given, ...encryption(sslmode, others['sslrootcert']) };
}

/** As libpq: `require` encrypts and asks for no proof of identity, the two `verify-…` do. `prefer` and `allow` stay without. */
function encryption(mode: string, rootCertificate: string | undefined): pg.ClientConfig {
  if (mode === 'require') return { ssl: { rejectUnauthorized: false } };
  if (mode !== 'verify-ca' && mode !== 'verify-full') return {};
  const isAnyName = mode === 'verify-ca';
  return { ssl: { ...(rootCertificate === undefined ? {} : { ca: readFileSync(rootCertificate, 'utf8') }), ...(isAnyName ? { checkServerIdentity: () => undefined } : {}) } };
}
