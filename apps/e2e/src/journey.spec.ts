import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { runSql } from './sql.ts';
import { startStack, type Stack } from './stack.ts';

/** Tables as a product team writes them in its first migration. */
const schema = `
  create table public.airlines (code text primary key, name text not null);
  insert into public.airlines values ('AA', 'American'), ('UA', 'United'), ('WN', 'Southwest');
  create table public.flights (
    id bigint primary key,
    owner uuid not null default auth.uid() references auth.users,
    airline text references public.airlines,
    delay int,
    distance numeric(8, 1) check (distance >= 0)
  );
  alter table public.flights enable row level security;
  create policy "own rows" on public.flights to authenticated using ((select auth.uid()) = owner) with check ((select auth.uid()) = owner);
  create table public.tags (id bigint generated always as identity primary key, flight bigint not null references public.flights on delete cascade, label text not null);
  alter table public.tags enable row level security;
  create policy "tags of own flights" on public.tags to authenticated using (exists (select from public.flights f where f.id = flight));
  create function public.total_distance() returns numeric language sql stable as 'select sum(distance) from public.flights';
`;

const password = 'correct horse battery staple';

describe('a journey with unmodified supabase-js', () => {
  let stack: Stack;
  let service: SupabaseClient;
  const client = (key = stack.publishableKey): SupabaseClient => createClient(stack.url, key, { auth: { persistSession: false, autoRefreshToken: false } });

  const signUp = async (email: string): Promise<SupabaseClient> => {
    const supabase = client();
    const { data, error } = await supabase.auth.signUp({ email, password });
    expect(error).toBeNull();
    expect(data.session?.access_token).toBeTruthy();
    return supabase;
  };

  const importFile = async (supabase: SupabaseClient, collection: string, body: string | Uint8Array<ArrayBuffer>, query = ''): Promise<Record<string, unknown>> => {
    const { data } = await supabase.auth.getSession();
    const headers = { apikey: stack.publishableKey, authorization: `Bearer ${data.session!.access_token}`, 'content-type': 'text/csv' };
    const answer = await fetch(`${stack.url}/imports/v1/${collection}${query}`, { method: 'POST', headers, body });
    expect(await answer.clone().json()).toMatchObject({ state: 'queued' });
    expect(answer.status).toBe(202);
    for (let turn = 0; turn < 300; turn += 1) {
      const now = (await (await fetch(`${stack.url}${answer.headers.get('location')}`, { headers })).json()) as Record<string, unknown>;
      if (!['queued', 'running'].includes(now['state'] as string)) return now;
      await sleep(50);
    }
    throw new Error('the import did not end');
  };

  beforeAll(async () => {
    stack = await startStack({ environment: { GOTRUE_MAILER_AUTOCONFIRM: 'true' } });
    service = client(stack.secretKey);
    await runSql(stack.dbUrl, schema);
  });
  afterAll(() => stack.stop());

  it('sees a new table within a second of its migration, without any NOTIFY', async () => {
    await runSql(stack.dbUrl, 'create table public.fresh (id int)');
    await sleep(1000);
    expect((await service.from('fresh').select()).error).toBeNull();
  });

  describe('two users and a file', () => {
    let alice: SupabaseClient;
    let bob: SupabaseClient;

    beforeAll(async () => {
      alice = await signUp('alice@example.org');
      bob = await signUp('bob@example.org');
    });

    it('the file of one becomes rows, and the bad rows are set aside with their reasons', async () => {
      const lines = Array.from({ length: 1000 }, (_, i) => `${i + 1},${['AA', 'UA', 'WN'][i % 3]},${i % 60},${(i * 7) % 900}.5`);
      const file = ['id,airline,delay,distance', ...lines, '1001,AA,soon,10', '1002,ZZ,1,10', '1003,AA,1,-5', '1004,AA', '1005,UA,,12.0'].join('\n');
      const end = await importFile(alice, 'flights', file);
      expect(end).toMatchObject({ state: 'done', rows_read: 1005, rows_written: 1001, rows_rejected: 4, percent: 100 });

      const { data } = await alice.auth.getSession();
      const rejects = await fetch(`${stack.url}/imports/v1/${end['id']}/rejects`, { headers: { apikey: stack.publishableKey, authorization: `Bearer ${data.session!.access_token}`, accept: 'application/x-ndjson' } });
      const rows = (await rejects.text()).trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(rows.map(({ line, column }) => [line, column])).toEqual([[1002, 'delay'], [1003, expect.anything()], [1004, expect.anything()], [1005, expect.anything()]]);
      expect(rows[0]).toMatchObject({ value: 'soon', reason: expect.stringContaining('invalid input syntax for type integer') });
    });

    it('the owner counts, filters, orders and pages them', async () => {
      const { count } = await alice.from('flights').select('*', { count: 'exact', head: true });
      expect(count).toBe(1001);
      const { data, error } = await alice.from('flights').select('id, delay').gt('delay', 55).eq('airline', 'AA').order('id', { ascending: false }).range(0, 2);
      expect(error).toBeNull();
      expect(data).toEqual([{ id: 958, delay: 57 }, { id: 898, delay: 57 }, { id: 838, delay: 57 }]);
      const nullDelay = await alice.from('flights').select('id').is('delay', null).single();
      expect(nullDelay.data).toEqual({ id: 1005 });
    });

    it('the owner embeds the parent and the children', async () => {
      await alice.from('tags').insert([{ flight: 1, label: 'early' }, { flight: 1, label: 'short' }]).throwOnError();
      const { data, error } = await alice.from('flights').select('id, carrier:airlines(name), tags(label)').eq('id', 1).single();
      expect(error).toBeNull();
      expect(data).toEqual({ id: 1, carrier: { name: 'American' }, tags: [{ label: 'early' }, { label: 'short' }] });
    });

    it('the owner changes a row and calls a function', async () => {
      const { data } = await alice.from('flights').update({ delay: 99 }).eq('id', 1).select('id, delay');
      expect(data).toEqual([{ id: 1, delay: 99 }]);
      expect((await alice.rpc('total_distance')).data).toBeGreaterThan(1000);
      expect((await bob.rpc('total_distance')).data).toBeNull();
    });

    it('another user and a guest see nothing and change nothing', async () => {
      for (const other of [bob, client()]) {
        expect((await other.from('flights').select('*', { count: 'exact' })).count).toBe(0);
        expect((await other.from('flights').update({ delay: 0 }).eq('id', 1).select()).data).toEqual([]);
        expect((await other.from('flights').delete().eq('id', 1).select()).data).toEqual([]);
        expect((await other.from('tags').select()).data).toEqual([]);
      }
      const stolen = await bob.from('flights').insert({ id: 5000, owner: (await alice.auth.getUser()).data.user!.id });
      expect(stolen.error).toMatchObject({ code: '42501' });
      expect(stolen.status).toBe(403);
      expect((await service.from('flights').select('delay').eq('id', 1).single()).data).toEqual({ delay: 99 });
    });

    it('another user cannot import rows for the owner, nor see the import', async () => {
      const { data } = await alice.auth.getUser();
      const end = await importFile(bob, 'flights', `id,owner\n6000,${data.user!.id}\n`);
      expect(end).toMatchObject({ rows_written: 0, rows_rejected: 1 });
      expect((await service.from('flights').select().eq('id', 6000)).data).toEqual([]);
    });
  });

  it('a colleague made by the admin API signs in, and is gone when deleted', async () => {
    const { data, error } = await service.auth.admin.createUser({ email: 'carol@example.org', password, email_confirm: true, user_metadata: { name: 'Carol' } });
    expect(error).toBeNull();
    const carol = client();
    const signedIn = await carol.auth.signInWithPassword({ email: 'carol@example.org', password });
    expect(signedIn.data.user?.user_metadata).toEqual(expect.objectContaining({ name: 'Carol' }));
    expect((await service.auth.admin.listUsers()).data.users.map(({ email }) => email)).toContain('carol@example.org');
    await service.auth.admin.deleteUser(data.user!.id);
    expect((await client().auth.signInWithPassword({ email: 'carol@example.org', password })).error).toMatchObject({ code: 'invalid_credentials', status: 400 });
    expect((await carol.auth.getUser()).error).toMatchObject({ status: 403 });
  });

  it('a session is refreshed, and ended everywhere on request', async () => {
    const dave = await signUp('dave@example.org');
    const before = (await dave.auth.getSession()).data.session!;
    const { data } = await dave.auth.refreshSession();
    expect(data.session!.refresh_token).not.toBe(before.refresh_token);
    expect((await dave.auth.getClaims()).data?.claims.sub).toBe(before.user.id);
    await dave.auth.signOut();
    const again = client();
    expect((await again.auth.setSession({ access_token: data.session!.access_token, refresh_token: data.session!.refresh_token })).error).not.toBeNull();
  });
});
