import { randomUUID } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { LockMode, type EntityDictionary, type RequiredEntityData } from '@mikro-orm/core';
import { AuthSession } from './auth-session.entity.ts';
import type { Database } from './database.ts';
import { listFactors, type Factor } from './factors.ts';
import { findUserIds, type UserSearch } from './find-users.ts';
import { Identity } from './identity.entity.ts';
import { makeDatabase } from './logins.ts';
import { houseError, makeAccountsOrm } from './orm.ts';
import { RefreshAtOnce } from './refresh-at-once.ts';
import { RefreshToken } from './refresh-token.entity.ts';
import { User } from './user.entity.ts';

/** The instance that GoTrue writes into every row; there has only ever been this one. */
const instanceId = '00000000-0000-0000-0000-000000000000';

/** From where somebody signs in, kept with the session. */
export interface Device {
  readonly userAgent: string | null;
  readonly address: string | null;
}

/** How a session was opened: `amr` of the access token, newest first. */
export interface AuthenticationMethod {
  readonly method: string;
  /** Unix seconds. */
  readonly timestamp: number;
}

/** What an access token says about the session that it belongs to. */
export interface SessionFacts {
  readonly id: string;
  readonly userId: string;
  readonly aal: string;
  readonly amr: readonly AuthenticationMethod[];
  /** The application that holds the session for its user, and what it may read; of the user's own there is none. */
  readonly clientId?: string | null;
  readonly scopes?: string | null;
}

/** A refresh token as its family knows it, read under the family's lock. */
export interface TokenInFamily {
  readonly session: SessionFacts;
  readonly isSessionOver: boolean;
  readonly isRevoked: boolean;
  /** Seconds since the token was last written: for a revoked one, since it was used. */
  readonly ageSeconds: number;
  /** The one token of the family that is not revoked. */
  readonly active: { readonly digest: string; readonly parent: string | null } | null;
}

/** An account with the ways by which it signs in. */
export interface Account {
  readonly user: User;
  readonly identities: readonly Identity[];
  /** Its second factors; a new account has none. */
  readonly factors?: readonly Factor[];
}

/** The accounts of `/auth/v1`, on Supabase's public tables. */
export class Accounts {
  readonly refreshes: RefreshAtOnce;

  private constructor(
    private readonly orm: MikroORM,
    /** For what is asked so often that the ORM would cost more than the answer. */
    private readonly database: Database,
    private readonly settings: Settings,
  ) {
    this.refreshes = new RefreshAtOnce(database);
  }

  static async open(settings: Settings): Promise<Accounts> {
    return new Accounts(await makeAccountsOrm(settings), makeDatabase(settings, 'supabase_auth_admin', { max: Math.max(2, Math.ceil(settings.dbPoolSize / 2)) }), settings);
  }

  async close(): Promise<void> {
    await Promise.all([this.orm.close(), this.database.close()]);
  }

  /** Whoever signs in with this address, whatever the letters' case in which a migration wrote it. */
  async findByEmail(email: string): Promise<User | null> {
    return this.ask(async (em) => {
      // One question for a known address as for an unknown one: a second would be a difference to measure.
      const [row] = await em.execute<EntityDictionary<User>[]>(findByEmail, [email.toLowerCase(), email.toLowerCase()]);
      return row === undefined ? null : em.map(User, row);
    });
  }

  /** Whoever signs in with this number: its digits, as they are stored; seeds may have kept the plus. */
  async findByPhone(phone: string): Promise<User | null> {
    return this.ask(async (em) => {
      const [row] = await em.execute<EntityDictionary<User>[]>('select * from auth.users where phone in (?, ?) and is_sso_user = false order by (phone = ?) desc limit 1', [phone, `+${phone}`, phone]);
      return row === undefined ? null : em.map(User, row);
    });
  }

  /** An account by its id. */
  async find(id: string): Promise<Account | null> {
    return this.ask(async (em) => {
      const user = await em.findOne(User, { id });
      return user === null ? null : { user, ...(await belongingsOf(em, id)) };
    });
  }

  /** Who a verified token speaks of, and the session that it names; null for what is no longer there. */
  async findSignedIn(userId: string, sessionId: string | null): Promise<{ readonly account: Account | null; readonly session: AuthSession | null }> {
    const [account, session] = await Promise.all([
      this.find(userId),
      sessionId === null ? null : this.ask((em) => em.findOne(AuthSession, { id: sessionId, userId })),
    ]);
    return { account, session };
  }

  /** One page of the accounts that a search finds, and how many it finds. */
  async page(search: UserSearch): Promise<{ readonly accounts: readonly Account[]; readonly total: number }> {
    return this.ask(async (em) => {
      const { ids, total } = await findUserIds({ rows: (text, values) => rowsOf(em, text, values ?? []) }, search);
      const users = new Map((await em.find(User, { id: { $in: [...ids] } })).map((user) => [user.id, user]));
      const identities = await identitiesOf(em, ids);
      const factors = await factorsOf(em, ids);
      const accountOf = (user: User): Account => ({ user, identities: identities.filter(({ userId }) => userId === user.id), factors: factors.filter(({ userId }) => userId === user.id) });
      return { accounts: ids.flatMap((id) => users.get(id) ?? []).map(accountOf), total };
    });
  }

  /** Runs `work` in one transaction. What it changes on the users it is given is written when it ends, or by `write`. */
  async transaction<T>(work: (accounts: OpenAccounts) => Promise<T>): Promise<T> {
    try {
      return await this.orm.em.fork().transactional((em) => work(new OpenAccounts(em)));
    } catch (error) {
      throw houseError(error, this.settings, true);
    }
  }

  /** Runs one statement of ours, committed by itself. Values are `$1`, `$2`, …; none may be an array. */
  async rows<R extends object = Record<string, unknown>>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    return this.ask((em) => rowsOf<R>(em, text, values));
  }

  private async ask<T>(question: (em: EntityManager) => Promise<T>): Promise<T> {
    try {
      return await question(this.orm.em.fork());
    } catch (error) {
      throw houseError(error, this.settings, false);
    }
  }
}

/** The accounts inside an open transaction. */
export class OpenAccounts {
  constructor(private readonly em: EntityManager) {}

  /** Writes a new account and reads it back: triggers of the project's own may have changed it. */
  async add(user: Omit<RequiredEntityData<User>, 'isSsoUser' | 'isAnonymous'>): Promise<User> {
    const now = new Date();
    const added = this.em.create(User, {
      instanceId, createdAt: now, updatedAt: now, confirmationToken: '', recoveryToken: '', emailChangeTokenNew: '', emailChange: '',
      phoneChange: '', phoneChangeToken: '', emailChangeTokenCurrent: '', emailChangeConfirmStatus: 0, reauthenticationToken: '',
      isSsoUser: false, isAnonymous: false, ...user,
    });
    await this.em.persist(added).flush();
    await this.em.refresh(added);
    return added;
  }

  /** Writes a way by which the account signs in; `email` and `phone` are known at "their provider" by the user's own id. */
  async addIdentity(userId: string, provider: string, identityData: Record<string, unknown>, providerId = userId): Promise<Identity> {
    const now = new Date();
    const added = this.em.create(Identity, { id: randomUUID(), providerId, userId, provider, identityData, lastSignInAt: now, createdAt: now, updatedAt: now });
    await this.em.persist(added).flush();
    await this.em.refresh(added);
    return added;
  }

  /** An account whose row nobody else changes until this transaction ends. */
  async lock(id: string): Promise<Account | null> {
    const user = await this.em.findOne(User, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE });
    return user === null ? null : { user, ...(await belongingsOf(this.em, id)) };
  }

  async find(id: string): Promise<Account | null> {
    const user = await this.em.findOne(User, { id });
    return user === null ? null : { user, ...(await belongingsOf(this.em, id)) };
  }

  /** Runs SQL of ours in this transaction, as `Transaction.rows` does; what other files keep beside the accounts is written so. */
  async rows<R extends object = Record<string, unknown>>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    return rowsOf<R>(this.em, text, values);
  }

  /** Writes all changes now, so that an error of the database belongs to the step that caused it. */
  async write(): Promise<void> {
    await this.em.flush();
  }

  /** Deletes the row; everything that references it goes with it, or keeps it from going. */
  async remove(user: User): Promise<void> {
    await this.em.remove(user).flush();
  }

  /** Opens a session with its first refresh token. One statement: a session without a token cannot be left behind. */
  async startSession(userId: string, method: string, device: Device, tokenDigest: string, id: string): Promise<SessionFacts> {
    const [row] = await this.em.execute<{ timestamp: string }[]>(startSession, [id, userId, device.userAgent, device.address, method, randomUUID(), tokenDigest]);
    return { id, userId, aal: 'aal1', amr: [{ method, timestamp: Number(row!.timestamp) }] };
  }

  /**
   * Finds a refresh token and locks its family until the transaction ends, so that everybody who refreshes this session
   * at the same moment comes one after the other. What they find was read after the lock was theirs.
   */
  async lockFamily(tokenDigest: string): Promise<TokenInFamily | null> {
    const locked = await this.em.execute('select id from auth.sessions where id = (select session_id from auth.refresh_tokens where token = ?) for update', [tokenDigest]);
    if (locked.length === 0) return null;
    const [row] = await this.em.execute<FamilyRow[]>(readFamily, [tokenDigest]);
    return row === undefined ? null : familyOf(row);
  }

  /** Replaces every live token of the session by the new one, the child of `parentDigest`. */
  async rotate(session: SessionFacts, parentDigest: string, tokenDigest: string, device: Device): Promise<void> {
    await this.em.execute(rotate, [session.id, tokenDigest, session.userId, parentDigest, session.id, device.userAgent, device.address, session.id]);
  }

  /** Ends a session whose token was stolen: none of its tokens refreshes, and the auth API lets it in nowhere. */
  async revokeFamily(sessionId: string): Promise<void> {
    const now = new Date();
    await this.em.nativeUpdate(RefreshToken, { sessionId, $or: [{ revoked: false }, { revoked: null }] }, { revoked: true, updatedAt: now });
    await this.em.nativeUpdate(AuthSession, { id: sessionId }, { notAfter: now });
  }

  /** Ends sessions of a user: all, only one, or all but one. Their refresh tokens go with them. */
  async endSessions(userId: string, which: { readonly only?: string; readonly except?: string } = {}): Promise<void> {
    const { only, except } = which;
    await this.em.nativeDelete(AuthSession, { userId, ...(only === undefined ? {} : { id: only }), ...(except === undefined ? {} : { id: { $ne: except } }) });
  }

  /** Forgets every mailed code and link of a user: they were made for what has just been changed. */
  async dropOneTimeTokens(userId: string): Promise<void> {
    await this.em.execute('delete from auth.one_time_tokens where user_id = ?', [userId]);
  }

  /** Deletes the second factors and the passkeys of a user. */
  async dropFactors(userId: string): Promise<void> {
    await this.em.execute('delete from auth.webauthn_credentials where user_id = ?', [userId]);
    await this.em.execute('delete from auth.mfa_factors where user_id = ?', [userId]);
  }
}

/** The ORM numbers its values itself, one for each question mark. */
function rowsOf<R extends object>(em: EntityManager, text: string, values: readonly unknown[]): Promise<R[]> {
  const bound: unknown[] = [];
  const marked = text.replaceAll('?', '\\?').replace(/\$(\d+)/g, (_, number: string) => {
    bound.push(values[Number(number) - 1]);
    return '?';
  });
  return em.execute<R[]>(marked, bound);
}

async function belongingsOf(em: EntityManager, userId: string): Promise<Omit<Account, 'user'>> {
  return { identities: await identitiesOf(em, [userId]), factors: await factorsOf(em, [userId]) };
}

function factorsOf(em: EntityManager, userIds: readonly string[]): Promise<Factor[]> {
  return listFactors({ rows: (text, values) => rowsOf(em, text, values ?? []) }, userIds);
}

async function identitiesOf(em: EntityManager, userIds: readonly string[]): Promise<Identity[]> {
  if (userIds.length === 0) return [];
  return em.find(Identity, { userId: { $in: [...userIds] } }, { orderBy: { createdAt: 'asc', id: 'asc' } });
}

/** Both spellings of the instance are in the index on (instance_id, lower(email)); rows of seeds often leave it null. */
const findByEmail = `
  select * from auth.users
  where (instance_id = '${instanceId}' or instance_id is null) and lower(email::text) = ? and is_sso_user = false
  order by (email = ?) desc, created_at nulls last, id
  limit 1`;

const startSession = `
  with session as (
    insert into auth.sessions (id, user_id, created_at, updated_at, aal, user_agent, ip)
    values (?, ?, now(), now(), 'aal1', ?, ?::text::inet) returning id, user_id
  ), claim as (
    insert into auth.mfa_amr_claims (session_id, created_at, updated_at, authentication_method, id)
    select id, now(), now(), ?::text, ?::uuid from session returning updated_at
  ), token as (
    insert into auth.refresh_tokens (instance_id, token, user_id, revoked, created_at, updated_at, session_id)
    select '${instanceId}', ?::text, user_id, false, now(), now(), id from session
  )
  select floor(extract(epoch from updated_at))::bigint as timestamp from claim`;

interface FamilyRow {
  readonly session_id: string;
  readonly user_id: string;
  readonly aal: string | null;
  readonly amr: { method: string; timestamp: number }[];
  readonly client_id: string | null;
  readonly scopes: string | null;
  readonly is_over: boolean;
  readonly is_revoked: boolean;
  readonly age_seconds: number;
  readonly active_digest: string | null;
  readonly active_parent: string | null;
}

/**
 * The live token is found by the index on (session_id, revoked), which `revoked is not true` would pass by: a session of a year
 * has ten thousand tokens. clock_timestamp(), for now() is when the transaction began, which may be long before the lock was ours.
 */
const readFamily = `
  select s.id as session_id, s.user_id, s.aal, s.oauth_client_id as client_id, s.scopes, coalesce(s.not_after <= clock_timestamp(), false) as is_over,
    coalesce(t.revoked, false) as is_revoked,
    coalesce(extract(epoch from clock_timestamp() - t.updated_at), 1e9)::float8 as age_seconds,
    a.token as active_digest, a.parent as active_parent,
    (select coalesce(json_agg(json_build_object('method', c.authentication_method, 'timestamp', floor(extract(epoch from c.updated_at))::bigint) order by c.updated_at desc), '[]')
       from auth.mfa_amr_claims c where c.session_id = s.id) as amr
  from auth.refresh_tokens t
  join auth.sessions s on s.id = t.session_id
  left join lateral (
    select r.token, r.parent from auth.refresh_tokens r where r.session_id = s.id and (r.revoked = false or r.revoked is null) order by r.id desc limit 1
  ) a on true
  where t.token = ?`;

function familyOf(row: FamilyRow): TokenInFamily {
  return {
    session: { id: row.session_id, userId: row.user_id, aal: row.aal ?? 'aal1', amr: row.amr, clientId: row.client_id, scopes: row.scopes },
    isSessionOver: row.is_over,
    isRevoked: row.is_revoked,
    ageSeconds: row.age_seconds,
    active: row.active_digest === null ? null : { digest: row.active_digest, parent: row.active_parent },
  };
}

const rotate = `
  with spent as (
    update auth.refresh_tokens set revoked = true, updated_at = clock_timestamp() where session_id = ? and (revoked = false or revoked is null)
  ), fresh as (
    insert into auth.refresh_tokens (instance_id, token, user_id, revoked, created_at, updated_at, parent, session_id)
    values ('${instanceId}', ?, ?, false, clock_timestamp(), clock_timestamp(), ?, ?)
  )
  update auth.sessions set refreshed_at = clock_timestamp() at time zone 'utc', updated_at = clock_timestamp(), user_agent = coalesce(?, user_agent), ip = coalesce(?::text::inet, ip)
  where id = ?`;
