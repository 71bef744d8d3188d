import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getMetadataStorage } from 'class-validator';
import { importBundled } from '../bundle.mjs';
import { code, commentAbove, page, table } from './markdown.ts';

type Payload = new () => object;

interface Contract {
  readonly payload: Payload;
  readonly queue: string;
  readonly attempts: number;
  readonly keyOf: (payload: object) => string | null;
  readonly timeoutSeconds: number;
}

const source = 'libs/domain/src/jobs.ts';

/** Every kind of job, from the table of contracts that api and worker share. */
export async function jobsPage(): Promise<string> {
  const { jobs, queues } = (await importBundled('libs/domain/src/index.ts')) as { jobs: Record<string, Contract>; queues: Record<string, { concurrency: number }> };
  const text = readFileSync(join(import.meta.dirname, '../..', source), 'utf8');
  const kinds = Object.entries(jobs).map(([kind, { payload, queue, attempts, keyOf, timeoutSeconds }]) => [
    code(kind),
    commentAbove(text, `export class ${payload.name} `),
    fieldsOf(payload),
    code(queue),
    String(attempts),
    isUnique(keyOf) ? 'one open job per key' : 'any number',
    `${timeoutSeconds} s`,
  ]);
  return page('Jobs', `\`${source}\``, [
    'A job is a row in the database, written in the transaction of whoever asks for it; the worker does it after the commit, at least once. ' +
      'Its states are `queued`, `running`, `done`, `failed` (refused for good, not tried again), `dead` (every attempt used up; `POST /jobs/v1/<id>/retry` sends it again) and `cancelled`. ' +
      'A failed attempt is repeated after a random time that doubles with every attempt.',
    '## Kinds',
    table(['Kind', 'What it does', 'Payload', 'Queue', 'Attempts', 'At once', 'Time limit'], kinds),
    '`Time limit` is the `statement_timeout` of the database while it runs.',
    '## Queues',
    'Jobs of one queue may wait for each other.',
    table(['Queue', 'At once in each worker'], Object.entries(queues).map(([name, { concurrency }]) => [code(name), String(concurrency)])),
  ]);
}

function fieldsOf(payload: Payload): string {
  const checks = getMetadataStorage().getTargetValidationMetadatas(payload, '', true, false);
  const fields = [...new Set(checks.map(({ propertyName }) => propertyName))];
  if (fields.length === 0) return 'nothing';
  return fields.map((field) => `${code(field)} (${checks.filter(({ propertyName }) => propertyName === field).map(({ name, type }) => name ?? type).join(', ')})`).join(', ');
}

/** Two payloads of no content tell it: a kind without a key gives null for every payload. */
function isUnique(keyOf: Contract['keyOf']): boolean {
  return keyOf({}) !== null;
}
