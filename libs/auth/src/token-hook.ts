import type { Claims } from '@mainstay/domain';
import type { SessionFacts } from '@mainstay/persistence';
import { fault } from './faults.ts';
import type { Hooks } from './hooks.ts';

const neededClaims = ['aud', 'exp', 'iat', 'sub', 'email', 'phone', 'role', 'aal', 'session_id', 'is_anonymous'];
const claimTypes: Readonly<Record<string, readonly string[]>> = {
  aud: ['string', 'array'], exp: ['integer'], iat: ['integer'], nbf: ['integer'], jti: ['string'], iss: ['string'], sub: ['string'], email: ['string'], phone: ['string'], role: ['string'],
  aal: ['string'], session_id: ['string'], is_anonymous: ['boolean'], app_metadata: ['object'], user_metadata: ['object'], amr: ['array'],
};

/** The claims of an access token as the project's hook leaves them. @throws Fault where one is missing or of another type */
export async function customClaims(hooks: Hooks, session: SessionFacts, claims: Claims, method: string): Promise<Claims> {
  const answer = await hooks.ask('custom_access_token', { user_id: session.userId, claims, authentication_method: method });
  if (answer === null) return claims;
  const { claims: changed } = answer;
  if (typeof changed !== 'object' || changed === null || Array.isArray(changed)) throw unfit(['- (root): claims is required']);
  const wrong = [...missing(changed as Claims), ...mistyped(changed as Claims)];
  if (wrong.length > 0) throw unfit(wrong);
  // Whose token it is, for which application, and how long it may be used is not the hook's to say.
  const { client_id: _client, scope: _scope, ...rest } = changed as Claims;
  return { ...rest, ...applicationOf(claims), sub: claims['sub'], session_id: claims['session_id'], iat: claims['iat'], exp: Math.min(Number((changed as Claims)['exp']), Number(claims['exp'])) };
}

function applicationOf({ client_id: clientId, scope }: Claims): Claims {
  return clientId === undefined ? {} : { client_id: clientId, scope };
}

function missing(claims: Claims): string[] {
  return neededClaims.filter((name) => claims[name] === undefined).map((name) => `- (root): ${name} is required`);
}

function mistyped(claims: Claims): string[] {
  return Object.entries(claimTypes).flatMap(([name, types]) => {
    const value = claims[name];
    if (value === undefined || types.includes(typeOf(value))) return [];
    return [`- ${name}: Invalid type. Expected: ${types.length === 1 ? types[0] : `[${types.join(',')}]`}, given: ${typeOf(value)}`];
  });
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'number' ? (Number.isInteger(value) ? 'integer' : 'number') : typeof value;
}

function unfit(wrong: readonly string[]): Error {
  return fault('unexpected_failure', { message: `output claims do not conform to the expected schema: \n${wrong.join('\n')}\n` });
}
