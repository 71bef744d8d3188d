import type { RestRequest, StatementPlan } from '@mainstay/dialect';
import type { Caller } from '@mainstay/domain';
import { claimSettings, type Session } from '@mainstay/persistence';
import type { Known } from './schema-keeper.ts';

/**
 * The session of one data request: as whom, and what policies and functions may read of the request.
 * The role's own settings come first: `SET ROLE` would not apply them, and the login may set what the role may not.
 */
export function restSession(http: RestRequest, plan: Pick<StatementPlan, 'request'> & { readonly access: Pick<StatementPlan['access'], 'isReadOnly' | 'isolation' | 'settings'> }, caller: Caller, { cache, options }: Known): Session {
  const role = cache.roles.get(caller.role);
  const isolation = plan.access.isolation ?? role?.isolation ?? null;
  const { timezone } = plan.request.preferences;
  return {
    role: caller.role,
    isReadOnly: plan.access.isReadOnly,
    ...(isolation === null || isolation === 'read committed' ? {} : { isolation }),
    settings: {
      search_path: searchPath(plan.request.schema, options.extraSearchPath),
      ...role?.settings,
      ...options.appSettings,
      ...claimSettings(caller),
      'request.method': http.method,
      'request.path': http.path,
      'request.headers': headersText(http.headers),
      'request.cookies': cookiesText(http.headers['cookie']),
      ...(timezone === null ? {} : { timezone }),
      ...plan.access.settings,
    },
  };
}

function searchPath(schema: string, extra: readonly string[]): string {
  return [schema, ...extra.filter((other) => other !== schema)].map((name) => `"${name.replaceAll('"', '""')}"`).join(', ');
}

/** Cookies have a setting of their own. */
function headersText({ cookie: _cookie, ...headers }: RestRequest['headers']): string {
  return JSON.stringify(headers);
}

function cookiesText(header: string | undefined): string {
  if (header === undefined) return '{}';
  const cookies = new Map<string, string>();
  for (const part of header.split(';')) {
    const equals = part.indexOf('=');
    const name = (equals === -1 ? part : part.slice(0, equals)).trim();
    if (name !== '') cookies.set(name, equals === -1 ? '' : part.slice(equals + 1).trim());
  }
  return JSON.stringify(Object.fromEntries(cookies));
}
