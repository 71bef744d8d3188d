import type { ReactNode } from 'react';

/** A word in a frame, coloured by what it means for its reader. */
export function Tag({ tone, title, children }: { tone?: 'good' | 'warn' | 'bad'; title?: string; children: ReactNode }) {
  return (
    <span className={tone === undefined ? 'badge' : `badge badge-${tone}`} title={title}>
      {children}
    </span>
  );
}
