import { useSyncExternalStore } from 'react';
import { parseRoute, type Route } from './route.ts';

/** Where one is, followed. */
export function useRoute(): Route {
  return parseRoute(useSyncExternalStore(subscribe, () => window.location.hash));
}

/** Goes to a place of the console; `replace` leaves no step behind to come back to. */
export function go(hash: string, { replace = false }: { replace?: boolean } = {}): void {
  if (!replace) {
    window.location.hash = hash;
    return;
  }
  window.history.replaceState(null, '', hash);
  window.dispatchEvent(new HashChangeEvent('hashchange'));
}

function subscribe(listener: () => void): () => void {
  window.addEventListener('hashchange', listener);
  return () => window.removeEventListener('hashchange', listener);
}
