import { useSyncExternalStore } from 'react';

let text = '';
const listeners = new Set<() => void>();

/** Says a sentence to readers of the screen, when they have finished what they hear. */
export function announce(sentence: string): void {
  text = sentence;
  listeners.forEach((listener) => listener());
}

export function Announcer() {
  const sentence = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => text,
  );
  return (
    <div className="visually-hidden" role="status">
      {sentence}
    </div>
  );
}
