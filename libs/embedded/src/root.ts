import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The folder of the checkout: found by walking up from this file, which stands in `libs/` or, bundled, in `dist/apps/`.
 * The embedded servers come from its node_modules and exist only in a checkout.
 */
export function findRoot(from = fileURLToPath(import.meta.url)): string {
  for (let folder = dirname(from); folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, 'nx.json'))) return folder;
  }
  throw new Error('the embedded servers need a checkout of Mainstay: nx.json was not found above this file');
}
