import { type ReactNode, useId, useLayoutEffect, useRef } from 'react';
import type { Action } from '../action.ts';
import { Icon } from './icons.tsx';
import { ProblemNotice } from './notice.tsx';

/** A window over the page; the browser keeps the focus inside, closes it on Escape and gives the focus back. */
export function Dialog({ title, close, children, isWide = false }: { title: string; close: () => void; children: ReactNode; isWide?: boolean }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Closed while it is still in the page: only then does the browser give the focus back.
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog ref={dialog} className={isWide ? 'dialog dialog-wide' : 'dialog'} aria-labelledby={id} onCancel={(event) => { event.preventDefault(); close(); }} onClick={(event) => event.target === dialog.current && close()}>
      <div className="dialog-body">
        <header className="dialog-head">
          <h2 id={id}>{title}</h2>
          <button type="button" className="button button-bare button-icon" onClick={close} aria-label="Close">
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

/** Asks before something is done that cannot be undone. */
export function Confirm({ title, children, yes, no, action, close }: { title: string; children: ReactNode; yes: string; no: string; action: Action; close: () => void }) {
  return (
    <Dialog title={title} close={close}>
      <p>{children}</p>
      {action.problem === null ? null : <ProblemNotice problem={action.problem} />}
      <footer className="dialog-foot">
        <button type="button" className="button" onClick={close}>
          {no}
        </button>
        <button type="button" className="button button-danger" onClick={action.run} disabled={action.isBusy}>
          {yes}
        </button>
      </footer>
    </Dialog>
  );
}
