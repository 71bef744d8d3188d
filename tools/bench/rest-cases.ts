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
  /** What the floor runs for it. */
  readonly statement: string;
}

const event = JSON.stringify({ owner, kind: 'click', payload: { page: '/', at: 12 } });
export const cases: readonly Case[] = [
  {
    name: 'read by id',
    status: 200,
    shot: (n) => ({ method: 'GET', path: `/orders?select=id,total,status,created_at&id=eq.${1 + (n * 7919) % (customers * ordersEach)}` }),
    statement: `select coalesce(json_agg(t), '[]')::text from (select id, total, status, created_at from public.orders where id = $1) t`,
  },
  {
    name: 'list of 20',
    status: 200,
    shot: () => ({ method: 'GET', path: '/orders?select=id,total,status,created_at&order=id.desc&limit=20' }),
    statement: `select coalesce(json_agg(t), '[]')::text from (select id, total, status, created_at from public.orders order by id desc limit 20) t`,
  },
  {
    name: 'embed',
    status: 200,
    shot: (n) => ({ method: 'GET', path: `/customers?select=id,name,orders(id,total)&id=eq.${1 + (n * 7919) % customers}` }),
    statement: `select coalesce(json_agg(t), '[]')::text from (select c.id, c.name, o.orders from public.customers c
      left join lateral (select coalesce(json_agg(s), '[]') as orders from (select id, total from public.orders where customer_id = c.id) s) o on true where c.id = $1) t`,
  },
  {
    name: 'insert',
    status: 201,
    shot: () => ({ method: 'POST', path: '/events', body: event }),
    statement: `with written as (insert into public.events (owner, kind, payload) select owner, kind, payload from json_to_record($1::json) as r(owner uuid, kind text, payload jsonb) returning 1) select '' from written`,
  },
];

/** What tells the four requests apart: all that the floor looks at. */
export function keyOf(method: string, url: string): string {
  const path = url.split('?', 1)[0]!;
  return `${method} ${path}${url.includes('=eq.') ? ' by id' : ''}`;
}
