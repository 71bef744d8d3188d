import { randomUUID } from 'node:crypto';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { Accounts } from '@mainstay/persistence';
import { AccessTokens } from './access-tokens.ts';
import { Keyring } from './keyring.ts';
import { digestOf, RefreshTokens } from './refresh-tokens.ts';
import { Sessions } from './sessions.service.ts';
import { viewUser } from './views.ts';

let database: TestDatabase;
let accounts: Accounts;
let sessionsWith: (secret: string) => Sessions;

beforeAll(async () => {
  database = await makeTestDatabase();
  accounts = await Accounts.open(database.settings);
  const accessTokens = new AccessTokens(await Keyring.read(database.settings), database.settings);
  sessionsWith = (secret) => new Sessions(accounts, accessTokens, new RefreshTokens(secret), database.settings);
});

afterAll(async () => {
  await accounts.close();
  await database.close();
});

const device = { userAgent: 'spec', address: '192.0.2.1' };

async function openSession(sessions: Sessions): Promise<{ refreshToken: string; sessionId: string }> {
  return accounts.transaction(async (tx) => {
    const user = await tx.add({ id: randomUUID(), email: `${randomUUID()}@example.com` });
    const { refreshToken, facts } = await sessions.open(tx, { user, identities: [] }, 'password', device);
    return { refreshToken, sessionId: facts.id };
  });
}

describe('a session', () => {
  it('outlives a change of MAINSTAY_SECRET, also for two tabs of which one lost the last answer', async () => {
    const [before, after] = [sessionsWith('s'.repeat(32)), sessionsWith('t'.repeat(32))];
    const { refreshToken: first, sessionId } = await openSession(before);
    const second = (await before.refresh(first, device)).refresh_token;
    // This tab never got the second token; nobody can derive it any more, so the line goes on with a new one.
    const third = (await after.refresh(first, device)).refresh_token;
    expect(third).not.toBe(second);
    // The other tab still holds the second, now the parent of the live one.
    const fourth = (await after.refresh(second, device)).refresh_token;
    const fifth = await after.refresh(fourth, device);
    expect(fifth.refresh_token).not.toBe(fourth);
    const live = await database.admin.rows('select token from auth.refresh_tokens where session_id = $1 and not revoked', [sessionId]);
    expect(live).toEqual([{ token: digestOf(fifth.refresh_token) }]);
  });

  it('that is over by its own end is not refreshed', async () => {
    const sessions = sessionsWith('s'.repeat(32));
    const { refreshToken, sessionId } = await openSession(sessions);
    await database.admin.rows(`update auth.sessions set not_after = now() - interval '1 second' where id = $1`, [sessionId]);
    await expect(sessions.refresh(refreshToken, device)).rejects.toMatchObject({ code: 'session_expired', status: 400 });
  });

  it('remembers from where it was last refreshed', async () => {
    const sessions = sessionsWith('s'.repeat(32));
    const { refreshToken, sessionId } = await openSession(sessions);
    await sessions.refresh(refreshToken, { userAgent: 'phone', address: '2001:db8::1' });
    expect(await database.admin.rows('select user_agent, host(ip) as ip, refreshed_at is not null as refreshed from auth.sessions where id = $1', [sessionId])).toEqual([{ user_agent: 'phone', ip: '2001:db8::1', refreshed: true }]);
  });

  it('of a year is refreshed by an index and not by reading its ten thousand tokens', async () => {
    const sessions = sessionsWith('s'.repeat(32));
    const { refreshToken, sessionId } = await openSession(sessions);
    await database.admin.rows(
      `insert into auth.refresh_tokens (token, user_id, revoked, created_at, updated_at, session_id)
       select 'old-' || i || $1::text, user_id, true, now() - interval '1 day', now() - interval '1 day', $1::uuid from generate_series(1, 10000) i, auth.sessions s where s.id = $1::uuid`,
      [sessionId],
    );
    await database.admin.rows('analyze auth.refresh_tokens');
    await sessions.refresh(refreshToken, device);
    const [read] = await database.admin.rows<{ blocks: string }>(
      `select max((shared_blks_hit + shared_blks_read) / calls) as blocks from extensions.pg_stat_statements where dbid = (select oid from pg_database where datname = current_database()) and query like '%active_digest%' and query not like '%pg_stat_statements%'`,
    );
    expect(Number(read!.blocks)).toBeGreaterThan(0);
    expect(Number(read!.blocks)).toBeLessThan(100);
  });
});

describe('a refresh', () => {
  it('gives the account as a look at it does, in one round trip', async () => {
    const sessions = sessionsWith('s'.repeat(32));
    const { refreshToken, sessionId } = await openSession(sessions);
    const [{ user_id: id }] = await database.admin.rows<{ user_id: string }>('select user_id from auth.sessions where id = $1', [sessionId]) as [{ user_id: string }];
    await database.admin.rows(`insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at) values ($1::text, $1::uuid, '{"sub": "x"}', 'email', now(), now())`, [id]);
    await database.admin.rows(`insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at, secret) values (gen_random_uuid(), $1, 'totp', 'verified', now(), now(), 'not shown')`, [id]);
    await database.admin.rows(`update auth.users set raw_user_meta_data = '{"a": "null ? $1"}', confirmation_sent_at = 'infinity' where id = $1`, [id]);
    const { user } = await sessions.refresh(refreshToken, device);
    expect(JSON.parse(JSON.stringify(user))).toEqual(JSON.parse(JSON.stringify(viewUser((await accounts.find(id))!))));
    expect(JSON.stringify(user)).not.toContain('not shown');
  });

  it('by fifty at once leaves one lineage', async () => {
    const sessions = sessionsWith('s'.repeat(32));
    const { refreshToken, sessionId } = await openSession(sessions);
    const answers = await Promise.all(Array.from({ length: 50 }, () => sessions.refresh(refreshToken, device)));
    expect(new Set(answers.map(({ refresh_token: token }) => token)).size).toBe(1);
    const rows = await database.admin.rows<{ revoked: boolean }>('select revoked from auth.refresh_tokens where session_id = $1 order by id', [sessionId]);
    expect(rows).toEqual([{ revoked: true }, { revoked: false }]);
  });

  it('of a banned user leaves the token as it was', async () => {
    const sessions = sessionsWith('s'.repeat(32));
    const { refreshToken, sessionId } = await openSession(sessions);
    const ban = (until: string) => database.admin.rows(`update auth.users set banned_until = ${until} where id = (select user_id from auth.sessions where id = $1)`, [sessionId]);
    await ban(`now() + interval '1 hour'`);
    await expect(sessions.refresh(refreshToken, device)).rejects.toMatchObject({ code: 'user_banned' });
    await ban('null');
    expect((await sessions.refresh(refreshToken, device)).refresh_token).not.toBe(refreshToken);
  });
});
