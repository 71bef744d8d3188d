export { checkHeaders as checkSentHeaders } from './check-request.ts';
export { makeOutward, Outward, type OutwardTerms } from './outward.ts';
export type { OutwardAnswer, OutwardCall } from './outward-call.ts';
export { OutwardFailure, OutwardRefusal, type FailureCode, type RefusalCode } from './refusals.ts';
export { retryAfterSecondsOf } from './retry-after.ts';
export { isSignedWebhook, isWebhookSecret, makeWebhookSecret, signWebhook, type SignedMessage } from './sign-webhook.ts';
