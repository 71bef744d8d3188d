import { OAuthFault } from '@mainstay/auth';
import type { Fault } from '@mainstay/domain';

/** OAuth's words for a status. */
const oauthErrors: Readonly<Record<number, string>> = { 400: 'invalid_request', 401: 'unauthorized_client', 403: 'access_denied', 500: 'server_error', 503: 'temporarily_unavailable' };

/** An application's address with what went wrong: behind `#`, and where it proves itself (PKCE) before it too. */
export function failureAt(target: string, fault: Fault, isPkce: boolean): string {
  const { code, status, message } = fault;
  const values: Record<string, string> = fault instanceof OAuthFault ? { error: fault.error, error_description: message } : { error: oauthErrors[status] ?? 'invalid_request', error_code: code, error_description: message };
  return withFragment(isPkce ? withQuery(target, values) : target, values);
}

export function withQuery(target: string, values: Readonly<Record<string, string>>): string {
  const url = new URL(target);
  for (const [name, value] of Object.entries(values)) url.searchParams.set(name, value);
  return url.href;
}

/** With GoTrue's mark (`sb`), by which a client knows that the fragment is meant for it and not for the application. */
export function withFragment(target: string, values: Readonly<Record<string, string>>): string {
  const url = new URL(target);
  url.hash = new URLSearchParams({ ...values, sb: '' }).toString();
  return url.href;
}
