// Writes docs/settings.md, docs/errors.md, docs/jobs.md and docs/metrics.md from the tables in the code. `--check` writes nothing and fails
// when a page is out of date.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorsPage } from './errors-page.ts';
import { jobsPage } from './jobs-page.ts';
import { metricsPage } from './metrics-page.ts';
import { settingsPage } from './settings-page.ts';

const root = join(import.meta.dirname, '../..');
const pages = { 'docs/settings.md': settingsPage(), 'docs/errors.md': await errorsPage(), 'docs/jobs.md': await jobsPage(), 'docs/metrics.md': await metricsPage() };

const stale = Object.entries(pages).filter(([path, text]) => !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== text);
if (process.argv.includes('--check')) {
  for (const [path] of stale) console.error(`${path} does not say what the code says: run "npm run docs".`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const [path, text] of stale) {
    writeFileSync(join(root, path), text);
    console.log(`Wrote ${path}.`);
  }
}
