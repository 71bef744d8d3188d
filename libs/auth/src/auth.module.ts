import type { Settings } from '@mainstay/config';
import { makeOutward } from '@mainstay/outward';
import { Accounts } from '@mainstay/persistence';
import { Logger, Module, type DynamicModule, Scope, type OnApplicationShutdown, type Provider } from '@nestjs/common';
import { AccessTokens } from './access-tokens.ts';
import { AdminService } from './admin.service.ts';
import { CallerStrategy } from './caller.strategy.ts';
import { Callers } from './callers.ts';
import { Captcha } from './captcha.ts';
import { CustomProviders } from './custom-providers.service.ts';
import { EvenTime } from './even-time.ts';
import { factorProviders, factorServices } from './factor-providers.ts';
import { FlowStates } from './flow-states.ts';
import { readHookTargets } from './hook-targets.ts';
import { Hooks } from './hooks.ts';
import { IdTokens } from './id-tokens.ts';
import { keyProviders } from './key-providers.ts';
import { KeyStore } from './key-store.ts';
import { Keyring } from './keyring.ts';
import { KeysService } from './keys.service.ts';
import { Letters } from './letters.ts';
import { Limits } from './limits.ts';
import { Links } from './links.service.ts';
import { MailTemplates } from './mail-templates.ts';
import { messageHooks } from './message-hooks.ts';
import { Messages } from './messages.ts';
import { OAuthClients } from './oauth-clients.service.ts';
import { OAuthServer } from './oauth-server.service.ts';
import { Notices } from './notices.ts';
import { OneTimeTokens } from './one-time-tokens.ts';
import { Otp } from './otp.service.ts';
import { OutsideAccounts } from './outside-accounts.ts';
import { PasswordRules } from './password-rules.ts';
import { Passwords } from './passwords.ts';
import { fetchThrough } from './outgoing.ts';
import { ProviderClients } from './provider-clients.ts';
import { Providers } from './providers.service.ts';
import { Recover } from './recover.service.ts';
import { RefreshTokens } from './refresh-tokens.ts';
import { Sessions } from './sessions.service.ts';
import { SignIn } from './sign-in.service.ts';
import { SignUp } from './sign-up.service.ts';
import { UserService } from './user.service.ts';
import { Verify } from './verify.service.ts';

/** Accounts and who asks. Global, since the guard of every surface proves its callers here. */
@Module({})
export class AuthModule implements OnApplicationShutdown {
  constructor(private readonly accounts: Accounts) {}

  static with(settings: Settings): DynamicModule {
    return { module: AuthModule, global: true, providers: [...keyProviders(settings), CallerStrategy, ...means(settings), ...journeys(settings), ...factorProviders(settings), ...outside(settings), ...server(settings)], exports: [Callers, KeyStore, KeysService, Sessions, SignUp, SignIn, Otp, Recover, Verify, Links, Captcha, UserService, AdminService, Providers, CustomProviders, OAuthClients, OAuthServer, ...factorServices] };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.accounts.close();
  }
}

/** Who asks, and nothing else: for a database that has no accounts of ours. */
@Module({})
export class ProofModule {
  static with(settings: Settings): DynamicModule {
    return { module: ProofModule, global: true, providers: proof(settings), exports: [Callers, Keyring] };
  }
}

/** What tells who asks, by the settings alone. */
function proof(settings: Settings): Provider[] {
  return [
    { provide: Keyring, useFactory: () => Keyring.readAny(settings) },
    { provide: Callers, useFactory: (keyring: Keyring) => new Callers(keyring, settings), inject: [Keyring] },
    CallerStrategy,
  ];
}

/** What several journeys go by: codes and links, flows with proof, messages, and how often what may be tried. */
function means(settings: Settings): Provider[] {
  const logger = new Logger('auth');
  return [
    { provide: OneTimeTokens, useValue: new OneTimeTokens(settings) },
    { provide: FlowStates, useValue: new FlowStates(settings) },
    { provide: MailTemplates, useValue: new MailTemplates(settings, (kind, error) => logger.warn({ event: 'mail template not used', kind, error: error.message })) },
    { provide: Hooks, useFactory: (accounts: Accounts) => new Hooks(accounts, readHookTargets(settings.hooks)), inject: [Accounts] },
    { provide: Messages, useFactory: (templates: MailTemplates, hooks: Hooks) => new Messages(templates, settings, messageHooks(hooks, settings)), inject: [MailTemplates, Hooks] },
    { provide: Notices, useFactory: (messages: Messages) => new Notices(messages, settings, (kind, error) => logger.warn({ event: 'notice not sent', kind, error: error.message })), inject: [Messages] },
    { provide: Letters, useFactory: (...parts: [OneTimeTokens, FlowStates, Messages]) => new Letters(...parts), inject: [OneTimeTokens, FlowStates, Messages] },
    // For each who asks its own: what two kinds of work take has nothing to do with each other.
    { provide: EvenTime, useFactory: () => new EvenTime(), scope: Scope.TRANSIENT },
    { provide: PasswordRules, useValue: new PasswordRules(settings) },
    { provide: Captcha, useValue: new Captcha(settings) },
    { provide: Limits, useFactory: (accounts: Accounts) => new Limits(accounts, settings), inject: [Accounts] },
  ];
}

/** One service for each journey of an account. */
function journeys(settings: Settings): Provider[] {
  if (settings.secret === null) throw new Error('MAINSTAY_SECRET is not set');
  return [
    { provide: Accounts, useFactory: () => Accounts.open(settings) },
    { provide: Passwords, useValue: new Passwords() },
    { provide: RefreshTokens, useValue: new RefreshTokens(settings.secret) },
    { provide: AccessTokens, useFactory: (keys: KeyStore, hooks: Hooks) => new AccessTokens(keys, settings, hooks), inject: [KeyStore, Hooks] },
    { provide: Sessions, useFactory: (...parts: [Accounts, AccessTokens, RefreshTokens]) => new Sessions(...parts, settings), inject: [Accounts, AccessTokens, RefreshTokens] },
    { provide: SignUp, useFactory: (hooks: Hooks, ...parts: [Accounts, Sessions, Passwords, PasswordRules, Letters, Limits, EvenTime]) => new SignUp(...parts, settings, hooks), inject: [Hooks, Accounts, Sessions, Passwords, PasswordRules, Letters, Limits, EvenTime] },
    { provide: SignIn, useFactory: (hooks: Hooks, ...parts: [Accounts, Sessions, Passwords, PasswordRules, FlowStates, Limits]) => new SignIn(...parts, settings, hooks), inject: [Hooks, Accounts, Sessions, Passwords, PasswordRules, FlowStates, Limits] },
    { provide: Otp, useFactory: (hooks: Hooks, ...parts: [Accounts, Letters, Limits, EvenTime]) => new Otp(...parts, settings, hooks), inject: [Hooks, Accounts, Letters, Limits, EvenTime] },
    { provide: Recover, useFactory: (...parts: [Accounts, Letters, Limits, EvenTime]) => new Recover(...parts, settings), inject: [Accounts, Letters, Limits, EvenTime] },
    { provide: Verify, useFactory: (notices: Notices, ...parts: [Accounts, Sessions, OneTimeTokens, FlowStates, Limits]) => new Verify(...parts, settings, notices), inject: [Notices, Accounts, Sessions, OneTimeTokens, FlowStates, Limits] },
    { provide: Links, useFactory: (hooks: Hooks, ...parts: [Accounts, Passwords, PasswordRules, Letters, Messages]) => new Links(...parts, settings, hooks), inject: [Hooks, Accounts, Passwords, PasswordRules, Letters, Messages] },
    { provide: UserService, useFactory: (notices: Notices, ...parts: [Accounts, Passwords, PasswordRules, OneTimeTokens, Letters, Recover, Limits]) => new UserService(...parts, settings, notices), inject: [Notices, Accounts, Passwords, PasswordRules, OneTimeTokens, Letters, Recover, Limits] },
    { provide: AdminService, useFactory: (...parts: [Accounts, Passwords, PasswordRules]) => new AdminService(...parts, settings), inject: [Accounts, Passwords, PasswordRules] },
  ];
}

/** Sign-in by other providers. */
function outside(settings: Settings): Provider[] {
  const askPublic = fetchThrough(makeOutward(settings));
  return [
    { provide: CustomProviders, useFactory: (accounts: Accounts) => new CustomProviders(accounts, settings, askPublic), inject: [Accounts] },
    { provide: ProviderClients, useFactory: (custom: CustomProviders) => new ProviderClients(settings, custom, askPublic), inject: [CustomProviders] },
    { provide: IdTokens, useFactory: (clients: ProviderClients) => new IdTokens(clients, settings), inject: [ProviderClients] },
    { provide: OutsideAccounts, useFactory: (hooks: Hooks, notices: Notices, ...parts: [Accounts, Letters, Limits]) => new OutsideAccounts(...parts, settings, notices, hooks), inject: [Hooks, Notices, Accounts, Letters, Limits] },
    { provide: Providers, useFactory: (...parts: [Accounts, Sessions, FlowStates, Limits, ProviderClients, IdTokens, OutsideAccounts]) => new Providers(...parts, settings), inject: [Accounts, Sessions, FlowStates, Limits, ProviderClients, IdTokens, OutsideAccounts] },
  ];
}

/** The project as a provider for others. */
function server(settings: Settings): Provider[] {
  return [
    { provide: OAuthClients, useFactory: (...parts: [Accounts, Limits]) => new OAuthClients(...parts, settings), inject: [Accounts, Limits] },
    { provide: OAuthServer, useFactory: (...parts: [Accounts, OAuthClients, Sessions, AccessTokens, Limits]) => new OAuthServer(...parts, settings), inject: [Accounts, OAuthClients, Sessions, AccessTokens, Limits] },
  ];
}
