import { readSettings } from '@mainstay/config';
import { commands, helpOf, usage } from './commands.ts';
import { Explained, sentenceFor } from './explained.ts';
import { readOptions } from './options.ts';
import { settingsOfHome } from './secrets.ts';

const [name, ...args] = process.argv.slice(2);

process.exitCode = await run().catch((error: unknown) => {
  console.error(sentenceFor(error) ?? error);
  return 1;
});
// Idle pools and sockets must not keep a finished command alive.
process.exit(process.exitCode);

async function run(): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') return print(usage());
  const command = commands.find((known) => known.name === name);
  if (command === undefined) throw new Explained(`There is no command "${name}".\n\n${usage()}`);
  if (args.includes('--help') || args.includes('-h')) return print(helpOf(command));
  // Each command loads what it needs and no more: the start is measured in tenths of seconds.
  switch (command.name) {
    case 'start':
      readOptions('start', args, {});
      return (await import('./start.ts')).start(process.env);
    case 'migrate':
      return (await import('./migrate.ts')).migrateCommand(args, await settingsOfHome(process.env));
    case 'import':
      return (await import('./import.ts')).importCommand(args, await settingsOfHome(process.env));
    case 'export':
      return (await import('./export.ts')).exportCommand(args, await settingsOfHome(process.env));
    case 'import-users':
      return (await import('./import-users.ts')).importUsersCommand(args, await settingsOfHome(process.env));
    case 'jobs':
      return (await import('./jobs.ts')).jobsCommand(args, await settingsOfHome(process.env));
    case 'keys':
      return (await import('./keys.ts')).keysCommand(args, await settingsOfHome(process.env));
    case 'vault':
      return (await import('./vault.ts')).vaultCommand(args, await settingsOfHome(process.env));
    case 'gen':
      return (await import('./gen.ts')).genCommand(args, await settingsOfHome(process.env));
    case 'reset':
      return (await import('./reset.ts')).resetCommand(args, readSettings(process.env));
  }
}

function print(text: string): number {
  console.log(text);
  return 0;
}
