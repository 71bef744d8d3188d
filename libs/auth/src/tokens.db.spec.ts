import { randomUUID } from 'node:crypto';
import { readSettings } from '@mainstay/config';
import { Accounts, type User } from '@mainstay/persistence';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { createHash } from 'node:crypto';
import { FlowStates } from './flow-states.ts';
import { Limits } from './limits.ts';
import { MailTemplates } from './mail-templates.ts';
import { Messages } from './messages.ts';
import { OneTimeTokens } from './one-time-tokens.ts';

let database: TestDatabase;
let accounts: Accounts;
let tokens: OneTimeTokens;
let flows: FlowStates;

beforeAll(async () => {
  database = await makeTestDatabase();
  accounts = await Accounts.open(database.settings);
  tokens = new OneTimeTokens({ ...database.settings, smsTestOtp: ['4152127777=123456'] });
  flows = new FlowStates(database.settings);
});
afterAll(async () => {
  await accounts.close();
  await database.close();
});

const addUser = (email = `${randomUUID()}@example.com`): Promise<User> => accounts.transaction((tx) => tx.add({ id: randomUUID(), email, aud: 'authenticated', role: 'authenticated' }));

describe('one-time tokens', () => {
  const issue = async (user: User, type: 'recovery_token' | 'confirmation_token' = 'recovery_token', address = user.email!) =>
    accounts.transaction(async (tx) => tokens.issue(tx, (await tx.lock(user.id))!.user, type, address));

  it('a code and its link are one token, kept as a digest', async () => {
    const user = await addUser();
    const { code, hash } = await issue(user);
    expect(code).toMatch(/^\d{6}$/);
    const kept = await database.admin.rows('select token_hash, relates_to, recovery_token, recovery_sent_at from auth.one_time_tokens join auth.users on users.id = user_id where user_id = $1', [user.id]);
    expect(kept).toEqual([{ token_hash: expect.any(String), relates_to: user.email, recovery_token: expect.any(String), recovery_sent_at: expect.any(Date) }]);
    expect(kept[0]!['token_hash']).not.toBe(hash);
    expect(kept[0]!['recovery_token']).toBe(kept[0]!['token_hash']);
    await accounts.transaction(async (tx) => {
      const byHash = await tokens.findByHash(tx, hash);
      const byCode = await tokens.findByCode(tx, ['recovery_token'], user.email!, code);
      expect(byHash).toMatchObject({ userId: user.id, type: 'recovery_token' });
      expect(byCode?.digest).toBe(byHash?.digest);
      expect(await tokens.findByCode(tx, ['confirmation_token'], user.email!, code)).toBeNull();
      expect(await tokens.findByCode(tx, ['recovery_token'], 'other@example.com', code)).toBeNull();
      expect(await tokens.findByCode(tx, ['recovery_token'], user.email!, String((Number(code) + 1) % 1e6).padStart(6, '0'))).toBeNull();
      expect(await tokens.findByHash(tx, kept[0]!['token_hash'] as string)).toBeNull();
    });
  });

  it('of twenty who spend it at once, one does', async () => {
    const user = await addUser();
    const { hash } = await issue(user);
    const spent = await Promise.all(Array.from({ length: 20 }, () => accounts.transaction(async (tx) => {
      const token = await tokens.findByHash(tx, hash);
      return token !== null && (await tokens.spend(tx, (await tx.lock(user.id))!.user, token));
    })));
    expect(spent.filter(Boolean)).toHaveLength(1);
  });

  it('the next one of its type replaces it, and it grows old', async () => {
    const user = await addUser();
    const first = await issue(user);
    const second = await issue(user);
    await database.admin.rows(`update auth.one_time_tokens set created_at = created_at - interval '3601 seconds' where user_id = $1`, [user.id]);
    await accounts.transaction(async (tx) => {
      expect(first.hash === second.hash ? null : await tokens.findByHash(tx, first.hash)).toBeNull();
      expect(tokens.isFresh((await tokens.findByHash(tx, second.hash))!)).toBe(false);
    });
  });

  it('a test number has a fixed code', async () => {
    const user = await addUser();
    expect((await issue(user, 'confirmation_token', '4152127777')).code).toBe('123456');
  });
});

describe('flows with proof', () => {
  const verifier = 'v'.repeat(43);
  const challenge = createHash('sha256').update(verifier).digest('base64url');

  const begun = async (method: 's256' | 'plain' = 's256'): Promise<string> => {
    const user = await addUser();
    return accounts.transaction(async (tx) => {
      await flows.begin(tx, user.id, { challenge: method === 's256' ? challenge : verifier, method }, 'magiclink', 'magiclink');
      return flows.issueCodeFor(tx, user.id, 'magiclink');
    });
  };
  const redeem = (code: string, proof = verifier) => accounts.transaction((tx) => flows.redeem(tx, code, proof));

  it.each(['s256', 'plain'] as const)('%s: the code is good once', async (method) => {
    const code = await begun(method);
    await expect(redeem(code, 'w'.repeat(43))).rejects.toMatchObject({ code: 'bad_code_verifier' });
    expect(await redeem(code)).toMatchObject({ authenticationMethod: 'magiclink' });
    await expect(redeem(code)).rejects.toMatchObject({ code: 'flow_state_not_found', status: 404 });
  });

  it('the code is good for five minutes', async () => {
    const code = await begun();
    await database.admin.rows(`update auth.flow_state set auth_code_issued_at = auth_code_issued_at - interval '301 seconds'`);
    await expect(redeem(code)).rejects.toMatchObject({ code: 'flow_state_expired' });
  });
});

describe('limits', () => {
  const device = { userAgent: null, address: '203.0.113.9' };

  it('of fifty guesses at once, ten pass, and another account is free', async () => {
    const limits = new Limits(accounts, database.settings);
    const guesses = await Promise.allSettled(Array.from({ length: 50 }, () => limits.guess('password', 'victim@example.com', device)));
    expect(guesses.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    await expect(limits.guess('password', 'VICTIM@example.com', device)).rejects.toMatchObject({ code: 'over_request_rate_limit', status: 429, headers: { 'retry-after': expect.stringMatching(/^\d+$/) } });
    await limits.guess('password', 'other@example.com', device);
    await database.admin.rows(`update mainstay_internal.attempts set counted_at = counted_at - interval '61 seconds'`);
    const guess = await limits.guess('password', 'victim@example.com', device);
    await guess.wasRight();
    await limits.guess('password', 'victim@example.com', device);
  });

  it('a network is counted as a whole, and only what it guesses wrong', async () => {
    const limits = new Limits(accounts, { ...database.settings, guessesPerNetwork: 3 });
    const from = (address: string) => limits.guess('password', randomUUID(), { userAgent: null, address });
    for (const address of ['2001:db8::1', '2001:db8:0:0:1::2']) await from(address);
    await (await from('2001:db8::3')).wasRight();
    await from('2001:0db8::3');
    await expect(from('2001:db8::4')).rejects.toMatchObject({ code: 'over_request_rate_limit' });
    await from('2001:db8:0:1::1');
  });

  it('a mail to an address has a pause, in words that clients show', async () => {
    const limits = new Limits(accounts, database.settings);
    await limits.mail('recovery', 'a@example.com');
    await expect(limits.mail('recovery', 'A@example.com')).rejects.toMatchObject({ code: 'over_email_send_rate_limit', message: expect.stringMatching(/^For security purposes, you can only request this after (59|60) seconds\.$/) });
    await limits.mail('signup', 'a@example.com');
  });

  it('requests from loopback are not counted', async () => {
    const limits = new Limits(accounts, { ...database.settings, rateOtp: 1 });
    for (let n = 0; n < 3; n += 1) await limits.request('otp', { userAgent: null, address: '127.0.0.1' });
    await limits.request('otp', device);
    await expect(limits.request('otp', device)).rejects.toMatchObject({ status: 429 });
  });
});

describe('mails', () => {
  const mail = async (smtp: string | null) => {
    const user = await addUser();
    const messages = new Messages(new MailTemplates(database.settings), { ...database.settings, smtpHost: smtp });
    await accounts.transaction(async (tx) => {
      const locked = (await tx.lock(user.id))!.user;
      await messages.mail(tx, { to: user.email!, type: 'recovery', token: await tokens.issue(tx, locked, 'recovery_token', user.email!), user: locked, redirectTo: 'http://localhost:3000/x?y=1' });
    });
    return database.admin.rows<{ state: string; body_html: string; link: string; code: string; id: string }>('select * from mainstay_internal.messages where recipient = $1', [user.email]);
  };

  it('land in the mailbox where there is no SMTP server', async () => {
    const [message] = await mail(null);
    expect(message).toMatchObject({ state: 'kept', kind: 'recovery', subject: 'Reset Your Password' });
    const link = new URL(message!.link);
    expect(link.pathname).toBe('/auth/v1/verify');
    expect(Object.fromEntries(link.searchParams)).toMatchObject({ type: 'recovery', redirect_to: 'http://localhost:3000/x?y=1', token: expect.stringMatching(/^[0-9a-f]{56}$/) });
    expect(message!.body_html).toContain(message!.link.replaceAll('&', '&amp;'));
    expect(message!.body_html).toContain(message!.code);
  });

  it('are a job in the same transaction where there is one', async () => {
    const [message] = await mail('smtp.example.com');
    expect(message!.state).toBe('queued');
    expect(await database.admin.rows(`select kind, queue, payload from mainstay_internal.jobs where payload ->> 'messageId' = $1`, [message!.id])).toEqual([{ kind: 'send-message', queue: 'mail', payload: { messageId: message!.id } }]);
  });

  it('nobody but the auth login writes them, and it reads none', async () => {
    await expect(database.as('mainstay_api').rows(`select mainstay_internal.write_message('email', 'x', 'a@b.c', '', '', null, null, null)`)).rejects.toMatchObject({ code: '42501' });
    await expect(database.as('supabase_auth_admin').rows('select * from mainstay_internal.messages')).rejects.toMatchObject({ code: '42501' });
    expect(await database.as('mainstay_api').rows('select * from mainstay_internal.messages')).toEqual([]);
  });
});

it('settings read durations', () => {
  expect(readSettings({ GOTRUE_SMTP_MAX_FREQUENCY: '1m30s' }).mailPauseSeconds).toBe(90);
  expect(readSettings({ GOTRUE_MAILER_OTP_EXP: '86400' }).mailOtpSeconds).toBe(86_400);
  expect(() => readSettings({ GOTRUE_MAILER_OTP_EXP: 'soon' })).toThrow('GOTRUE_MAILER_OTP_EXP');
});
