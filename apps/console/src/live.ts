import { useEffect, useEffectEvent, useState } from 'react';
import { Problem } from './api.ts';

/** A value from the api that keeps itself fresh. */
export interface Live<T> {
  /** The last good value, also while the server is away. */
  readonly value: T | null;
  readonly problem: Problem | null;
  /** The value of the key before, to be shown until this one's has come. */
  readonly stale: T | null;
  /** Asks again at once. */
  readonly reload: () => void;
}

const retryMs = 1500;

/**
 * Loads a value for `key`, again when the key changes, and then as often as `everyMs` says of it (null: no more). While the server
 * is away it goes on asking, so a page heals itself; a hidden tab asks nothing.
 */
export function useLive<T>(key: string, load: (signal: AbortSignal) => Promise<T>, everyMs: (value: T) => number | null = () => null): Live<T> {
  const [held, hold] = useState<{ key: string; value: T | null; problem: Problem | null }>({ key, value: null, problem: null });
  const [turn, setTurn] = useState(0);
  const loadNow = useEffectEvent(load);
  const pauseAfter = useEffectEvent(everyMs);

  useEffect(() => {
    const control = new AbortController();
    const round = async (): Promise<void> => {
      const outcome = await settle(loadNow(control.signal));
      if (control.signal.aborted) return;
      hold((last) => ({ key, ...outcome, value: outcome.value ?? (last.key === key ? last.value : null) }));
      const pause = outcome.problem === null ? pauseAfter(outcome.value as T) : outcome.problem.isAway ? retryMs : null;
      if (pause !== null) whenSeen(pause, control.signal, round);
    };
    void round();
    return () => control.abort();
  }, [key, turn]);

  const isCurrent = held.key === key;
  return {
    value: isCurrent ? held.value : null,
    problem: isCurrent ? held.problem : null,
    stale: isCurrent ? null : held.value,
    reload: () => setTurn((last) => last + 1),
  };
}

async function settle<T>(promise: Promise<T>): Promise<{ value: T | null; problem: Problem | null }> {
  try {
    return { value: await promise, problem: null };
  } catch (error) {
    return { value: null, problem: asProblem(error) };
  }
}

/** What was thrown, as something that can be shown. */
export function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem(-1, { code: 'console', message: error instanceof Error ? error.message : String(error) });
}

function whenSeen(pauseMs: number, signal: AbortSignal, run: () => Promise<void>): void {
  const go = (): void => {
    if (signal.aborted) return;
    if (document.hidden) document.addEventListener('visibilitychange', go, { once: true, signal });
    else void run();
  };
  const timer = setTimeout(go, pauseMs);
  signal.addEventListener('abort', () => clearTimeout(timer));
}
