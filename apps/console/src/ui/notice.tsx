import type { ReactNode } from 'react';
import type { Problem } from '../api.ts';
import { Icon, type IconName } from './icons.tsx';

const icons = { info: 'info', good: 'check', warn: 'warn', bad: 'bad' } as const satisfies Record<string, IconName>;

/** A sentence that stands out, with its icon and its tone. */
export function Notice({ tone = 'info', title, children }: { tone?: keyof typeof icons; title?: ReactNode; children?: ReactNode }) {
  return (
    <div className={`notice notice-${tone}`}>
      <Icon name={icons[tone]} />
      <div className="notice-text">
        {title === undefined ? null : <p className="notice-title">{title}</p>}
        {children}
      </div>
    </div>
  );
}

/** What went wrong, in the words of the api, what to do about it, and a way to try again. */
export function ProblemNotice({ problem, title, retry }: { problem: Problem; title?: string; retry?: () => void }) {
  const isWaiting = problem.isAway && retry === undefined;
  return (
    <div role="alert">
      <Notice tone={problem.isAway ? 'warn' : 'bad'} title={title ?? problem.message}>
        {title === undefined ? null : <p>{problem.message}</p>}
        {problem.details === null ? null : <p>{problem.details}</p>}
        {problem.hint === null ? null : <p>{problem.hint}</p>}
        {isWaiting ? <p>This page goes on asking.</p> : null}
        {retry === undefined ? null : (
          <button type="button" className="button button-small" onClick={retry}>
            Try again
          </button>
        )}
      </Notice>
    </div>
  );
}
