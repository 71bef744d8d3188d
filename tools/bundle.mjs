// Node runs plain TypeScript, but no decorators. A tool that needs a library with decorated classes imports it through here.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const root = join(import.meta.dirname, '..');

/** Bundles a source file of the workspace as the apps are bundled, and imports the result. */
export async function importBundled(entry) {
  const bundle = await rolldown({
    cwd: root,
    input: entry,
    platform: 'node',
    tsconfig: join(root, 'tsconfig.base.json'),
    external: (id) => !/^(\.|\/|\0|@mainstay\/|@oxc-project\/runtime)/.test(id),
  });
  const file = join(root, 'node_modules/.cache/mainstay', `${entry.replaceAll(/[^a-z]+/gi, '-')}-${process.pid}.mjs`);
  await bundle.write({ file, format: 'esm', codeSplitting: false });
  await bundle.close();
  try {
    return await import(pathToFileURL(file).href);
  } finally {
    rmSync(file);
  }
}
