import { randomUUID } from 'node:crypto';
import { makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AuthSessionsAdminController } from './auth-sessions-admin.controller.ts';
import { AuthController } from './auth.controller.ts';
import { startQuickAuth } from './quick-auth.ts';

let database: TestDatabase;
let secrets: Record<string, string>;
let app: NestFastifyApplication;

beforeAll(async () => {
  database = await makeTestDatabase();
  secrets = await makeSecrets(database.environment);
  const settings = readSettings({ ...database.environment, ...secrets, GOTRUE_MAILER_AUTOCONFIRM: 'true' });
  app = await startQuickAuth(settings, [AuthController, AuthSessionsAdminController]);
});
afterAll(async () => {
  await app.close();
  await database.close();
});

async function call(method: string, path: string, { body, bearer = secrets['SERVICE_ROLE_KEY']!, agent = 'spec' }: { body?: unknown; bearer?: string; agent?: string } = {}): Promise<{ status: number; body: any }> {
  const answer = await app.inject({
    method: method as 'GET',
    url: `/auth/v1${path}`,
    headers: { 'x-supabase-api-version': '2024-01-01', apikey: secrets['ANON_KEY']!, authorization: `Bearer ${bearer}`, 'user-agent': agent, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? null : answer.json() };
}

/** Somebody who is signed in on two devices; the tokens are those of the devices. */
async function someone(): Promise<{ id: string; tokens: string[] }> {
  const credentials = { email: `user-${randomUUID()}@example.com`, password: 'correct horse battery' };
  const first = await call('POST', '/signup', { body: credentials, agent: 'first' });
  const second = await call('POST', '/token?grant_type=password', { body: credentials, agent: 'second' });
  return { id: first.body.user.id as string, tokens: [first.body.access_token as string, second.body.access_token as string] };
}

const agentsOf = async (id: string): Promise<string[]> => (await call('GET', `/admin/users/${id}/sessions`)).body.sessions.map(({ user_agent: agent }: { user_agent: string }) => agent).sort();

describe('sessions of others', () => {
  it('are listed with device and address', async () => {
    const { id } = await someone();
    const { status, body } = await call('GET', `/admin/users/${id}/sessions`);
    expect(status).toBe(200);
    expect(body.sessions).toHaveLength(2);
    expect(body.sessions[0]).toMatchObject({ user_agent: 'second', ip: '127.0.0.1', aal: 'aal1', created_at: expect.stringMatching(/Z$/), last_used_at: expect.stringMatching(/Z$/) });
  });

  it('are ended one by one, and their tokens are refused at once', async () => {
    const { id, tokens } = await someone();
    const [latest] = (await call('GET', `/admin/users/${id}/sessions`)).body.sessions as { id: string }[];
    expect((await call('DELETE', `/admin/users/${id}/sessions/${latest!.id}`)).status).toBe(204);
    expect(await agentsOf(id)).toEqual(['first']);
    expect(await call('GET', '/user', { bearer: tokens[1]! })).toMatchObject({ status: 403, body: { code: 'session_not_found' } });
    expect((await call('GET', '/user', { bearer: tokens[0]! })).status).toBe(200);
  });

  it('are ended all at once, which the audit log tells', async () => {
    const { id } = await someone();
    expect((await call('DELETE', `/admin/users/${id}/sessions`)).status).toBe(204);
    expect(await agentsOf(id)).toEqual([]);
    const [entry] = await database.admin.rows<{ actor: string; action: string }>(`select payload ->> 'actor_username' as actor, payload ->> 'action' as action from auth.audit_log_entries where payload -> 'traits' ->> 'user_id' = $1 order by created_at desc limit 1`, [id]);
    expect(entry).toEqual({ actor: 'service_role', action: 'logout' });
  });

  it('are not another user’s to end by naming the wrong one', async () => {
    const [one, other] = [await someone(), await someone()];
    const [theirs] = (await call('GET', `/admin/users/${other.id}/sessions`)).body.sessions as { id: string }[];
    expect(await call('DELETE', `/admin/users/${one.id}/sessions/${theirs!.id}`)).toMatchObject({ status: 404, body: { code: 'session_not_found' } });
    expect(await agentsOf(other.id)).toHaveLength(2);
  });

  it.each([
    ['an unknown user', `/admin/users/${randomUUID()}/sessions`, 404, 'user_not_found'],
    ['what is no id', '/admin/users/nobody/sessions', 404, 'validation_failed'],
  ])('answers %s', async (_what, path, status, code) => {
    for (const method of ['GET', 'DELETE']) expect(await call(method, path)).toMatchObject({ status, body: { code } });
  });

  it('are for the service key alone', async () => {
    const { id, tokens } = await someone();
    expect(await call('GET', `/admin/users/${id}/sessions`, { bearer: tokens[0]! })).toMatchObject({ status: 403, body: { code: 'not_admin' } });
    expect(await call('DELETE', `/admin/users/${id}/sessions`, { bearer: secrets['ANON_KEY']! })).toMatchObject({ status: 403 });
    expect(await agentsOf(id)).toHaveLength(2);
  });
});
