import { OutwardFailure, OutwardRefusal, retryAfterSecondsOf, signWebhook, type Outward, type OutwardAnswer } from '@mainstay/outward';
import { findRequest, keepRequestAnswer, type Database, type KeptRequest, type RequestAnswer } from '@mainstay/persistence';
import { TryAgain, type JobRun } from '@mainstay/queue';
import { textOf } from './readable-answer.ts';
import { requestFault } from './request-faults.ts';
import type { SigningSecrets } from './signing-secrets.ts';

/** So much of an answer is kept. */
const mostAnswerBytes = 64 * 1024;
/** Nobody is waited for longer than the engine itself would wait. */
const longestWaitSeconds = 6 * 3600;
/** These 4xx say by themselves: come again. */
const comeAgain = new Set([408, 425, 429]);

/** Sends the requests of jobs: the same id and body on every try, signed anew each time, followed up by the answer's status. */
export class RequestSender {
  constructor(
    private readonly database: Database,
    private readonly outward: Pick<Outward, 'call'>,
    private readonly secrets: Pick<SigningSecrets, 'current'>,
  ) {}

  /** The handler of `send-request`: 2xx is done, 5xx and no answer are tried again, and everything else is refused for good. */
  async send(requestId: string, run: JobRun): Promise<RequestAnswer | null> {
    const request = await findRequest(this.database, requestId);
    if (request === null) return null;
    const answer = await this.call(request, run);
    const shown = showAnswer(answer);
    if (answer.status >= 200 && answer.status < 300) return shown;
    await keepRequestAnswer(this.database, requestId, shown);
    throw followUp(answer, shown);
  }

  private async call(request: KeptRequest, run: JobRun): Promise<OutwardAnswer> {
    const { id, method, url, headers, body, timeoutMs, isSigned } = request;
    // Without a body its absence is signed.
    const signature = isSigned ? signWebhook({ id: `msg_${id}`, timestampSeconds: Math.floor(Date.now() / 1000), body: body ?? '', secrets: await this.secrets.current() }) : {};
    try {
      return await this.outward.call({ method, url, headers: { ...headers, ...signature }, body, timeoutMs, maxAnswerBytes: mostAnswerBytes, signal: run.signal });
    } catch (error) {
      throw notAnswered(error);
    }
  }
}

function notAnswered(error: unknown): unknown {
  if (error instanceof OutwardRefusal) return requestFault(error.isForGood ? 'request_not_sent' : 'request_without_answer', { message: error.message, details: { reason: error.code }, hint: error.hint, cause: error });
  if (error instanceof OutwardFailure) return requestFault('request_without_answer', { message: error.message, details: { reason: error.code, ms: error.ms }, cause: error });
  return error;
}

function followUp({ status, headers }: OutwardAnswer, shown: RequestAnswer): Error {
  const message = `The receiver answered ${status}`;
  if (status < 500 && !comeAgain.has(status)) {
    const hint = status >= 300 && status < 400 ? 'A redirect is never followed: use the URL that it leads to.' : null;
    return requestFault('request_refused', { message, details: shown, hint });
  }
  const afterSeconds = retryAfterSecondsOf(headers['retry-after'], Date.now());
  if (afterSeconds === null) return requestFault('request_failed', { message, details: shown });
  return new TryAgain(message, { afterSeconds: Math.min(afterSeconds, longestWaitSeconds), code: 'request_failed', details: shown });
}

function showAnswer(answer: OutwardAnswer): RequestAnswer {
  return { status: answer.status, headers: answer.headers, body: textOf(answer), is_cut: answer.isCut, ms: answer.ms };
}
