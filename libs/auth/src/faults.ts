import { faultsOf } from '@mainstay/domain';

/** Every answer-on-purpose of `/auth/v1`: GoTrue's codes, each with the status that its clients know. */
export const authFaults = {
  anonymous_provider_disabled: { status: 422, message: 'Anonymous sign-ins are disabled' },
  bad_json: { status: 400, message: 'Could not parse request body as JSON' },
  bad_jwt: { status: 403, message: 'invalid JWT' },
  email_exists: { status: 422, message: 'A user with this email address has already been registered' },
  email_not_confirmed: { status: 400, message: 'Email not confirmed' },
  email_provider_disabled: { status: 400, message: 'Email signups are disabled' },
  feature_disabled: { status: 404, message: 'This is not yet here' },
  identity_not_found: { status: 422, message: 'Identity not found' },
  invalid_credentials: { status: 400, message: 'Invalid login credentials' },
  manual_linking_disabled: { status: 404, message: 'Manual linking is disabled' },
  mfa_totp_enroll_not_enabled: { status: 422, message: 'MFA enroll is disabled for TOTP' },
  mfa_totp_verify_not_enabled: { status: 422, message: 'MFA verification is disabled for TOTP' },
  no_authorization: { status: 401, message: 'This endpoint requires a Bearer token' },
  not_admin: { status: 403, message: 'User not allowed' },
  otp_disabled: { status: 422, message: 'Signups not allowed for otp' },
  over_request_rate_limit: { status: 429, message: 'Request rate limit reached' },
  passkey_disabled: { status: 404, message: 'Passkeys are disabled' },
  phone_exists: { status: 422, message: 'Phone number already registered by another user' },
  phone_provider_disabled: { status: 400, message: 'Phone signups are disabled' },
  provider_disabled: { status: 400, message: 'Unsupported provider: provider is not enabled' },
  refresh_token_already_used: { status: 400, message: 'Invalid Refresh Token: Already Used' },
  refresh_token_not_found: { status: 400, message: 'Invalid Refresh Token: Refresh Token Not Found' },
  request_entity_too_large: { status: 413, message: 'Request body too large' },
  request_timeout: { status: 504, message: 'Request timed out waiting for the database, please retry' },
  same_password: { status: 422, message: 'New password should be different from the old password.' },
  saml_provider_disabled: { status: 404, message: 'SAML 2.0 is disabled' },
  session_expired: { status: 400, message: 'Invalid Refresh Token: Session Expired' },
  session_not_found: { status: 403, message: 'Session from session_id claim in JWT does not exist' },
  signup_disabled: { status: 422, message: 'Signups not allowed for this instance' },
  unexpected_failure: { status: 500, message: 'Unexpected failure, please check server logs for more information' },
  user_already_exists: { status: 422, message: 'User already registered' },
  user_banned: { status: 400, message: 'User is banned' },
  user_not_found: { status: 404, message: 'User not found' },
  user_sso_managed: { status: 422, message: 'Updating email, phone, password of a SSO account only possible via SSO' },
  validation_failed: { status: 400, message: 'The request is not valid' },
  weak_password: { status: 422, message: 'Password is too weak' },
  web3_provider_disabled: { status: 422, message: 'Web3 provider is disabled' },
} as const;

export type AuthFaultCode = keyof typeof authFaults;

/** Raises a fault of `/auth/v1`. A weak password carries its reasons as `details: { reasons }`. */
export const fault = faultsOf(authFaults);
