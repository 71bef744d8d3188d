import { useSyncExternalStore } from 'react';

const everyMs = 10_000;
let now = Date.now();

/** The present, as fresh as words like `4 minutes ago` need it. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

function subscribe(listener: () => void): () => void {
  now = Date.now();
  const timer = setInterval(() => {
    now = Date.now();
    listener();
  }, everyMs);
  return () => clearInterval(timer);
}
