import type { Caller } from '@mainstay/domain';
import { PassportStrategy } from '@nestjs/passport';
import passport from 'passport';
import { credentialsOf, type Callers, type Credentials } from './callers.ts';

/** The name under which `AuthGuard` finds the strategy. */
export const callerStrategy = 'caller';

interface Asking {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly query?: unknown;
}

type Verify = (credentials: Credentials, done: (error: unknown, caller: Caller) => void) => void;

/** Takes what a request brought and leaves the judgement to `verify`. */
class CredentialsStrategy extends passport.Strategy {
  constructor(private readonly verify: Verify) {
    super();
  }

  override authenticate(request: Asking): void {
    this.verify(askedCredentials(request), (error, caller) => (error ? this.error(error) : this.success(caller)));
  }
}

/** Passport's door for API keys and tokens of both styles. */
export class CallerStrategy extends PassportStrategy(CredentialsStrategy, callerStrategy) {
  constructor(private readonly callers: Callers) {
    super();
  }

  async validate(credentials: Credentials): Promise<Caller> {
    return this.callers.prove(credentials);
  }
}

/** The credentials of a request, from its headers and, where browsers cannot set a header, its query. */
export function askedCredentials(request: Asking): Credentials {
  return credentialsOf(request.headers, (request.query as { apikey?: unknown } | undefined)?.apikey);
}
