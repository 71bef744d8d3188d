import { useSyncExternalStore } from 'react';

/**
 * The service key of whoever sits here. It opens everything, so it stays in this tab (`sessionStorage`) and goes with it; it never
 * enters an address or a cookie.
 */
const place = 'mainstay.key';
const listeners = new Set<() => void>();
/** Why one was signed out, for the sign-in page to say. */
let reason: string | null = null;

export function currentKey(): string | null {
  return sessionStorage.getItem(place);
}

export function signIn(key: string): void {
  reason = null;
  sessionStorage.setItem(place, key);
  tell();
}

export function signOut(why: string | null = null): void {
  if (currentKey() === null) return;
  reason = why;
  sessionStorage.removeItem(place);
  tell();
}

export function signOutReason(): string | null {
  return reason;
}

/** The key, followed: the page that shows it is drawn again when it changes. */
export function useKey(): string | null {
  return useSyncExternalStore(subscribe, currentKey);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(): void {
  listeners.forEach((listener) => listener());
}
