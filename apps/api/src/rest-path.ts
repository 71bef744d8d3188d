import type { Settings } from '@mainstay/config';

/** Where the data API's routes are declared. */
export const mount = '/rest/v1';

/** Health of a server at whose root the data API stands: no collection has a name of two parts. */
const besideRoot: Readonly<Record<string, string>> = { '/health/live': '/health', '/health/ready': '/health/ready' };

/** Leads requests from where the operator wants the data API to where its routes are; undefined where that is the same. */
export function leadToMount({ restPath }: Pick<Settings, 'restPath'>): ((request: { url?: string | undefined }) => string) | undefined {
  if (restPath === mount) return undefined;
  if (restPath === '/') return ({ url = '/' }) => besideRoot[url.split('?')[0]!] ?? `${mount}${url}`;
  return ({ url = '/' }) => (url.startsWith(restPath) && /^($|[/?])/.test(url.slice(restPath.length)) ? mount + url.slice(restPath.length) : url);
}
