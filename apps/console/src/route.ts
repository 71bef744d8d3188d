/** Where in the console one is; it lives in the address after `#`, so that reload, back and a shared link work. */
export type Route =
  | { readonly page: 'overview' }
  | { readonly page: 'import'; readonly id: string | null; readonly into: string | null }
  | { readonly page: 'data'; readonly collection: { readonly schema: string; readonly name: string } | null; readonly query: URLSearchParams }
  | { readonly page: 'jobs'; readonly id: string | null; readonly query: URLSearchParams }
  | { readonly page: 'schedules'; readonly id: string | null; readonly isEdited: boolean }
  | { readonly page: 'webhooks'; readonly id: string | null; readonly delivery: string | null; readonly query: URLSearchParams }
  | { readonly page: 'exports'; readonly query: URLSearchParams }
  | { readonly page: 'users'; readonly id: string | null; readonly query: URLSearchParams }
  | { readonly page: 'mailbox'; readonly id: string | null; readonly query: URLSearchParams }
  | { readonly page: 'keys' }
  | { readonly page: 'sign-in' };
export type PageName = Route['page'];

export function parseRoute(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#?\/?/, '').split('?', 2);
  const [page, first, second] = path.split('/').map(decode);
  const query = new URLSearchParams(search);
  if (page === 'import') return { page, id: first || null, into: query.get('into') };
  if (page === 'data') return { page, collection: first && second ? { schema: first, name: second } : null, query };
  if (page === 'jobs' || page === 'users' || page === 'mailbox') return { page, id: first || null, query };
  if (page === 'schedules') return { page, id: first || null, isEdited: second === 'edit' };
  if (page === 'webhooks') return { page, id: first || null, delivery: second || null, query };
  if (page === 'exports') return { page, query };
  if (page === 'keys' || page === 'sign-in') return { page };
  return { page: 'overview' };
}

export const links = {
  overview: '#/overview',
  newImport: '#/import',
  importInto: (collection: { schema: string; name: string }): string => `#/import?into=${encodeURIComponent(`${collection.schema}.${collection.name}`)}`,
  import: (id: string): string => `#/import/${encodeURIComponent(id)}`,
  data: '#/data',
  rows: (collection: { schema: string; name: string }, query = ''): string =>
    `#/data/${encodeURIComponent(collection.schema)}/${encodeURIComponent(collection.name)}${query === '' ? '' : `?${query}`}`,
  jobs: (query = ''): string => `#/jobs${query === '' ? '' : `?${query}`}`,
  job: (id: string): string => `#/jobs/${encodeURIComponent(id)}`,
  schedules: '#/schedules',
  schedule: (id: string): string => `#/schedules/${encodeURIComponent(id)}`,
  editSchedule: (id: string): string => `#/schedules/${encodeURIComponent(id)}/edit`,
  webhooks: '#/webhooks',
  endpoint: (id: string, query = ''): string => `#/webhooks/${encodeURIComponent(id)}${query === '' ? '' : `?${query}`}`,
  editEndpoint: (id: string): string => `#/webhooks/${encodeURIComponent(id)}/edit`,
  delivery: (endpoint: string, id: string): string => `#/webhooks/${encodeURIComponent(endpoint)}/${encodeURIComponent(id)}`,
  exports: '#/exports',
  exportOf: (collection: { schema: string; name: string }, query = ''): string => `#/exports?of=${encodeURIComponent(`${collection.schema}.${collection.name}`)}${query === '' ? '' : `&${query}`}`,
  users: (query = ''): string => `#/users${query === '' ? '' : `?${query}`}`,
  user: (id: string): string => `#/users/${encodeURIComponent(id)}`,
  mailbox: (query = ''): string => `#/mailbox${query === '' ? '' : `?${query}`}`,
  message: (id: string, query = ''): string => `#/mailbox/${encodeURIComponent(id)}${query === '' ? '' : `?${query}`}`,
  keys: '#/keys',
  signIn: '#/sign-in',
};

/** `public.flights` as the api names a collection; a name may hold dots itself, a schema of ours does not. */
export function splitCollection(full: string): { schema: string; name: string } {
  const dot = full.indexOf('.');
  return dot < 0 ? { schema: 'public', name: full } : { schema: full.slice(0, dot), name: full.slice(dot + 1) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
