import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { settings, type Setting } from '@mainstay/config';
import { code, page, table } from './markdown.ts';

const source = 'libs/config/src/settings.ts';

/** Every setting, in the order and under the headings of the table in the code. */
export function settingsPage(): string {
  const rows = settings as unknown as Record<string, Setting<unknown>>;
  const sections = headings(readFileSync(join(import.meta.dirname, '../..', source), 'utf8'));
  const missing = Object.keys(rows).filter((key) => !sections.some(({ keys }) => keys.includes(key)));
  if (missing.length > 0) throw new Error(`${source}: no heading stands above ${missing.join(', ')}`);
  return page('Settings', `\`${source}\``, [
    'Settings are read from the environment, once, at the start. A wrong value stops the start with one sentence. ' +
      'Names that Supabase, PostgREST or GoTrue have for a thing are the names here; synonyms are one setting, and two different values for it stop the start. ' +
      'A secret is never printed and never logged; `npm start` makes the missing ones and keeps them in `.mainstay/secrets.env`.',
    ...sections.flatMap(({ heading, keys }) => [`## ${heading}`, table(['Name', 'Value', 'Default', 'Meaning'], keys.map((key) => row(rows[key]!)))]),
  ]);
}

function row({ name, synonyms, type, default: value, defaultText, meaning, isSecret, asPostgrest }: Setting<unknown>): string[] {
  const also = synonyms.length === 0 ? '' : ` Also: ${synonyms.map(code).join(', ')}.`;
  const shown = (given: unknown, text: string | null): string => text ?? (given === null || given === '' || (Array.isArray(given) && given.length === 0) ? 'none' : code(String(given)));
  const otherwise = shown(value, defaultText) + (asPostgrest === null ? '' : `; with \`PGRST_DB_URI\`: ${shown(asPostgrest.default, asPostgrest.text)}`);
  return [code(name), type + (isSecret && !type.includes('secret') ? ', secret' : ''), otherwise, meaning + also];
}

/** The headings are the comments between the rows. */
function headings(text: string): { heading: string; keys: string[] }[] {
  const sections: { heading: string; keys: string[] }[] = [];
  for (const line of text.split('\n')) {
    const heading = /^ {2}\/\/ (.+)$/.exec(line)?.[1];
    const key = /^ {2}(\w+): \w+(?:<.*>)?\(/.exec(line)?.[1];
    if (heading !== undefined) sections.push({ heading, keys: [] });
    if (key !== undefined) sections.at(-1)?.keys.push(key);
  }
  return sections.filter(({ keys }) => keys.length > 0);
}
