import { useState } from 'react';
import type { Problem } from './api.ts';
import { asProblem } from './live.ts';

/** Something that a click sets going: whether it is under way, and what went wrong. */
export interface Action {
  readonly isBusy: boolean;
  readonly problem: Problem | null;
  readonly run: () => void;
  readonly forget: () => void;
}

export function useAction(work: () => Promise<unknown>): Action {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const go = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      await work();
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return { isBusy, problem, run: () => void (isBusy || go()), forget: () => setProblem(null) };
}
