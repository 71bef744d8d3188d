import { readSettings } from '@mainstay/config';
import { migrateCommand } from './migrate.ts';
import { commands, helpOf, usage } from './commands.ts';
import { Explained, isExplained } from './explained.ts';
import { importCommand } from './import.ts';
import { jobsCommand } from './jobs.ts';
import { keysCommand } from './keys.ts';
import { resetCommand } from './reset.ts';
import { settingsOfHome } from './secrets.ts';
import { start } from './start.ts';

const [name, ...args] = process.argv.slice(2);

process.exitCode = await run().catch((error: unknown) => {
  if (isExplained(error)) console.error(error.message);
  else console.error(error);
  return 1;
});
// Idle pools and sockets must not keep a finished command alive.
process.exit(process.exitCode);

async function run(): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') return print(usage());
  const command = commands.find((known) => known.name === name);
  if (command === undefined) throw new Explained(`There is no command "${name}".\n\n${usage()}`);
  if (args.includes('--help') || args.includes('-h')) return print(helpOf(command));
  switch (command.name) {
    case 'start':
      return start(process.env);
    case 'migrate':
      return migrateCommand(args, await settingsOfHome(process.env));
    case 'import':
      return importCommand(args, await settingsOfHome(process.env));
    case 'jobs':
      return jobsCommand(args, await settingsOfHome(process.env));
    case 'keys':
      return keysCommand(args, await settingsOfHome(process.env));
    case 'reset':
      return resetCommand(args, readSettings(process.env));
  }
}

function print(text: string): number {
  console.log(text);
  return 0;
}
