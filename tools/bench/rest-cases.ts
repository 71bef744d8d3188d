import type { Shot } from './load.ts';

/** The signed-in user who asks, and owns every row. */
export const owner = '6d9d9a5e-6d4b-4d6e-9c55-0a5a4f2b1c01';
const customers = 2000;
const ordersEach = 10;
/** The seed: row-level security as a person would write it, for the signed-in owner. */
export const tables = `
  create table public.customers (id bigint generated always as identity primary key, owner uuid not null, name text not null, email text not null);
  create table public.orders (id bigint generated always as identity primary key, owner uuid not null, customer_id bigint not null references public.customers,
    total numeric not null, status text not null, created_at timestamptz not null default now());
  create index on public.orders (customer_id);
  create table public.events (id bigint generated always as identity primary key, owner uuid not null, kind text not null, payload jsonb not null, created_at timestamptz not null default now());
  insert into public.customers (owner, name, email) select '${owner}', 'Customer ' || n, 'c' || n || '@example.org' from generate_series(1, ${customers}) n;
  insert into public.orders (owner, customer_id, total, status, created_at)
    select '${owner}', 1 + n % ${customers}, n % 1000 / 7.0, (array['new', 'paid', 'sent'])[1 + n % 3], timestamptz '2026-01-01' + n * interval '1 minute' from generate_series(1, ${customers * ordersEach}) n;
  do $$ declare t text; begin
    foreach t in array array['customers', 'orders', 'events'] loop
      execute format('alter table public.%I enable row level security', t);
      execute format('create policy own on public.%I to authenticated using ((select auth.uid()) = owner) with check ((select auth.uid()) = owner)', t);
      execute format('grant all on public.%I to anon, authenticated, service_role', t);
    end loop;
  end $$;
  analyze public.customers, public.orders, public.events;
  notify pgrst, 'reload schema'`;

export interface Case {
  readonly name: string;
  readonly status: number;
  readonly shot: (n: number) => Omit<Shot, 'headers'>;
  /** The SQL that the data API compiles for it, as `pg_stat_statements` shows it: this is what the floor runs. */
  readonly statement: string;
  /** Its values: from the id in the URL, or from the body. */
  readonly values: (given: string) => readonly unknown[];
}

const settings = `nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '')`;
const body = `select null, count(*), coalesce(json_agg("answer".*), '[]'), ${settings}, null, null from "answer"`;
const maxRows = '1000';

const event = JSON.stringify({ owner, kind: 'click', payload: { page: '/', at: 12 } });
export const cases: readonly Case[] = [
  {
    name: 'read by id',
    status: 200,
    shot: (n) => ({ method: 'GET', path: `/orders?select=id,total,status,created_at&id=eq.${1 + ((n * 7919) % (customers * ordersEach))}` }),
    statement: `with "answer" as (select "orders"."id" as "id", "orders"."total" as "total", "orders"."status" as "status", "orders"."created_at" as "created_at"
      from "public"."orders" as "orders" where "orders"."id" = $1 limit $2) ${body}`,
    values: (id) => [id, maxRows],
  },
  {
    name: 'list of 20',
    status: 200,
    shot: () => ({ method: 'GET', path: '/orders?select=id,total,status,created_at&order=id.desc&limit=20' }),
    statement: `with "answer" as (select "orders"."id" as "id", "orders"."total" as "total", "orders"."status" as "status", "orders"."created_at" as "created_at"
      from "public"."orders" as "orders" order by "orders"."id" desc limit $1) ${body}`,
    values: () => ['20'],
  },
  {
    name: 'embed',
    status: 200,
    shot: (n) => ({ method: 'GET', path: `/customers?select=id,name,orders(id,total)&id=eq.${1 + ((n * 7919) % customers)}` }),
    statement: `with "answer" as (select "customers"."id" as "id", "customers"."name" as "name",
      (select coalesce(json_agg("e".*), '[]') from (select "orders_1"."id" as "id", "orders_1"."total" as "total" from "public"."orders" as "orders_1"
        where "orders_1"."customer_id" = "customers"."id" limit $1) as "e") as "orders"
      from "public"."customers" as "customers" where "customers"."id" = $2 limit $3) ${body}`,
    values: (id) => [maxRows, id, maxRows],
  },
  {
    name: 'insert',
    status: 201,
    shot: () => ({ method: 'POST', path: '/events', body: event }),
    statement: `with pgrst_source as (insert into "public"."events" as "events" ("kind", "owner", "payload")
      select pgrst_body."kind", pgrst_body."owner", pgrst_body."payload" from json_to_record($1::json) as pgrst_body("kind" text, "owner" uuid, "payload" jsonb) returning 1),
      "answer" as (select * from pgrst_source) select null, count(*), null, ${settings}, null, null from "answer"`,
    values: (text) => [text],
  },
];

/** What tells the four requests apart: all that the floor looks at. */
export function keyOf(method: string, url: string): string {
  const path = url.split('?', 1)[0]!;
  return `${method} ${path}${url.includes('=eq.') ? ' by id' : ''}`;
}
