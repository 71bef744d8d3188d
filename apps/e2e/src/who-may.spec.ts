import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { runSql } from './sql.ts';
import { startStack, type Stack } from './stack.ts';

const schema = `
  create table public.notes (id int primary key, owner uuid not null default auth.uid(), body text);
  alter table public.notes enable row level security;
  create policy own on public.notes to authenticated using ((select auth.uid()) = owner) with check ((select auth.uid()) = owner);
  create table public.closed (id int primary key);
  revoke all on public.closed from anon, authenticated;
`;

type Who = 'guest' | 'member' | 'other member' | 'service';

describe('who may do what', () => {
  let stack: Stack;
  const headersOf = new Map<Who, Record<string, string>>();
  /** An import of the member's, and its job. */
  let importId: string;
  let jobId: string;

  const ask = async (who: Who, method: string, path: string, body?: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${stack.url}${path}`, { method, headers: { ...headersOf.get(who)!, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, ...(body === undefined ? {} : { body }) });
    const text = await answer.text();
    return { status: answer.status, body: /json/.test(answer.headers.get('content-type') ?? '') ? (JSON.parse(text) as unknown) : text, headers: answer.headers };
  };

  const signUp = async (email: string): Promise<Record<string, string>> => {
    const answer = await fetch(`${stack.url}/auth/v1/signup`, {
      method: 'POST',
      headers: { apikey: stack.publishableKey, 'content-type': 'application/json' },
      body: JSON.stringify({ email, password: 'correct horse battery staple' }),
    });
    const { access_token } = (await answer.json()) as { access_token: string };
    return { apikey: stack.publishableKey, authorization: `Bearer ${access_token}` };
  };

  const importAs = async (who: Who, file: string): Promise<{ status: number; id: string }> => {
    const { status, body } = await ask(who, 'POST', '/imports/v1/notes', file, { 'content-type': 'text/csv' });
    return { status, id: (body as { id: string }).id };
  };

  const ended = async (id: string): Promise<Record<string, unknown>> => {
    for (let turn = 0; turn < 200; turn += 1) {
      const { body } = await ask('service', 'GET', `/imports/v1/${id}`);
      const now = body as Record<string, unknown>;
      if (now['state'] !== 'queued' && now['state'] !== 'running') return now;
      await sleep(50);
    }
    throw new Error('the import did not end');
  };

  beforeAll(async () => {
    stack = await startStack({ environment: { GOTRUE_MAILER_AUTOCONFIRM: 'true' } });
    await runSql(stack.dbUrl, schema);
    headersOf.set('guest', { apikey: stack.publishableKey });
    headersOf.set('service', { apikey: stack.serviceKey, authorization: `Bearer ${stack.serviceKey}` });
    headersOf.set('member', await signUp('member@example.org'));
    headersOf.set('other member', await signUp('other@example.org'));
    await sleep(500);
    ({ id: importId } = await importAs('member', 'id,body\n1,mine\n'));
    jobId = (await ended(importId))['job_id'] as string;
  });
  afterAll(() => stack.stop());

  describe('read', () => {
    it.each<[Who, number, unknown]>([
      ['guest', 200, []],
      ['member', 200, [{ id: 1, body: 'mine' }]],
      ['other member', 200, []],
      ['service', 200, [{ id: 1, body: 'mine' }]],
    ])('%s', async (who, status, body) => {
      expect(await ask(who, 'GET', '/rest/v1/notes?select=id,body&id=eq.1')).toMatchObject({ status, body });
    });

    it.each<[Who, number]>([['guest', 401], ['member', 403], ['other member', 403], ['service', 200]])('%s, without a grant', async (who, status) => {
      expect((await ask(who, 'GET', '/rest/v1/closed')).status).toBe(status);
    });
  });

  describe('write', () => {
    it.each<[Who, number]>([['guest', 401], ['member', 201], ['other member', 201]])('%s inserts a row of their own', async (who, status) => {
      const id = { guest: 10, member: 11, 'other member': 12, service: 13 }[who];
      expect((await ask(who, 'POST', '/rest/v1/notes', JSON.stringify({ id }))).status).toBe(status);
    });

    it.each<[Who, number]>([['guest', 0], ['other member', 0], ['member', 1], ['service', 1]])('%s changes the member’s row', async (who, rows) => {
      const { body } = await ask(who, 'PATCH', '/rest/v1/notes?id=eq.1', JSON.stringify({ body: 'mine' }), { prefer: 'return=representation' });
      expect(body).toHaveLength(rows);
    });
  });

  describe('import', () => {
    it('a guest is refused', async () => {
      expect((await importAs('guest', 'id\n20\n')).status).toBe(401);
    });

    it.each<[Who, number, number]>([['member', 1, 0], ['other member', 1, 0]])('%s writes rows of their own', async (who, written, rejected) => {
      const { status, id } = await importAs(who, `id\n${who === 'member' ? 21 : 22}\n`);
      expect(status).toBe(202);
      expect(await ended(id)).toMatchObject({ state: 'done', rows_written: written, rows_rejected: rejected });
    });

    it.each<[Who, number]>([['guest', 401], ['member', 200], ['other member', 404], ['service', 200]])('%s looks at the member’s import and its rejects', async (who, status) => {
      expect((await ask(who, 'GET', `/imports/v1/${importId}`)).status).toBe(status);
      expect((await ask(who, 'GET', `/imports/v1/${importId}/rejects`)).status).toBe(status);
      // It has ended, so there is nothing left to cancel even for those who may.
      expect((await ask(who, 'POST', `/imports/v1/${importId}/cancel`)).status).toBe(status === 200 ? 409 : status);
    });

    it('lists hold one’s own alone', async () => {
      expect((await ask('other member', 'GET', '/imports/v1')).body).not.toContainEqual(expect.objectContaining({ id: importId }));
      expect((await ask('member', 'GET', '/imports/v1')).body).toContainEqual(expect.objectContaining({ id: importId }));
    });
  });

  describe('job', () => {
    it.each<[Who, number]>([['guest', 401], ['member', 200], ['other member', 404], ['service', 200]])('%s looks at the member’s job', async (who, status) => {
      expect((await ask(who, 'GET', `/jobs/v1/${jobId}`)).status).toBe(status);
    });

    it.each<[Who, number]>([['guest', 401], ['other member', 404]])('%s cannot cancel or retry it', async (who, status) => {
      expect((await ask(who, 'POST', `/jobs/v1/${jobId}/cancel`)).status).toBe(status);
      expect((await ask(who, 'POST', `/jobs/v1/${jobId}/retry`)).status).toBe(status);
    });
  });

  describe('house', () => {
    it.each(['/collections/v1', '/connection/v1'])('%s is for the service key alone', async (path) => {
      expect((await ask('service', 'GET', path)).status).toBe(200);
      for (const who of ['guest', 'member'] as const) expect([401, 403]).toContain((await ask(who, 'GET', path)).status);
    });

    it.each(['mainstay_internal', 'auth', 'storage'])('schema %s is not reached through the data API', async (schema) => {
      expect((await ask('service', 'GET', '/rest/v1/users', undefined, { 'accept-profile': schema })).status).toBe(406);
    });
  });

  describe('keys and tokens that do not hold', () => {
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const forged = (header: object, claims: object, secret = 'somebody else’s secret'): string => {
      const head = `${encode(header)}.${encode(claims)}`;
      return `${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`;
    };
    const soon = Math.floor(Date.now() / 1000) + 3600;
    const cases: [string, string][] = [
      ['no token at all', 'nonsense'],
      ['an empty one', ''],
      ['signed by another secret', forged({ alg: 'HS256', typ: 'JWT' }, { role: 'service_role', exp: soon })],
      ['unsigned', `${encode({ alg: 'none' })}.${encode({ role: 'service_role', exp: soon })}.`],
      ['a key of another project', 'sb_secret_somebodyelseskeyofanotherproject'],
    ];

    it.each(cases)('%s: 401 with the protocol’s body on every surface', async (_, token) => {
      const headers = { apikey: stack.publishableKey, authorization: `Bearer ${token}` };
      const rest = await fetch(`${stack.url}/rest/v1/notes`, { headers });
      expect(rest.status).toBe(401);
      expect(rest.headers.get('www-authenticate')).toMatch(/^Bearer/);
      expect(await rest.json()).toMatchObject({ code: 'PGRST301', message: expect.any(String), hint: null });
      for (const path of ['/imports/v1', '/jobs/v1', '/collections/v1']) {
        const answer = await fetch(`${stack.url}${path}`, { headers });
        expect({ path, status: answer.status }).toEqual({ path, status: 401 });
        expect(await answer.json()).toMatchObject({ code: expect.any(String), message: expect.any(String) });
      }
      const auth = await fetch(`${stack.url}/auth/v1/user`, { headers: { ...headers, 'x-supabase-api-version': '2024-01-01' } });
      expect([401, 403]).toContain(auth.status);
      expect(await auth.json()).toEqual({ code: expect.stringMatching(/^(bad_jwt|no_authorization)$/), message: expect.any(String) });
    });

    it('a wrong key beside a good token is refused', async () => {
      const headers = { ...headersOf.get('member')!, apikey: 'sb_publishable_wrong' };
      expect((await fetch(`${stack.url}/rest/v1/notes`, { headers })).status).toBe(401);
    });

    it('errors carry the cross-origin headers, and a preflight needs no key', async () => {
      const refused = await fetch(`${stack.url}/rest/v1/notes`, { headers: { authorization: 'Bearer nonsense', origin: 'https://app.example' } });
      expect(refused.headers.get('access-control-allow-origin')).toBe('*');
      const preflight = await fetch(`${stack.url}/rest/v1/notes`, { method: 'OPTIONS', headers: { origin: 'https://app.example', 'access-control-request-method': 'POST', 'access-control-request-headers': 'apikey,x-client-info' } });
      expect(preflight.status).toBeLessThan(300);
      expect(preflight.headers.get('access-control-allow-headers')).toBe('apikey,x-client-info');
    });

    it.each(['storage', 'realtime', 'functions'])('/%s/v1 says that it is not yet here', async (surface) => {
      const answer = await fetch(`${stack.url}/${surface}/v1/anything`, { method: 'POST' });
      expect(answer.status).toBe(404);
      expect(await answer.json()).toMatchObject({ code: 'not_yet_here', message: expect.stringMatching(/not yet here/) });
    });
  });
});
