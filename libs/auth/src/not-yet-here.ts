import type { Fault } from '@mainstay/domain';
import { fault, type AuthFaultCode } from './faults.ts';

/** Parts of the protocol that are off, in GoTrue's words for it. */
const parts: readonly (readonly [path: RegExp, code: AuthFaultCode, message?: string])[] = [
  [/^\/(sso|admin\/sso)(\/|$)/, 'saml_provider_disabled'],
  [/^\/scim(\/|$)/, 'feature_disabled', 'SCIM server is disabled'],
];

/** The fault for a path below `/auth/v1` that the protocol knows and that is off; null for one that it does not know. */
export function notYetHere(path: string): Fault | null {
  const part = parts.find(([form]) => form.test(path));
  return part === undefined ? null : fault(part[1], part[2] === undefined ? {} : { message: part[2] });
}

/** The fault for a `grant_type` that is not served. */
export function refusedGrant(grantType: string): Fault {
  if (grantType === 'web3') return fault('web3_provider_disabled');
  return fault('invalid_credentials', { message: 'unsupported_grant_type' });
}
