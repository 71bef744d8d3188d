import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Outward, OutwardFailure, signWebhook, type OutwardAnswer } from '@mainstay/outward';
import { fault } from './faults.ts';
import type { HookTarget } from './hook-targets.ts';

/** All attempts together. */
const limitMs = 5000;
const mostAttempts = 3;
const pauseMs = 2000;

/** What a hook may send and be sent. */
export const mostHookBytes = 200 * 1024;

/** A hook is the operator's own configuration, and may be a machine of theirs. */
const outward = new Outward({ reach: 'anywhere', allowedHosts: [], allowedPorts: [] });

type HttpTarget = Extract<HookTarget, { kind: 'http' }>;

/**
 * Posts to a hook as Standard Webhooks has it, and gives the text of its answer; an empty one is no objection. It is asked again where it
 * cannot be reached, and where it says 429 or 503 and when to come back.
 * @throws Fault in GoTrue's words
 */
export async function postHook(target: HttpTarget, body: string): Promise<string> {
  const signal = AbortSignal.timeout(limitMs);
  const id = randomUUID();
  for (let attempt = 1; attempt <= mostAttempts; attempt += 1) {
    const answer = await sendOnce(target, id, body, signal);
    const text = answer === null ? null : readAnswer(answer);
    if (text !== null) return text;
    if (attempt < mostAttempts) await pause(answer, signal);
  }
  throw fault('hook_timeout_after_retry');
}

/** Null for one that could not be reached. */
async function sendOnce({ uri, secrets }: HttpTarget, id: string, body: string, signal: AbortSignal): Promise<OutwardAnswer | null> {
  const headers = { 'content-type': 'application/json', ...signWebhook({ id, timestampSeconds: Math.floor(Date.now() / 1000), body, secrets: secrets.map((secret) => secret.toString('base64')) }) };
  try {
    return await outward.call({ method: 'POST', url: uri, body, headers, timeoutMs: limitMs, maxAnswerBytes: mostHookBytes, signal });
  } catch (error) {
    if (signal.aborted || (error instanceof OutwardFailure && error.code === 'timed_out')) throw timedOut(error);
    return null;
  }
}

/** The text of an answer; null for one that asks to come again. */
function readAnswer(answer: OutwardAnswer): string | null {
  if ([200, 202, 204].includes(answer.status)) return readBody(answer);
  if (answer.status === 429 || answer.status === 503) {
    if ((answer.headers['retry-after'] ?? '') !== '') return null;
    throw fault('unexpected_failure', { message: 'Service currently unavailable due to hook' });
  }
  const messages: Readonly<Record<number, string>> = { 400: 'Invalid payload sent to hook', 401: 'Hook requires authorization token' };
  throw fault('unexpected_failure', { message: messages[answer.status] ?? `Unexpected status code returned from hook: ${answer.status}` });
}

function readBody({ headers, body, isCut }: OutwardAnswer): string {
  if (isCut || body.length >= mostHookBytes) throw fault('hook_payload_over_size_limit', { message: `Payload size exceeded size limit of ${mostHookBytes} bytes` });
  const text = body.toString('utf8');
  const type = headers['content-type'] ?? '';
  // Who answers nothing has no type to name.
  if (text !== '' && type.split(';')[0]!.trim().toLowerCase() !== 'application/json') throw fault('hook_payload_invalid_content_type', { message: `Invalid JSON response. Received content-type: ${type}` });
  return text;
}

async function pause(answer: OutwardAnswer | null, signal: AbortSignal): Promise<void> {
  const asked = Number(answer?.headers['retry-after'] ?? NaN);
  try {
    await sleep(Number.isFinite(asked) ? Math.min(asked * 1000, limitMs) : pauseMs, undefined, { signal });
  } catch (error) {
    throw timedOut(error);
  }
}

function timedOut(cause: unknown): Error {
  return fault('hook_timeout', { message: `Failed to reach hook within maximum time of ${(limitMs / 1000).toFixed(6)} seconds`, cause });
}
