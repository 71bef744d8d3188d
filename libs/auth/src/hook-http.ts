import { createHmac, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fault } from './faults.ts';
import type { HookTarget } from './hook-targets.ts';

/** All attempts together. */
const limitMs = 5000;
const mostAttempts = 3;
const pauseMs = 2000;

/** What a hook may send and be sent. */
export const mostHookBytes = 200 * 1024;

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
    const text = answer === null ? null : await readAnswer(answer, signal);
    if (text !== null) return text;
    if (attempt < mostAttempts) await pause(answer, signal);
  }
  throw fault('hook_timeout_after_retry');
}

/** Null for one that could not be reached. */
async function sendOnce({ uri, secrets }: HttpTarget, id: string, body: string, signal: AbortSignal): Promise<Response | null> {
  try {
    return await fetch(uri, { method: 'POST', body, signal, redirect: 'manual', headers: { 'content-type': 'application/json', ...signatureOf(id, body, secrets) } });
  } catch (error) {
    if (signal.aborted) throw timedOut(error);
    return null;
  }
}

/** The text of an answer; null for one that asks to come again. */
async function readAnswer(answer: Response, signal: AbortSignal): Promise<string | null> {
  if ([200, 202, 204].includes(answer.status)) return readBody(answer, signal);
  await answer.body?.cancel();
  if (answer.status === 429 || answer.status === 503) {
    if ((answer.headers.get('retry-after') ?? '') !== '') return null;
    throw fault('unexpected_failure', { message: 'Service currently unavailable due to hook' });
  }
  const messages: Readonly<Record<number, string>> = { 400: 'Invalid payload sent to hook', 401: 'Hook requires authorization token' };
  throw fault('unexpected_failure', { message: messages[answer.status] ?? `Unexpected status code returned from hook: ${answer.status}` });
}

async function readBody(answer: Response, signal: AbortSignal): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of answer.body ?? []) {
      bytes += piece.length;
      if (bytes >= mostHookBytes) throw fault('hook_payload_over_size_limit', { message: `Payload size exceeded size limit of ${mostHookBytes} bytes` });
      pieces.push(piece);
    }
  } catch (error) {
    if (signal.aborted) throw timedOut(error);
    throw error;
  }
  const text = Buffer.concat(pieces).toString('utf8');
  const type = answer.headers.get('content-type') ?? '';
  // Who answers nothing has no type to name.
  if (text !== '' && type.split(';')[0]!.trim().toLowerCase() !== 'application/json') throw fault('hook_payload_invalid_content_type', { message: `Invalid JSON response. Received content-type: ${type}` });
  return text;
}

async function pause(answer: Response | null, signal: AbortSignal): Promise<void> {
  const asked = Number(answer?.headers.get('retry-after') ?? NaN);
  try {
    await sleep(Number.isFinite(asked) ? Math.min(asked * 1000, limitMs) : pauseMs, undefined, { signal });
  } catch (error) {
    throw timedOut(error);
  }
}

function timedOut(cause: unknown): Error {
  return fault('hook_timeout', { message: `Failed to reach hook within maximum time of ${(limitMs / 1000).toFixed(6)} seconds`, cause });
}

/** One signature for each secret, so that the hook may change its own first. */
function signatureOf(id: string, body: string, secrets: readonly Buffer[]): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const signed = secrets.map((secret) => `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`);
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signed.join(' ') };
}
