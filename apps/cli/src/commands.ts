/** One command of `npm run mainstay -- …`, as its help tells it. */
export interface Command {
  readonly name: 'start' | 'migrate' | 'import' | 'export' | 'import-users' | 'jobs' | 'keys' | 'vault' | 'gen' | 'reset';
  readonly usage: string;
  readonly summary: string;
  readonly options: readonly (readonly [string, string])[];
}

export const commands: readonly Command[] = [
  {
    name: 'start',
    usage: 'start',
    summary: 'Run PostgreSQL, Valkey, the API and a worker until Ctrl-C. The same as `npm start`.',
    options: [],
  },
  {
    name: 'migrate',
    usage: 'migrate [DIR] [--status] [--dry-run] [--include-all] [--no-seed]',
    summary: 'Apply a project folder’s supabase/roles.sql, supabase/migrations/*.sql and seeds, each file once.',
    options: [
      ['DIR', 'the project folder; MAINSTAY_PROJECT or the current folder if left out'],
      ['--status', 'list the migrations and which are applied'],
      ['--dry-run', 'say what would be applied, and change nothing'],
      ['--include-all', 'apply migrations older than the last applied one too'],
      ['--no-seed', 'leave the seeds out'],
    ],
  },
  {
    name: 'import',
    usage: 'import FILE --into TABLE [options]',
    summary: 'Send a CSV or NDJSON file (also .gz) and watch it become rows.',
    options: [
      ['FILE', 'the file; - reads standard input'],
      ['--into TABLE', 'the table, in schema public unless written schema.table'],
      ['--format csv|ndjson', 'if the file’s ending does not say it'],
      ['--on-conflict COLUMNS', 'columns of a unique key; with --resolution merge (default) or ignore'],
      ['--columns NAMES', 'the table’s columns in the order of the file, with commas, if its header has other names'],
      ['--no-header', 'the first line is a row already'],
      ['--mode rows|all', 'rows: set bad rows aside (default); all: all or nothing'],
      ['--delimiter C', 'the delimiter of a CSV file; a comma if left out'],
      ['--null TEXT', 'the text that means null; nothing between the delimiters if left out'],
      ['--max-errors N', 'bad rows after which it is given up; 1000 if left out'],
      ['--key KEY', 'the service key; read from the home folder if left out'],
    ],
  },
  {
    name: 'export',
    usage: 'export TABLE [QUERY] [options]',
    summary: 'Have a table or view written to a file by a job, and fetch the file.',
    options: [
      ['TABLE', 'the table or view, in schema public unless written schema.table'],
      ['QUERY', 'what of it, in the data API’s words: \'select=id,total&status=eq.paid&order=id\''],
      ['--to FILE', 'where to; the table’s name in the current folder if left out; - writes to standard output'],
      ['--format FORMAT', 'csv, ndjson, xlsx or parquet; what the file’s ending says if left out, else csv'],
      ['--gzip', 'pack the file (.gz)'],
      ['--delimiter C', 'the delimiter of a CSV file; a comma if left out'],
      ['--spreadsheet-safe', 'make cells text that a spreadsheet would take for formulas'],
      ['--resume ID', 'instead of TABLE: go on with an export that was begun'],
      ['--key KEY', 'the service key; read from the home folder if left out'],
    ],
  },
  {
    name: 'import-users',
    usage: 'import-users --from URL [--with-sessions] [--dry-run] [--fire-triggers]',
    summary: 'Copy the accounts of a Supabase project: ids, passwords, identities, factors. Twice gives the same.',
    options: [
      ['--from URL', 'connection string of the project’s database, which is only read'],
      ['--with-sessions', 'its sessions too, so that nobody has to sign in anew'],
      ['--dry-run', 'say what would be done, and change nothing'],
      ['--fire-triggers', 'let the project’s own triggers run for each row, as at a sign-up'],
    ],
  },
  {
    name: 'jobs',
    usage: 'jobs [list | show ID | cancel ID | retry ID] [--state STATE] [--kind KIND]',
    summary: 'List jobs, or look at, cancel or retry one.',
    options: [
      ['--state STATE', 'queued, running, done, failed, dead or cancelled'],
      ['--kind KIND', 'such as import-rows'],
      ['--limit N', 'how many to list; 20 if left out'],
      ['--key KEY', 'the service key; read from the home folder if left out'],
    ],
  },
  {
    name: 'keys',
    usage: 'keys [list | create NAME | rotate | revoke ID] [options]',
    summary: 'Show the URL and the keys that clients need; list, make and end keys, and rotate those that sign.',
    options: [
      ['--reveal', 'print the service key, the secret key and the database password'],
      ['--role ROLE', 'of a new key: the role that it acts as; service_role if left out'],
      ['--expires WHEN', 'of a new key: a moment such as 2030-01-31, or a span such as 90d, 12h or 30m'],
      ['--publishable', 'make a key for browsers, of role anon'],
      ['--key KEY', 'the service key; read from the home folder if left out'],
    ],
  },
  {
    name: 'vault',
    usage: 'vault [status | rotate]',
    summary: 'Show which keys the vault’s secrets are sealed with, or seal all with a new one.',
    options: [],
  },
  {
    name: 'gen',
    usage: 'gen types [--schema NAMES] [--db-url URL]',
    summary: 'Print database.types.ts, the types of tables, views and functions for supabase-js.',
    options: [
      ['--schema NAMES', 'the schemas, with commas; those that the data API exposes if left out'],
      ['--lang typescript', 'the language; there is one'],
      ['--db-url URL', 'another database; the home’s own if left out'],
    ],
  },
  {
    name: 'reset',
    usage: 'reset [--yes]',
    summary: 'Delete every row, account, file, secret and log of this home, after a question.',
    options: [['--yes', 'do not ask']],
  },
];

/** The page that lists the commands. */
export function usage(): string {
  const lines = commands.map((command) => `  ${command.name.padEnd(14)}${command.summary}`);
  return ['Usage: npm run mainstay -- COMMAND', '', ...lines, '', 'Help for one: npm run mainstay -- COMMAND --help. Settings: docs/settings.md.'].join('\n');
}

/** The page of one command. */
export function helpOf(command: Command): string {
  const width = Math.max(0, ...command.options.map(([name]) => name.length)) + 2;
  const options = command.options.map(([name, meaning]) => `  ${name.padEnd(width)}${meaning}`);
  return [`Usage: npm run mainstay -- ${command.usage}`, '', command.summary, ...(options.length === 0 ? [] : ['', ...options])].join('\n');
}
