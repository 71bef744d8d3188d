import { createServerClient } from '@supabase/ssr';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { startStack, type Stack } from './stack.ts';

interface Message {
  readonly id: string;
  readonly kind: string;
  readonly code: string;
  readonly link: string;
}

const password = 'correct horse battery staple';

describe('accounts, with unmodified supabase-js', () => {
  let stack: Stack;
  let service: SupabaseClient;
  let count = 0;
  /** Somebody who is signed in, for what asks no more of them. */
  let member: SupabaseClient | null = null;

  const client = (flowType: 'implicit' | 'pkce' = 'implicit', storage = new Map<string, string>()): SupabaseClient =>
    createClient(stack.url, stack.publishableKey, {
      auth: {
        flowType,
        autoRefreshToken: false,
        detectSessionInUrl: false,
        storage: { getItem: (key) => storage.get(key) ?? null, setItem: (key, value) => void storage.set(key, value), removeItem: (key) => void storage.delete(key) },
      },
    });
  const freshEmail = (): string => `user-${(count += 1)}@example.org`;

  const newest = async (to: string): Promise<Message> => {
    const answer = await fetch(`${stack.url}/mailbox/v1/messages?to=${encodeURIComponent(to)}`, { headers: { apikey: stack.secretKey } });
    expect(answer.status).toBe(200);
    return ((await answer.json()) as Message[])[0]!;
  };
  const follow = async (link: string): Promise<URL> => new URL((await fetch(link, { redirect: 'manual' })).headers.get('location')!);
  const hashOf = ({ link }: Message): string => new URL(link).searchParams.get('token')!;
  const ok = <T extends { error: unknown }>(answer: T): T => {
    expect(answer.error).toBeNull();
    return answer;
  };

  const signedIn = async (): Promise<{ supabase: SupabaseClient; email: string }> => {
    const [supabase, email] = [client(), freshEmail()];
    ok(await service.auth.admin.createUser({ email, password, email_confirm: true }));
    ok(await supabase.auth.signInWithPassword({ email, password }));
    return { supabase, email };
  };

  beforeAll(async () => {
    stack = await startStack({
      environment: {
        GOTRUE_SMTP_MAX_FREQUENCY: '0', GOTRUE_SMS_MAX_FREQUENCY: '0', GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED: 'true', GOTRUE_EXTERNAL_PHONE_ENABLED: 'true',
        GOTRUE_EXTERNAL_GOOGLE_ENABLED: 'true', GOTRUE_EXTERNAL_GOOGLE_CLIENT_ID: 'web', GOTRUE_EXTERNAL_GOOGLE_SECRET: 'secret',
        GOTRUE_URI_ALLOW_LIST: 'https://app.test/**',
      },
    });
    service = createClient(stack.url, stack.secretKey, { auth: { persistSession: false, autoRefreshToken: false } });
  });
  afterAll(() => stack.stop());

  it('sign-up waits for its confirmation, by a code', async () => {
    const [supabase, email] = [client(), freshEmail()];
    const { data } = ok(await supabase.auth.signUp({ email, password, options: { data: { name: 'Ada' } } }));
    expect(data.session).toBeNull();
    expect((await supabase.auth.signInWithPassword({ email, password })).error).toMatchObject({ code: 'email_not_confirmed' });
    const verified = ok(await supabase.auth.verifyOtp({ email, token: (await newest(email)).code, type: 'signup' }));
    expect(verified.data.user).toMatchObject({ id: data.user!.id, user_metadata: { name: 'Ada' } });
    expect((await supabase.auth.getClaims()).data?.claims.sub).toBe(data.user!.id);
  });

  it('sign-up by a link, with proof', async () => {
    const [supabase, email] = [client('pkce'), freshEmail()];
    ok(await supabase.auth.signUp({ email, password, options: { emailRedirectTo: 'https://app.test/callback' } }));
    const target = await follow((await newest(email)).link);
    expect(target.origin + target.pathname).toBe('https://app.test/callback');
    const code = target.searchParams.get('code')!;
    expect((await client('pkce').auth.exchangeCodeForSession(code)).error).not.toBeNull();
    expect(ok(await supabase.auth.exchangeCodeForSession(code)).data.user).toMatchObject({ email });
  });

  it('a magic link and a code, by mail and by text message', async () => {
    const email = freshEmail();
    ok(await client().auth.signInWithOtp({ email }));
    ok(await client().auth.verifyOtp({ token_hash: hashOf(await newest(email)), type: 'email' }));
    expect((await client().auth.signInWithOtp({ email: freshEmail(), options: { shouldCreateUser: false } })).error).toMatchObject({ code: 'otp_disabled' });
    const phone = '4915112345678';
    expect(ok(await client().auth.signInWithOtp({ phone })).data.messageId).toBeTruthy();
    expect(ok(await client().auth.verifyOtp({ phone, token: (await newest(phone)).code, type: 'sms' })).data.user).toMatchObject({ phone });
  });

  it('a forgotten password is replaced', async () => {
    const { email } = await signedIn();
    const supabase = client('pkce');
    ok(await supabase.auth.resetPasswordForEmail(email, { redirectTo: 'https://app.test/reset' }));
    ok(await supabase.auth.exchangeCodeForSession((await follow((await newest(email)).link)).searchParams.get('code')!));
    ok(await supabase.auth.updateUser({ password: 'a new password' }));
    ok(await client().auth.signInWithPassword({ email, password: 'a new password' }));
    expect((await client().auth.verifyOtp({ email, token: '000000', type: 'recovery' })).error).toMatchObject({ code: 'otp_expired', message: 'Token has expired or is invalid' });
  });

  it('a guest becomes a user', async () => {
    const [supabase, email] = [client(), freshEmail()];
    const guest = ok(await supabase.auth.signInAnonymously()).data.user!;
    expect(guest.is_anonymous).toBe(true);
    ok(await supabase.auth.updateUser({ email }));
    const { data } = ok(await supabase.auth.verifyOtp({ email, token: (await newest(email)).code, type: 'email_change' }));
    expect(data.user).toMatchObject({ id: guest.id, email, is_anonymous: false });
    ok(await supabase.auth.updateUser({ password }));
    ok(await client().auth.signInWithPassword({ email, password }));
  });

  it('a new address is confirmed by both mailboxes, a nonce comes when it is asked for, and a confirmation again', async () => {
    const { supabase, email } = await signedIn();
    const next = freshEmail();
    expect(ok(await supabase.auth.updateUser({ email: next })).data.user!.new_email).toBe(next);
    ok(await supabase.auth.resend({ email, type: 'email_change' }));
    expect(ok(await client().auth.verifyOtp({ token_hash: hashOf(await newest(email)), type: 'email_change' })).data.session).toBeNull();
    ok(await supabase.auth.verifyOtp({ token_hash: hashOf(await newest(next)), type: 'email_change' }));
    ok(await supabase.auth.reauthenticate());
    expect((await newest(next)).kind).toBe('reauthentication');
    ok(await supabase.auth.updateUser({ password: 'a new password', nonce: (await newest(next)).code }));
  });

  it('the administration invites and makes links', async () => {
    const email = freshEmail();
    ok(await service.auth.admin.inviteUserByEmail(email, { redirectTo: 'https://app.test/join' }));
    expect((await follow((await newest(email)).link)).hash).toContain('type=invite');
    const { data } = ok(await service.auth.admin.generateLink({ type: 'magiclink', email, options: { redirectTo: 'https://app.test/x' } }));
    expect(data.properties).toMatchObject({ redirect_to: 'https://app.test/x', verification_type: 'magiclink' });
    ok(await client().auth.verifyOtp({ token_hash: data.properties!.hashed_token, type: 'magiclink' }));
  });

  it('a server that renders pages keeps the session in cookies', async () => {
    const { email } = await signedIn();
    /** What the browser holds; each request makes a client of its own, as a server does. */
    const jar = new Map<string, string>();
    const onServer = (): SupabaseClient =>
      createServerClient(stack.url, stack.publishableKey, {
        cookies: {
          getAll: () => [...jar].map(([name, value]) => ({ name, value })),
          setAll: (cookies) => cookies.forEach(({ name, value, options }) => (options.maxAge === 0 ? jar.delete(name) : jar.set(name, value))),
        },
      }) as unknown as SupabaseClient;

    ok(await onServer().auth.signInWithOtp({ email, options: { emailRedirectTo: 'https://app.test/auth/callback' } }));
    expect([...jar.keys()].some((name) => name.endsWith('code-verifier'))).toBe(true);
    const code = (await follow((await newest(email)).link)).searchParams.get('code')!;
    ok(await onServer().auth.exchangeCodeForSession(code));
    expect(ok(await onServer().auth.getUser()).data.user).toMatchObject({ email });
    expect(ok(await onServer().auth.refreshSession()).data.session).not.toBeNull();
    expect((await onServer().auth.getClaims()).data?.claims.email).toBe(email);
    ok(await onServer().auth.signOut());
    expect((await onServer().auth.getUser()).data.user).toBeNull();
  });

  describe('what is refused', () => {
    const refusal = { email: 'wrong@example.org', password: 'not the password' };
    const id = '00000000-0000-4000-8000-000000000001';

    it.each<[string, (guest: SupabaseClient, user: SupabaseClient) => Promise<{ error: unknown }>, number, string | undefined, string]>([
      ['a sign-in with a wrong password', (guest) => guest.auth.signInWithPassword(refusal), 400, 'invalid_credentials', 'Invalid login credentials'],
      ['a weak password', (guest) => guest.auth.signUp({ ...refusal, password: 'a' }), 422, 'weak_password', 'Password should be at least 6 characters.'],
      ['a password that is too long', (guest) => guest.auth.signUp({ ...refusal, password: 'a'.repeat(73) }), 400, 'validation_failed', 'Password cannot be longer than 72 characters'],
      ['an address that is none', (guest) => guest.auth.signUp({ ...refusal, email: 'nonsense' }), 400, 'validation_failed', 'Unable to validate email address: invalid format'],
      ['a code for a stranger', (guest) => guest.auth.signInWithOtp({ email: refusal.email, options: { shouldCreateUser: false } }), 422, 'otp_disabled', 'Signups not allowed for otp'],
      ['a wrong code for a new number', (guest) => guest.auth.verifyOtp({ phone: '+4915112345670', token: '123456', type: 'phone_change' }), 403, 'otp_expired', 'Token has expired or is invalid'],
      ['a wrong code', (guest) => guest.auth.verifyOtp({ email: refusal.email, token: '123456', type: 'email' }), 403, 'otp_expired', 'Token has expired or is invalid'],
      ['a code of an unknown type', (guest) => guest.auth.verifyOtp({ email: refusal.email, token: '123456', type: 'nonsense' as 'email' }), 403, 'otp_expired', 'Token has expired or is invalid'],
      ['a code for no address', (guest) => guest.auth.verifyOtp({ email: 'nonsense', token: '123456', type: 'email' }), 422, 'validation_failed', 'Invalid email format'],
      ['a wrong link', (guest) => guest.auth.verifyOtp({ token_hash: 'nonsense', type: 'email' }), 403, 'otp_expired', 'Email link is invalid or has expired'],
      ['resending nothing', (guest) => guest.auth.resend({ email: refusal.email, type: 'nonsense' as 'signup' }), 400, 'validation_failed', 'Missing one of these types: signup, email_change, sms, phone_change'],
      ['a refresh token that is none', (guest) => guest.auth.refreshSession({ refresh_token: 'nonsense' }), 400, 'refresh_token_not_found', 'Invalid Refresh Token: Refresh Token Not Found'],
      ['a token that is none', (guest) => guest.auth.getUser('nonsense'), 403, 'bad_jwt', 'invalid JWT: unable to parse or verify signature, token is malformed: token contains an invalid number of segments'],
      ['an ID token that is none', (guest) => guest.auth.signInWithIdToken({ provider: 'google', token: 'nonsense' }), 400, undefined, 'Bad ID token'],
      ['Web3', (guest) => guest.auth.signInWithWeb3({ chain: 'ethereum', message: 'm', signature: '0x1' }), 422, 'web3_provider_disabled', 'Web3 provider is disabled'],
      ['SSO', (guest) => guest.auth.signInWithSSO({ domain: 'example.org' }), 404, 'saml_provider_disabled', 'SAML 2.0 is disabled'],
      ['the same password', (_, user) => user.auth.updateUser({ password }), 422, 'same_password', 'New password should be different from the old password.'],
      ['app_metadata of one’s own', (_, user) => user.auth.updateUser({ app_metadata: { admin: true } } as object), 403, 'not_admin', 'Updating app_metadata requires admin privileges'],
      ['unlinking where that is off', (_, user) => user.auth.unlinkIdentity({ identity_id: id } as never), 404, 'manual_linking_disabled', 'Manual linking is disabled'],
      ['linking where that is off', (_, user) => user.auth.linkIdentity({ provider: 'google' }), 404, 'manual_linking_disabled', 'Manual linking is disabled'],
      ['a factor of an unknown type', (_, user) => user.auth.mfa.enroll({ factorType: 'nonsense' as 'totp' }), 400, 'validation_failed', 'factor_type needs to be totp, phone, or webauthn'],
      ['a factor that is not there', (_, user) => user.auth.mfa.challenge({ factorId: id }), 404, 'mfa_factor_not_found', 'Factor not found'],
      ['the administration', (_, user) => user.auth.admin.listUsers(), 403, 'not_admin', 'User not allowed'],
      ['a user who is not there', () => service.auth.admin.getUserById(id), 404, 'user_not_found', 'User not found'],
      ['a page that is none', () => service.auth.admin.listUsers({ page: -1 }), 400, 'validation_failed', 'Bad Pagination Parameters: page must be a whole number, not "-1"'],
      ['a user without an address', () => service.auth.admin.createUser({}), 400, 'validation_failed', 'Cannot create a user without either an email or phone'],
      ['a link for nobody', () => service.auth.admin.generateLink({ type: 'recovery', email: refusal.email }), 404, 'user_not_found', 'User with this email not found'],
      ['a ban without a unit', async () => service.auth.admin.updateUserById((await service.auth.admin.listUsers()).data.users[0]!.id, { ban_duration: '5' }), 400, 'validation_failed', 'invalid format for ban duration: time: missing unit in duration "5"'],
      ['signing out nobody', () => service.auth.admin.signOut('nonsense'), 403, 'bad_jwt', 'invalid JWT: unable to parse or verify signature, token is malformed: token contains an invalid number of segments'],
    ])('%s', async (_, ask, status, code, message) => {
      member ??= (await signedIn()).supabase;
      expect((await ask(client(), member)).error).toMatchObject({ status, ...(code === undefined ? {} : { code }), message });
    });
  });
});
