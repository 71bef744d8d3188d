import type { Shot } from './load.ts';

/** The signed-in user who asks, and owns every row but most of those that stand under a policy on purpose. */
export const owner = '6d9d9a5e-6d4b-4d6e-9c55-0a5a4f2b1c01';
const customers = 2000;
const ordersEach = 10;
const wideColumns = Array.from({ length: 24 }, (_, i) => `c${i}`);

/** The seed: row-level security as a person would write it, for the signed-in owner. */
export const tables = `
  create table public.customers (id bigint generated always as identity primary key, owner uuid not null, name text not null, email text not null);
  create table public.products (id bigint generated always as identity primary key, owner uuid not null, name text not null);
  create table public.orders (id bigint generated always as identity primary key, owner uuid not null, customer_id bigint not null references public.customers,
    product_id bigint not null references public.products, total numeric not null, status text not null, created_at timestamptz not null default now());
  create index on public.orders (customer_id);
  create table public.events (id bigint generated always as identity primary key, owner uuid not null, kind text not null, payload jsonb not null, created_at timestamptz not null default now());
  create table public.notes (id bigint generated always as identity primary key, owner uuid not null, title text not null, body text not null);
  create index on public.notes (owner, id);
  create table public.wide (id bigint generated always as identity primary key, owner uuid not null, ${wideColumns.map((name, i) => `${name} ${i % 3 === 0 ? 'int' : 'text'} not null`).join(', ')});
  create table public.measures (id bigint generated always as identity primary key, owner uuid not null, kind text not null, value numeric not null);
  insert into public.customers (owner, name, email) select '${owner}', 'Customer ' || n, 'c' || n || '@example.org' from generate_series(1, ${customers}) n;
  insert into public.products (owner, name) select '${owner}', 'Product ' || n from generate_series(1, 500) n;
  insert into public.orders (owner, customer_id, product_id, total, status, created_at)
    select '${owner}', 1 + n % ${customers}, 1 + n % 500, n % 1000 / 7.0, (array['new', 'paid', 'sent'])[1 + n % 3], timestamptz '2026-01-01' + n * interval '1 minute' from generate_series(1, ${customers * ordersEach}) n;
  insert into public.notes (owner, title, body) select case when n % 100 = 0 then '${owner}'::uuid else gen_random_uuid() end, 'Note ' || n, repeat('words ', 10) from generate_series(1, 20000) n;
  insert into public.wide (owner, ${wideColumns.join(', ')}) select '${owner}', ${wideColumns.map((_, i) => (i % 3 === 0 ? `n * ${i}` : `'text ${i} of row ' || n`)).join(', ')} from generate_series(1, 1000) n;
  insert into public.measures (owner, kind, value) select '${owner}', 'kind ' || n % 12, n % 977 from generate_series(1, 200000) n;
  do $$ declare t text; begin
    foreach t in array array['customers', 'products', 'orders', 'events', 'notes', 'wide', 'measures'] loop
      execute format('alter table public.%I enable row level security', t);
      execute format('create policy own on public.%I to authenticated using ((select auth.uid()) = owner) with check ((select auth.uid()) = owner)', t);
      execute format('grant all on public.%I to anon, authenticated, service_role', t);
    end loop;
  end $$;
  analyze;
  notify pgrst, 'reload schema'`;

export interface Case {
  readonly name: string;
  readonly status: number;
  readonly shot: (n: number) => Omit<Shot, 'headers'> & { readonly prefer?: string };
  /** Least that we aim at: of the floor's rate, and times the peer's. */
  readonly aims: readonly [ofFloor: number, ofPeer: number | null];
  readonly connections?: number;
  /** Written rows are thrown away between turns. */
  readonly writes?: boolean;
}

const event = { owner, kind: 'click', payload: { page: '/', at: 12 } };
const one = JSON.stringify(event);
const thousand = JSON.stringify(Array.from({ length: 1000 }, () => event));
const anOrder = (n: number): number => 1 + ((n * 7919) % (customers * ordersEach));
const aCustomer = (n: number): number => 1 + ((n * 7919) % customers);
const byId = (n: number) => ({ method: 'GET', path: `/orders?select=id,total,status,created_at&id=eq.${anOrder(n)}` }) as const;

export const cases: readonly Case[] = [
  { name: 'read by id', status: 200, aims: [0.8, 2.5], shot: byId },
  { name: 'read by id, 1 connection', status: 200, aims: [0.8, 2.5], connections: 1, shot: byId },
  { name: 'read by id, 64 connections', status: 200, aims: [0.8, 2.5], connections: 64, shot: byId },
  { name: 'list of 20', status: 200, aims: [0.8, 2.5], shot: () => ({ method: 'GET', path: '/orders?select=id,total,status,created_at&order=id.desc&limit=20' }) },
  { name: '100 wide rows', status: 200, aims: [0.8, 2.5], shot: () => ({ method: 'GET', path: '/wide?select=*&order=id&limit=100' }) },
  { name: '20 rows with two parents', status: 200, aims: [0.8, 2.5], shot: () => ({ method: 'GET', path: '/orders?select=id,total,customers(id,name),products(id,name)&order=id.desc&limit=20' }) },
  { name: 'parent with 10 children', status: 200, aims: [0.8, 2.5], shot: (n) => ({ method: 'GET', path: `/customers?select=id,name,orders(id,total)&id=eq.${aCustomer(n)}` }) },
  { name: '20 rows of one’s own', status: 200, aims: [0.8, 2.5], shot: () => ({ method: 'GET', path: '/notes?select=id,title,body&order=id.desc&limit=20' }) },
  { name: 'insert with representation', status: 201, aims: [0.75, 2], writes: true, shot: () => ({ method: 'POST', path: '/events', body: one, prefer: 'return=representation' }) },
  { name: 'update by id', status: 204, aims: [0.75, 2], shot: (n) => ({ method: 'PATCH', path: `/customers?id=eq.${aCustomer(n)}`, body: '{"name":"Renamed"}', prefer: 'return=minimal' }) },
  { name: 'bulk insert of 1,000', status: 201, aims: [0.9, null], writes: true, shot: () => ({ method: 'POST', path: '/events', body: thousand, prefer: 'return=minimal' }) },
  { name: 'group by over 200,000 rows', status: 200, aims: [0.95, null], connections: 4, shot: () => ({ method: 'GET', path: '/measures?select=kind,value.sum(),count()&order=kind' }) },
];

/** What tells the requests apart: all that the floor looks at. */
export function keyOf(method: string, url: string, bodyBytes: number): string {
  return `${method} ${url.replace(/=eq\.\d+$/, '=eq.')} ${bodyBytes > 10_000 ? 'many' : ''}`;
}
