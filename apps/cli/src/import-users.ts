import type { Settings } from '@mainstay/config';
import { importUsers, makeDatabase, ProjectFault } from '@mainstay/persistence';
import { Explained, sentenceFor } from './explained.ts';
import { flag, readOptions, text, wayToHelp } from './options.ts';

/** `mainstay import-users`: the accounts of a Supabase project become ours. */
export async function importUsersCommand(args: string[], settings: Settings): Promise<number> {
  const { values } = readOptions('import-users', args, { from: text, 'with-sessions': flag, 'dry-run': flag, 'fire-triggers': flag });
  if (values.from === undefined) throw new Explained(`Say where the accounts are: npm run mainstay -- import-users --from postgresql://postgres:…@db.example.supabase.co:5432/postgres\n${wayToHelp('import-users')}`);
  if (settings.databaseUrl === null) throw new Explained('There is no database yet: it is made by the first `npm start`.');
  const isDryRun = values['dry-run'] === true;
  const target = makeDatabase(settings, null, { max: 1 });
  try {
    const { tables, notes } = await importUsers(target, { from: values.from, withSessions: values['with-sessions'] === true, isDryRun, firesTriggers: values['fire-triggers'] === true, tell: tellProgress });
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
    for (const { table, read, added, changed } of tables) console.log(`auth.${table.padEnd(22)} ${read} read, ${added} ${isDryRun ? 'would be ' : ''}new, ${changed} ${isDryRun ? 'would be ' : ''}changed, ${read - added - changed} as they were`);
    for (const note of notes) console.log(note);
    if (isDryRun) console.log('Nothing was changed: this was a dry run.');
    return 0;
  } catch (error) {
    throw explained(error);
  } finally {
    await target.close();
  }
}

function tellProgress({ table, done, total }: { table: string; done: number; total: number }): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[Kauth.${table}: ${done} of ${total}`);
}

/** Two databases are asked, so the sentences that name one of them would mislead. */
function explained(error: unknown): unknown {
  if (error instanceof ProjectFault) return new Explained(error.message, { cause: error });
  if (error instanceof Error && /^PGRST_DB_URI is not right/.test(error.message)) return new Explained('--from is not right: it must be a URL that begins with postgresql://.', { cause: error });
  const sentence = sentenceFor(error);
  return sentence === null ? error : new Explained(sentence.replace('is DATABASE_URL right?', 'are --from and DATABASE_URL right?').replace('Is DATABASE_URL right?', 'Are --from and DATABASE_URL right?'), { cause: error as Error });
}
