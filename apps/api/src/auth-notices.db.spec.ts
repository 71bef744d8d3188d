import { randomInt, randomUUID } from 'node:crypto';
import { makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Secret, TOTP } from 'otpauth';
import { AuthAdminController } from './auth-admin.controller.ts';
import { AuthFactorsController } from './auth-factors.controller.ts';
import { AuthOtpController } from './auth-otp.controller.ts';
import { AuthProvidersController } from './auth-providers.controller.ts';
import { AuthController } from './auth.controller.ts';
import { startQuickAuth } from './quick-auth.ts';

interface Letter {
  readonly kind: string;
  readonly recipient: string;
  readonly subject: string;
  readonly text: string;
  readonly code: string | null;
  readonly link: string | null;
}

let database: TestDatabase;
let secrets: Record<string, string>;
const apps: NestFastifyApplication[] = [];

const open = {
  GOTRUE_SMTP_MAX_FREQUENCY: '0', GOTRUE_SMS_MAX_FREQUENCY: '0', GOTRUE_EXTERNAL_PHONE_ENABLED: 'true', GOTRUE_SECURITY_MANUAL_LINKING_ENABLED: 'true', GOTRUE_MAILER_SECURE_EMAIL_CHANGE_ENABLED: 'false', GOTRUE_SITE_URL: 'https://site.test',
};
const kinds = ['PASSWORD_CHANGED', 'EMAIL_CHANGED', 'PHONE_CHANGED', 'IDENTITY_LINKED', 'IDENTITY_UNLINKED', 'MFA_FACTOR_ENROLLED', 'MFA_FACTOR_UNENROLLED'];
const all = Object.fromEntries(kinds.map((kind) => [`GOTRUE_MAILER_NOTIFICATIONS_${kind}_ENABLED`, 'true']));

beforeAll(async () => {
  database = await makeTestDatabase();
  secrets = await makeSecrets(database.environment);
});
afterAll(async () => {
  await Promise.all(apps.map((each) => each.close()));
  await database.close();
});

async function startApp(more: Record<string, string>): Promise<NestFastifyApplication> {
  const settings = readSettings({ ...database.environment, ...secrets, ...open, ...more });
  const started = await startQuickAuth(settings, [AuthController, AuthOtpController, AuthAdminController, AuthFactorsController, AuthProvidersController]);
  apps.push(started);
  return started;
}

const password = 'correct horse battery';
const freshPhone = (): string => `49151${randomInt(1e8, 1e9)}`;

/** Everything that was written to anybody since, the oldest first; codes and links apart from notices. */
async function lettersOf(work: () => Promise<unknown>): Promise<Letter[]> {
  await database.admin.rows('delete from mainstay_internal.messages');
  await work();
  return database.admin.rows<Letter & Record<string, unknown>>(`select kind, recipient, subject, body_text as text, code, link from mainstay_internal.messages where kind like '%notification' order by id`);
}

/** An account with an address, and what its owner does. */
async function owner(on: NestFastifyApplication) {
  let bearer = secrets['SERVICE_ROLE_KEY']!;
  const ask = async (method: string, path: string, body?: unknown) => {
    const answer = await on.inject({
      method: method as 'GET', url: `/auth/v1${path}`, headers: { apikey: secrets['ANON_KEY']!, 'x-supabase-api-version': '2024-01-01', authorization: `Bearer ${bearer}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
    });
    expect([path, answer.statusCode, answer.statusCode < 300 ? '' : answer.body]).toEqual([path, expect.any(Number), '']);
    const json = answer.body === '' ? {} : answer.json();
    if (typeof json.access_token === 'string') bearer = json.access_token;
    return json;
  };
  const email = `user-${randomUUID()}@example.com`;
  await ask('POST', '/admin/users', { email, password, email_confirm: true });
  await ask('POST', '/token?grant_type=password', { email, password });
  const codeTo = async (to: string): Promise<string> => (await database.admin.rows<{ code: string }>('select code from mainstay_internal.messages where recipient = $1 and code is not null order by id desc limit 1', [to]))[0]!.code;
  return {
    email,
    ask,
    toPhone: async (phone: string) => {
      await ask('PUT', '/user', { phone });
      await ask('POST', '/verify', { phone, type: 'phone_change', token: await codeTo(phone) });
    },
    toEmail: async (next: string) => {
      await ask('PUT', '/user', { email: next });
      await ask('POST', '/verify', { email: next, type: 'email_change', token: await codeTo(next) });
    },
    enroll: async (): Promise<string> => {
      const { id, totp } = await ask('POST', '/factors', { factor_type: 'totp', friendly_name: 'app' });
      const { id: challenge_id } = await ask('POST', `/factors/${id}/challenge`, {});
      await ask('POST', `/factors/${id}/verify`, { challenge_id, code: TOTP.generate({ secret: Secret.fromBase32(totp.secret) }) });
      return id;
    },
  };
}

describe('what has become of an account is mailed to its owner', () => {
  let on: NestFastifyApplication;
  let someone: Awaited<ReturnType<typeof owner>>;

  beforeAll(async () => void (on = await startApp(all)));
  beforeEach(async () => void (someone = await owner(on)));

  it('a new password', async () => {
    expect(await lettersOf(() => someone.ask('PUT', '/user', { password: 'another password' }))).toEqual([
      { kind: 'password_changed_notification', recipient: someone.email, subject: 'Your password has been changed', text: expect.stringContaining(someone.email), code: null, link: null },
    ]);
    expect(await lettersOf(() => someone.ask('PUT', '/user', { data: { a: 1 } }))).toEqual([]);
  });

  it('a new address: the old one is told', async () => {
    const next = `next-${randomUUID()}@example.com`;
    const letters = await lettersOf(() => someone.toEmail(next));
    expect(letters).toEqual([expect.objectContaining({ kind: 'email_changed_notification', recipient: someone.email, text: expect.stringContaining(`from ${someone.email} to ${next}`) })]);
  });

  it('a first number is a way of signing in, and another one a change', async () => {
    const [first, second] = [freshPhone(), freshPhone()];
    expect(await lettersOf(() => someone.toPhone(first))).toEqual([expect.objectContaining({ kind: 'identity_linked_notification', recipient: someone.email, text: expect.stringContaining('by phone now') })]);
    expect(await lettersOf(() => someone.toPhone(second))).toEqual([expect.objectContaining({ kind: 'phone_changed_notification', text: expect.stringContaining(`from ${first} to ${second}`) })]);
    const { identities } = await someone.ask('GET', '/user');
    const { identity_id: id } = identities.find(({ provider }: { provider: string }) => provider === 'phone');
    expect(await lettersOf(() => someone.ask('DELETE', `/user/identities/${id}`))).toEqual([expect.objectContaining({ kind: 'identity_unlinked_notification', recipient: someone.email, text: expect.stringContaining('by phone no more') })]);
  });

  it('a second factor, once it is shown, and recovery codes; and both when they go', async () => {
    let id = '';
    expect(await lettersOf(() => someone.ask('POST', '/factors', { factor_type: 'totp', friendly_name: 'never shown' }))).toEqual([]);
    expect(await lettersOf(async () => (id = await someone.enroll()))).toEqual([expect.objectContaining({ kind: 'mfa_factor_enrolled_notification', text: expect.stringContaining('totp') })]);
    expect(await lettersOf(() => someone.ask('POST', '/factors/recovery-codes', {}))).toEqual([expect.objectContaining({ kind: 'mfa_factor_enrolled_notification', text: expect.stringContaining('recovery_code') })]);
    expect(await lettersOf(() => someone.ask('DELETE', '/factors/recovery-codes'))).toEqual([expect.objectContaining({ kind: 'mfa_factor_unenrolled_notification' })]);
    expect(await lettersOf(() => someone.ask('DELETE', `/factors/${id}`))).toEqual([expect.objectContaining({ kind: 'mfa_factor_unenrolled_notification', text: expect.stringContaining('totp') })]);
  });

  it('what the administration changes is told to nobody', async () => {
    const { id } = await someone.ask('GET', '/user');
    const change = { headers: { apikey: secrets['SERVICE_ROLE_KEY']!, 'content-type': 'application/json' }, payload: JSON.stringify({ password: 'another password', email: `next-${randomUUID()}@example.com` }) };
    expect(await lettersOf(() => on.inject({ method: 'PUT', url: `/auth/v1/admin/users/${id}`, ...change }))).toEqual([]);
  });
});

it('by default nobody is told anything', async () => {
  const someone = await owner(await startApp({}));
  const work = async () => {
    await someone.ask('PUT', '/user', { password: 'another password' });
    await someone.toPhone(freshPhone());
    await someone.toEmail(`next-${randomUUID()}@example.com`);
    await someone.enroll();
  };
  expect(await lettersOf(work)).toEqual([]);
});

it('a mail server gets them as jobs of the same transaction, with the project’s own words', async () => {
  const someone = await owner(await startApp({ ...all, GOTRUE_SMTP_HOST: 'mail.test', GOTRUE_MAILER_SUBJECTS_PASSWORD_CHANGED_NOTIFICATION: 'Hello {{ .Email }}' }));
  expect(await lettersOf(() => someone.ask('PUT', '/user', { password: 'another password' }))).toMatchObject([{ subject: `Hello ${someone.email}` }]);
  expect(await database.admin.rows(`select m.state, j.kind from mainstay_internal.messages m join mainstay_internal.jobs j on j.payload ->> 'messageId' = m.id::text`)).toEqual([{ state: 'queued', kind: 'send-message' }]);
});

it('a hook that fails does not undo what it should tell of', async () => {
  await database.admin.rows(`
    create table public.told (said jsonb);
    create function public.on_mail(event jsonb) returns jsonb language plpgsql security definer as $$
    begin
      if event #>> '{email_data,email_action_type}' = 'mfa_factor_enrolled_notification' then raise exception 'away'; end if;
      insert into public.told values (event -> 'email_data');
      return '{}';
    end $$;
    grant execute on function public.on_mail(jsonb) to supabase_auth_admin`);
  const on = await startApp({ ...all, GOTRUE_HOOK_SEND_EMAIL_ENABLED: 'true', GOTRUE_HOOK_SEND_EMAIL_URI: 'pg-functions://postgres/public/on_mail' });
  const someone = await owner(on);
  expect(await lettersOf(() => someone.ask('PUT', '/user', { password: 'another password' }))).toEqual([]);
  const id = await someone.enroll();
  await someone.ask('DELETE', `/factors/${id}`);
  expect(await database.admin.rows('select said from public.told')).toEqual([
    { said: expect.objectContaining({ email_action_type: 'password_changed_notification', token: '', factor_type: '' }) },
    { said: expect.objectContaining({ email_action_type: 'mfa_factor_unenrolled_notification', factor_type: 'totp' }) },
  ]);
});
