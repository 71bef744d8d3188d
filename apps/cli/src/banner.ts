import { apiUrlOf, type Settings } from '@mainstay/config';

/** What `npm start` prints once everything answers. */
export function banner(settings: Settings, more: { secrets: string; logs: string; notes: readonly string[] }): string {
  const api = apiUrlOf(settings);
  const database = new URL(settings.databaseUrl!);
  const lines = [
    ['API', api],
    ['Console', `${api}/console/`],
    ['Database', `postgresql://postgres:[POSTGRES_PASSWORD]@${database.host}${database.pathname}`],
    ['Keys', `${more.secrets}   (npm run mainstay -- keys)`],
    ['Logs', more.logs],
  ];
  return [
    '',
    'Mainstay is ready.',
    '',
    ...lines.map(([name, value]) => `  ${name!.padEnd(10)}${value}`),
    ...(more.notes.length === 0 ? [] : ['', ...more.notes.map((note) => `  ${note}`)]),
    '',
    'Stop with Ctrl-C.',
  ].join('\n');
}
