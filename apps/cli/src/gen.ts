import { readSettings, type Settings } from '@mainstay/config';
import { makeDatabase } from '@mainstay/persistence';
import { SchemasMissing, typesOfDatabase } from '@mainstay/rest';
import { Explained } from './explained.ts';
import { flag, readOptions, text, wayToHelp } from './options.ts';

/** `mainstay gen types`: prints `database.types.ts` for supabase-js. Gives the exit status. */
export async function genCommand(args: string[], settings: Settings): Promise<number> {
  const { values, positionals } = readOptions('gen', args, { schema: { type: 'string', short: 's', multiple: true }, lang: text, 'db-url': text, local: flag }, 2);
  const [what, language] = positionals;
  if (what !== 'types') throw new Explained(`Say what to write: npm run mainstay -- gen types\n${wayToHelp('gen')}`);
  const wanted = language ?? values.lang ?? 'typescript';
  if (wanted !== 'typescript') throw new Explained(`There are types for typescript only, and none for "${wanted}".`);
  const place = settingsWith(settings, values['db-url']);
  const database = makeDatabase(place, null, { max: 1 });
  try {
    process.stdout.write(await typesOfDatabase(database, schemasOf(values.schema, settings)));
    return 0;
  } catch (error) {
    throw error instanceof SchemasMissing ? new Explained(error.message, { cause: error }) : error;
  } finally {
    await database.close();
  }
}

/** Another database than the home's own, as whoever the URL says. */
function settingsWith(settings: Settings, url: string | undefined): Settings {
  if (url !== undefined) return readSettings({ DATABASE_URL: url });
  if (settings.databaseUrl === null) throw new Explained('There is no database yet: it is made by the first `npm start`. Another one is named by --db-url.');
  return settings;
}

function schemasOf(given: readonly string[] | undefined, settings: Settings): string[] {
  const named = (given ?? []).flatMap((text) => text.split(',')).map((name) => name.trim()).filter((name) => name !== '');
  return named.length === 0 ? [...settings.dbSchemas] : [...new Set(named)];
}
