import { type ReactNode, useEffect } from 'react';
import { takeFocus } from './take-focus.ts';

interface PageProps {
  readonly title: string;
  readonly lead?: ReactNode;
  readonly actions?: ReactNode;
  readonly isWide?: boolean;
  /** It takes the place of another step of the same page, whose focus would be lost. */
  readonly isNextStep?: boolean;
  readonly children: ReactNode;
}

/** The frame of every page: its heading, which takes the focus when one comes here, and what can be done on it. */
export function Page({ title, lead, actions, isWide = false, isNextStep = false, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Mainstay`;
  }, [title]);
  return (
    <div className={isWide ? 'page page-wide' : 'page'}>
      <header className="page-head">
        <div>
          <h1 tabIndex={-1} ref={isNextStep ? takeFocus : undefined}>{title}</h1>
          {lead === undefined ? null : <p className="lead">{lead}</p>}
        </div>
        {actions === undefined ? null : <div className="page-actions">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

/** A titled card of a page. */
export function Section({ title, aside, children, id }: { title: string; aside?: ReactNode; children: ReactNode; id: string }) {
  return (
    <section className="card" aria-labelledby={id}>
      <header className="card-head">
        <h2 id={id}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

/** What is said where there is nothing yet, and how to change that. */
export function Empty({ title, children, action }: { title: string; children: ReactNode; action?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      <p className="empty-text">{children}</p>
      {action}
    </div>
  );
}
