import type pg from 'pg';
import { quoteText } from './administrator.ts';
import type { PipelineStatement } from './pipeline.ts';
import type { HashedFile, MigrationFile } from './project-files.ts';

/** What has been applied to a database, as the Supabase CLI writes it down and reads it. */
export interface History {
  /** Versions with their names. */
  readonly versions: ReadonlyMap<string, string>;
  /** Paths of seeds, and of roles.sql, with the hash of what was applied. */
  readonly hashes: ReadonlyMap<string, string>;
}

/** Reads the history; a database without its tables has none. */
export async function readHistory(client: pg.ClientBase): Promise<History> {
  return {
    versions: new Map(await readPairs(client, 'schema_migrations', `version, coalesce(to_jsonb(t) ->> 'name', '')`)),
    hashes: new Map(await readPairs(client, 'seed_files', 'path, hash')),
  };
}

async function readPairs(client: pg.ClientBase, table: string, columns: string): Promise<[string, string][]> {
  const { rows: tables } = await client.query('select from pg_catalog.pg_class where oid = to_regclass($1)', [`supabase_migrations.${table}`]);
  if (tables.length === 0) return [];
  const { rows } = await client.query({ text: `select ${columns} from supabase_migrations.${table} t`, rowMode: 'array' });
  return rows as [string, string][];
}

/** Makes the tables of the history, with the columns that an old CLI left out. */
export async function makeHistory(client: pg.ClientBase): Promise<void> {
  await client.query(`
    set client_min_messages = warning;
    create schema if not exists supabase_migrations;
    create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
    alter table supabase_migrations.schema_migrations add column if not exists statements text[], add column if not exists name text;
    create table if not exists supabase_migrations.seed_files (path text not null primary key, hash text not null);
    reset client_min_messages`);
}

/** Records a migration; sent in the transaction of the file where it has one. */
export function recordMigration({ version, name }: MigrationFile, statements: readonly string[]): PipelineStatement {
  return { text: 'insert into supabase_migrations.schema_migrations (version, name, statements) values ($1, $2, $3::text[])', values: [version, name, arrayOf(statements)] };
}

/** Records a seed or roles.sql by its hash. */
export function recordFile({ path, hash }: HashedFile): PipelineStatement {
  return { text: 'insert into supabase_migrations.seed_files (path, hash) values ($1, $2) on conflict (path) do update set hash = excluded.hash', values: [path, hash] };
}

/** A record as plain text, for a file that goes as one piece and takes no bound values. */
export function asText({ text, values = [] }: PipelineStatement): string {
  return text.replace(/\$(\d)/g, (_, n: string) => quoteText(values[Number(n) - 1]!));
}

function arrayOf(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}
