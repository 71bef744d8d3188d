import type { HouseMigration } from './house-migration.ts';

/** Who is running: lets a process with other keys than its siblings refuse to start, and health tell whether a worker is there. */
export const processes: HouseMigration = {
  name: '0006-processes',
  sql: `
    create table mainstay_internal.processes (
      id uuid primary key,
      kind text not null,
      key_fingerprint text not null,
      started_at timestamptz not null default now(),
      seen_at timestamptz not null default now()
    );
    create index processes_seen_at on mainstay_internal.processes (seen_at);
    grant select, insert, update, delete on mainstay_internal.processes to mainstay_api, mainstay_worker;
  `,
};
