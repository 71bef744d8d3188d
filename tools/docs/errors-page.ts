import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { importBundled } from '../bundle.mjs';
import { code, commentAbove, page, table } from './markdown.ts';

type Catalogue = Readonly<Record<string, { readonly status: number; readonly message: string }>>;

interface Found {
  readonly file: string;
  readonly about: string;
  readonly catalogue: Catalogue;
}

const root = join(import.meta.dirname, '../..');
const protocols = [
  { heading: 'The data API, `/rest/v1`', prefix: 'libs/dialect/', shape: 'Answered as `{"code", "details", "hint", "message"}`. An error of PostgreSQL itself keeps its SQLSTATE as its code.' },
  { heading: 'Sign-in, `/auth/v1`', prefix: 'libs/auth/', shape: 'Answered as `{"code", "message"}` to clients that send `X-Supabase-Api-Version: 2024-01-01` (all that are now made), and to older ones as `{"code", "error_code", "msg"}` with the status as `code`.' },
  { heading: 'Our own surfaces', prefix: '', shape: 'Answered as `{"code", "message", "details", "hint"}`: `/imports/v1`, `/jobs/v1`, `/collections/v1`, `/connection/v1`, and whatever the edge refuses before a surface sees it.' },
];

/** Every answer-on-purpose: the catalogues of all `faultsOf(…)` in the code. */
export async function errorsPage(): Promise<string> {
  const found = await findCatalogues();
  const parts = protocols.flatMap(({ heading, prefix, shape }) => {
    const own = found.filter(({ file }) => protocols.find((other) => file.startsWith(other.prefix))?.prefix === prefix);
    return [`## ${heading}`, shape, ...own.flatMap(({ about, catalogue }) => [...(own.length > 1 ? [about] : []), listing(catalogue)])];
  });
  return page('Errors', 'the catalogues that `faultsOf(…)` is called with', [
    'These are the answers that Mainstay means to give. `message` is the sentence used when the place that raises it has none that says more. ' +
      'Anything else is a bug of ours: it is answered with status 500 and an id, and the whole error stands in the log under that id.',
    ...parts,
  ]);
}

function listing(catalogue: Catalogue): string {
  return table(['Code', 'Status', 'Message'], Object.entries(catalogue).map(([name, { status, message }]) => [code(name), String(status), message]));
}

async function findCatalogues(): Promise<Found[]> {
  const files = globSync(['libs/*/src/**/*.ts', 'apps/*/src/**/*.ts'], { cwd: root }).filter((file) => !file.endsWith('.spec.ts') && !file.startsWith('libs/domain/')).sort();
  const found: Found[] = [];
  for (const file of files) {
    const source = readFileSync(join(root, file), 'utf8');
    for (const [, name] of source.matchAll(/= faultsOf\((\w+)\)/g)) {
      const catalogue = ((await importBundled(file)) as Record<string, Catalogue>)[name!];
      if (catalogue === undefined) throw new Error(`${file}: export ${name}, so that docs/errors.md can list it`);
      found.push({ file, about: commentAbove(source, `export const ${name} `), catalogue });
    }
  }
  return found;
}
