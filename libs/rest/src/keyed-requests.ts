import type { RestAnswer } from '@mainstay/dialect';
import { keepReply, recallReply, type Database, type KeptReply, type KeyedRequest, type RunTerms, type Session, type Transaction } from '@mainstay/persistence';
import { untilSettled } from './until-settled.ts';

/** Requests that came with an `Idempotency-Key`: of any number with the same key one is done, and all are given its answer. */
export class KeyedRequests {
  constructor(private readonly database: Database) {}

  /** Runs `work` unless its key has an answer, and keeps its answer in the same transaction. It begins as the login and ends as `role`. */
  once(keyed: KeyedRequest, role: string, { isolation }: Pick<Session, 'isolation'>, work: (tx: Transaction) => Promise<RestAnswer>, terms: RunTerms): Promise<RestAnswer> {
    const asLogin: Session = { role: null, settings: {}, ...(isolation === undefined ? {} : { isolation }) };
    const first = async (tx: Transaction): Promise<RestAnswer> => {
      const kept = await recallReply(tx, keyed);
      if (kept !== null) return { ...kept, headers: [...kept.headers, ['Idempotency-Replayed', 'true']] };
      const answer = await work(tx);
      await keepReply(tx, keyed, answer as KeptReply, role);
      return answer;
    };
    return untilSettled(() => this.database.transaction(asLogin, first, terms));
  }
}
