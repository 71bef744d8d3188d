import type { Settings } from '@mainstay/config';
import { apiClient } from './api-client.ts';
import { Explained } from './explained.ts';
import { readOptions, text, wayToHelp } from './options.ts';

interface Job {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly progress: { readonly done: number; readonly total: number | null } | null;
  readonly error: { readonly message: string } | null;
  readonly created_at: string;
}

/** `mainstay jobs`: the jobs of the running stack. */
export async function jobsCommand(args: string[], settings: Settings): Promise<number> {
  const { values, positionals } = readOptions('jobs', args, { state: text, kind: text, limit: text, key: text }, 2);
  const [verb = 'list', id] = positionals;
  const api = apiClient(settings, values.key ?? settings.secretKey ?? settings.serviceRoleKey);
  if (verb === 'list') {
    const query = new URLSearchParams({ limit: values.limit ?? '20', ...(values.state && { state: values.state }), ...(values.kind && { kind: values.kind }) });
    print(await api.ask<Job[]>('GET', `/jobs/v1?${query}`));
    return 0;
  }
  if (!['show', 'cancel', 'retry'].includes(verb)) throw new Explained(`There is no "jobs ${verb}": list, show, cancel or retry.\n${wayToHelp('jobs')}`);
  if (id === undefined) throw new Explained(`Say which job: npm run mainstay -- jobs ${verb} ID`);
  const path = `/jobs/v1/${encodeURIComponent(id)}`;
  const job = verb === 'show' ? await api.ask<Job>('GET', path) : await api.ask<Job>('POST', `${path}/${verb}`);
  console.log(JSON.stringify(job, null, 2));
  return 0;
}

function print(jobs: readonly Job[]): void {
  if (jobs.length === 0) console.log('No jobs.');
  for (const { id, kind, state, attempts, max_attempts, progress, error, created_at } of jobs) {
    const done = progress === null ? '' : `  ${progress.done}${progress.total === null ? '' : ` of ${progress.total}`}`;
    console.log(`${id}  ${created_at}  ${kind.padEnd(14)} ${state.padEnd(10)} attempt ${attempts} of ${max_attempts}${done}${error === null ? '' : `  ${error.message}`}`);
  }
}
