import { isDatabaseError } from './database-faults.ts';

interface Waiting<Q, A> {
  readonly question: Q;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers what is asked while a statement is under way and sends it together with the next. Whoever comes alone is sent at
 * once; under load, many share a round trip and a flush to disk (adr/0007).
 */
export class Gathered<Q, A> {
  private waiting: Waiting<Q, A>[] = [];
  private isUnderWay = false;

  /** `send` gives an answer for each question, in their order. */
  constructor(private readonly send: (questions: readonly Q[]) => Promise<readonly A[]>) {}

  ask(question: Q): Promise<A> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ question, resolve, reject });
      if (!this.isUnderWay) void this.sendAll();
    });
  }

  private async sendAll(): Promise<void> {
    this.isUnderWay = true;
    while (this.waiting.length > 0) {
      const sent = this.waiting;
      this.waiting = [];
      await this.answer(sent);
    }
    this.isUnderWay = false;
  }

  private async answer(sent: readonly Waiting<Q, A>[]): Promise<void> {
    try {
      const answers = await this.send(sent.map(({ question }) => question));
      sent.forEach(({ resolve }, i) => resolve(answers[i]!));
    } catch (error) {
      // One question that PostgreSQL refuses (a result with a NUL in it) must not take the others along.
      if (sent.length > 1 && isDatabaseError(error)) for (const one of sent) await this.answer([one]);
      else for (const { reject } of sent) reject(error);
    }
  }
}
