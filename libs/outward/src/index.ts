export { makeOutward, Outward, type OutwardAnswer, type OutwardCall, type OutwardTerms } from './outward.ts';
export { OutwardFailure, OutwardRefusal, type FailureCode, type RefusalCode } from './refusals.ts';
export { retryAfterSecondsOf } from './retry-after.ts';
export { isSignedWebhook, isWebhookSecret, makeWebhookSecret, signWebhook, type SignedMessage } from './sign-webhook.ts';
