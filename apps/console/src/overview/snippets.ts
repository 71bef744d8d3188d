import type { Collection, Connection } from '../contracts.ts';

/** Ways to reach the server, ready to be copied and run. */
export interface Snippet {
  readonly name: string;
  readonly steps: readonly { readonly say: string; readonly code: string }[];
}

/** An example uses a collection that guests may read, so that it shows rows; else one that exists, else one that could. */
export function exampleCollection(collections: readonly Collection[]): { readonly name: string; readonly isReadable: boolean; readonly isThere: boolean } {
  const open = collections.filter(({ schema }) => schema === 'public');
  const readable = open.find(({ has_row_security, policies }) => !has_row_security || policies.some(({ command, roles }) => /^(select|all)$/i.test(command) && roles.some((role) => role === 'anon' || role === 'public')));
  const any = readable ?? open[0];
  return { name: any?.name ?? 'flights', isReadable: readable !== undefined, isThere: any !== undefined };
}

export function snippets({ api_url: url, publishable_key: key, database_url: database }: Connection, collection: string): readonly Snippet[] {
  const name = JSON.stringify(collection).slice(1, -1).replaceAll("'", String.raw`\'`);
  return [
    {
      name: 'JavaScript',
      steps: [
        { say: 'In an empty folder, install the client:', code: 'npm install @supabase/supabase-js' },
        {
          say: 'Save this as first.mjs and run “node first.mjs”, with Node 22 or newer, as the client demands:',
          code: [
            `import { createClient } from '@supabase/supabase-js'`,
            '',
            'const mainstay = createClient(',
            `  '${url}',`,
            `  '${key}',`,
            ')',
            'const { data, error } = await mainstay',
            `  .from('${name}').select('*').limit(5)`,
            'console.log(error ?? data)',
          ].join('\n'),
        },
      ],
    },
    {
      name: 'curl',
      steps: [{ say: 'Five rows as JSON:', code: `curl '${url}/rest/v1/${encodeURIComponent(collection).replaceAll("'", '%27')}?limit=5' \\\n  -H 'apikey: ${key}'` }],
    },
    { name: 'psql', steps: [{ say: 'SQL as the owner of your collections; put the password in place of the stars:', code: `psql '${database}'` }] },
  ];
}
