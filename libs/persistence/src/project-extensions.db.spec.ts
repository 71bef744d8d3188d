import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { migrateProject } from './project-migrations.ts';

let db: TestDatabase;
let folder: string;
const told: string[] = [];

/** Migrations as public projects write them. */
const files: Record<string, string> = {
  '1_documents.sql': `
    create extension if not exists vector with schema extensions;
    -- Store the documents; 1536 works for OpenAI embeddings.
    create table documents (id bigserial primary key, content text not null, metadata jsonb not null default '{}', embedding extensions.vector(1536));
    alter table documents enable row level security;
    create index on documents using hnsw (embedding vector_cosine_ops) with (m = 16, ef_construction = 64);
    create index documents_embedding_idx2 on public.documents using ivfflat (embedding extensions.vector_l2_ops) with (lists='100') where content <> ')';
    comment on index documents_embedding_idx2 is 'of ünïcode 🐘';
    create or replace function match_documents (query_embedding extensions.vector(1536), match_count int default null, filter jsonb default '{}')
    returns table (id bigint, content text, metadata jsonb, similarity float) language plpgsql as $$
    #variable_conflict use_column
    begin
      return query select id, content, metadata, 1 - (documents.embedding <=> query_embedding) as similarity
      from documents where metadata @> filter order by documents.embedding <=> query_embedding limit match_count;
    end; $$;`,
  '2_more_indexes.sql': `create index concurrently if not exists by_inner_product on documents using hnsw (embedding vector_ip_ops) with (m = 8);`,
  '3_queue.sql': `
    create extension if not exists pgmq;
    select pgmq.create('embedding_jobs');
    select from pgmq.create('mails');
    alter table pgmq.q_embedding_jobs enable row level security;
    create function queue_embeddings() returns trigger language plpgsql security definer set search_path = '' as $$
    begin
      perform pgmq.send(queue_name => 'embedding_jobs', msg => jsonb_build_object('id', new.id, 'table', tg_table_name));
      return new;
    end; $$;
    create trigger embed_on_insert after insert on documents for each row execute function queue_embeddings();`,
  '4_vault.sql': `
    create extension if not exists "supabase_vault" with schema "vault";
    select vault.create_secret('https://project.example.com', 'project_url');
    do $$ begin
      if not exists (select 1 from vault.secrets where name = 'service_role_key') then perform vault.create_secret('a service key', 'service_role_key', 'for calls'); end if;
    end $$;
    create schema util;
    create function util.project_url() returns text language plpgsql security definer as $$
    declare secret_value text;
    begin
      select decrypted_secret into secret_value from vault.decrypted_secrets where name = 'project_url';
      return secret_value;
    end; $$;`,
  '5_checks.sql': `
    create extension if not exists "pg_jsonschema" with schema extensions;
    alter table documents add constraint metadata_is_sound check (jsonb_matches_schema('{"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}}}}'::json, metadata));
    alter table documents add constraint also check (extensions.jsonb_matches_schema(schema := '{"not": {"required": ["secret"]}}', instance := metadata));`,
};

beforeAll(async () => {
  db = await makeTestDatabase();
  folder = mkdtempSync(join(tmpdir(), 'project-'));
  mkdirSync(join(folder, 'supabase/migrations'), { recursive: true });
  for (const [name, sql] of Object.entries(files)) writeFileSync(join(folder, 'supabase/migrations', name), sql);
  await migrateProject(db.settings, folder, { tell: (sentence) => told.push(sentence) });
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await db.close();
});

const embedding = `(select array_agg(sin(i * $1::int))::real[] from generate_series(1, 1536) i)::extensions.vector`;

it('the files run as they are, and whoever runs them hears of what differs', () => {
  expect(told).toEqual([
    'Applying supabase/migrations/1_documents.sql',
    ...Array.from({ length: 2 }, () => 'An index of vectors is made without its options: here it makes no search faster, every row is looked at.'),
    'Applying supabase/migrations/2_more_indexes.sql',
    'An index of vectors is made without its options: here it makes no search faster, every row is looked at.',
    ...['3_queue', '4_vault', '5_checks'].map((name) => `Applying supabase/migrations/${name}.sql`),
  ]);
});

it('indexes have the names that later migrations ask for', async () => {
  expect(await db.admin.rows(`select c.relname as name, a.amname as method from pg_class c join pg_am a on a.oid = c.relam where a.amname in ('hnsw', 'ivfflat') order by 1`)).toEqual([
    { name: 'by_inner_product', method: 'hnsw' },
    { name: 'documents_embedding_idx', method: 'hnsw' },
    { name: 'documents_embedding_idx2', method: 'ivfflat' },
  ]);
});

it('documents are found, queued and checked', async () => {
  for (const n of [1, 2, 3]) await db.admin.rows(`insert into public.documents (content, metadata, embedding) select 'document ' || $1, '{"tags": ["a"]}', ${embedding}`, [n]);
  const found = await db.admin.transaction({ role: 'service_role', settings: { search_path: 'public, extensions' } }, (tx) => tx.rows(`select content from match_documents(${embedding}, 2)`, [2]));
  expect(found[0]).toEqual({ content: 'document 2' });
  expect(await db.admin.rows(`select message from pgmq.read('embedding_jobs', 30, 10)`)).toHaveLength(3);
  await expect(db.admin.rows(`insert into public.documents (content, metadata) values ('x', '{"tags": [1]}')`)).rejects.toMatchObject({ code: '23514' });
  await expect(db.admin.rows(`insert into public.documents (content, metadata) values ('x', '{"secret": 1}')`)).rejects.toMatchObject({ code: '23514' });
});

it('secrets are read by the project’s functions', async () => {
  expect(await db.admin.rows('select util.project_url() as url')).toEqual([{ url: 'https://project.example.com' }]);
});
