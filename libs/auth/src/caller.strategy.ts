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

/** What the door says at each request: Passport has one strategy of a name for a whole process, in which several apps may run. */
export interface CallerTerms {
  readonly callers: Callers;
}

type Verify = (credentials: Credentials, callers: Callers, done: (error: unknown, caller: Caller) => void) => void;

/** Takes what a request brought and leaves the judgement to `verify`. */
class CredentialsStrategy extends passport.Strategy {
  constructor(private readonly verify: Verify) {
    super();
  }

  override authenticate(request: Asking, { callers }: CallerTerms): void {
    this.verify(askedCredentials(request), callers, (error, caller) => (error ? this.error(error) : this.success(caller)));
  }
}

/** Passport's door for API keys and tokens of both styles. */
export class CallerStrategy extends PassportStrategy(CredentialsStrategy, callerStrategy) {
  constructor() {
    super();
  }

  async validate(credentials: Credentials, callers: Callers): Promise<Caller> {
    return callers.prove(credentials);
  }
}

/** The credentials of a request, from its headers and, where browsers cannot set a header, its query. */
export function askedCredentials(request: Asking): Credentials {
  return credentialsOf(request.headers, (request.query as { apikey?: unknown } | undefined)?.apikey);
}
