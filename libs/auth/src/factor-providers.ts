import type { Settings } from '@mainstay/config';
import { Accounts } from '@mainstay/persistence';
import type { Provider } from '@nestjs/common';
import { Assurance } from './assurance.ts';
import { factorAttempts } from './attempt-hooks.ts';
import { FactorSecrets } from './factor-secrets.ts';
import { FactorsAdmin } from './factors-admin.service.ts';
import { Factors } from './factors.service.ts';
import { Hooks } from './hooks.ts';
import { Limits } from './limits.ts';
import { Messages } from './messages.ts';
import { Notices } from './notices.ts';
import { Passkeys } from './passkeys.service.ts';
import { RecoveryCodes } from './recovery-codes.service.ts';
import { RefreshTokens } from './refresh-tokens.ts';
import { RelyingParty } from './relying-party.ts';
import { Sessions } from './sessions.service.ts';

/** What the edge asks of second factors and passkeys. */
export const factorServices = [Factors, RecoveryCodes, Passkeys, FactorsAdmin];

/** Second factors and passkeys. */
export function factorProviders(settings: Settings): Provider[] {
  return [
    { provide: FactorSecrets, useFactory: () => new FactorSecrets(settings.secret ?? '') },
    { provide: RelyingParty, useFactory: () => new RelyingParty(settings) },
    { provide: Assurance, useFactory: (tokens: RefreshTokens) => new Assurance(tokens), inject: [RefreshTokens] },
    {
      provide: Factors,
      useFactory: (hooks: Hooks, notices: Notices, ...parts: [Accounts, Sessions, Assurance, FactorSecrets, RelyingParty, Messages, Limits]) => new Factors(...parts, settings, notices, factorAttempts(hooks)),
      inject: [Hooks, Notices, Accounts, Sessions, Assurance, FactorSecrets, RelyingParty, Messages, Limits],
    },
    { provide: RecoveryCodes, useFactory: (hooks: Hooks, notices: Notices, ...parts: [Accounts, Sessions, Assurance, FactorSecrets, Limits]) => new RecoveryCodes(...parts, settings, notices, factorAttempts(hooks)), inject: [Hooks, Notices, Accounts, Sessions, Assurance, FactorSecrets, Limits] },
    { provide: Passkeys, useFactory: (...parts: [Accounts, Sessions, RelyingParty, Limits]) => new Passkeys(...parts, settings), inject: [Accounts, Sessions, RelyingParty, Limits] },
    { provide: FactorsAdmin, useFactory: (accounts: Accounts) => new FactorsAdmin(accounts), inject: [Accounts] },
  ];
}
