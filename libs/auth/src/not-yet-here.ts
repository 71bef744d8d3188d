import type { Fault } from '@mainstay/domain';
import { fault, type AuthFaultCode } from './faults.ts';

/** Parts of the protocol that are still to come, each with the code by which its clients know that it is off. */
const parts: readonly (readonly [path: RegExp, code: AuthFaultCode, what: string])[] = [
  [/^\/(sso|admin\/sso)(\/|$)/, 'saml_provider_disabled', 'Single sign-on by SAML is'],
  [/^\/(oauth|admin\/oauth|user\/oauth)(\/|$)|^\/\.well-known\/(openid-configuration|oauth-authorization-server)$/, 'feature_disabled', 'The OAuth server is'],
  [/^\/admin\/custom-providers(\/|$)/, 'feature_disabled', 'Custom providers are'],
];

/** The fault for a path below `/auth/v1` that the protocol knows and we do not serve yet; null for one that it does not know. */
export function notYetHere(path: string): Fault | null {
  const part = parts.find(([form]) => form.test(path));
  return part === undefined ? null : fault(part[1], { message: `${part[2]} not yet here` });
}

/** Ways to get a token that are still to come. */
const grants: Readonly<Record<string, readonly [code: AuthFaultCode, what: string]>> = {
  web3: ['web3_provider_disabled', 'Sign-in with a wallet is'],
};

/** The fault for a `grant_type` that is not served. */
export function refusedGrant(grantType: string): Fault {
  const later = Object.hasOwn(grants, grantType) ? grants[grantType] : undefined;
  if (later !== undefined) return fault(later[0], { message: `${later[1]} not yet here` });
  return fault('validation_failed', { message: `unsupported_grant_type: grant_type must be password or refresh_token, not "${grantType}"` });
}
