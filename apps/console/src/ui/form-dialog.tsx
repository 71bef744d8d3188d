import { type FormEvent, type ReactNode, useEffect, useId, useRef } from 'react';
import type { Action } from '../action.ts';
import { Dialog } from './dialog.tsx';
import { ProblemNotice } from './notice.tsx';

interface Props {
  readonly title: string;
  /** What the button that sends it says, and while it is under way. */
  readonly yes: string;
  readonly busy: string;
  readonly action: Action;
  readonly close: () => void;
  readonly isDanger?: boolean;
  readonly children: ReactNode;
}

/** A form in a window of its own; it opens with the first thing that is to be filled in. */
export function FormDialog({ title, yes, busy, action, close, isDanger = false, children }: Props) {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => form.current?.querySelector<HTMLElement>('input:not([type=radio]), input:checked, select, textarea')?.focus(), []);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    action.run();
  };
  return (
    <Dialog title={title} close={close}>
      <form ref={form} className="dialog-form" onSubmit={submit}>
        {children}
        {action.problem === null ? null : <ProblemNotice problem={action.problem} />}
        <footer className="dialog-foot">
          <button type="button" className="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" className={isDanger ? 'button button-danger' : 'button button-primary'} disabled={action.isBusy}>
            {action.isBusy ? busy : yes}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

/** One line of text to be filled in, with its name and a hint. */
export function TextField({ label, hint, value, change, ...rest }: { label: string; hint?: ReactNode; value: string; change: (value: string) => void; type?: string; required?: boolean; placeholder?: string; minLength?: number; maxLength?: number; autoComplete?: string }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} className="input" value={value} spellCheck={false} autoComplete="off" aria-describedby={hint === undefined ? undefined : `${id}-hint`} onChange={(event) => change(event.target.value)} {...rest} />
      {hint === undefined ? null : <p className="hint" id={`${id}-hint`}>{hint}</p>}
    </div>
  );
}

/** Some lines of text to be filled in, as code. */
export function TextArea({ label, hint, value, change, rows }: { label: string; hint: string; value: string; change: (value: string) => void; rows: number }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <textarea id={id} className="input input-code input-lines" rows={rows} value={value} spellCheck={false} aria-describedby={`${id}-hint`} onChange={(event) => change(event.target.value)} />
      <p className="hint" id={`${id}-hint`}>{hint}</p>
    </div>
  );
}

export interface ChoiceOption<T extends string> {
  readonly value: T;
  readonly label: string;
  readonly hint: string;
}

/** One of a few, each with what it means. */
export function Choices<T extends string>({ legend, options, value, change, columns = 1 }: { legend: string; options: readonly ChoiceOption<T>[]; value: T; change: (value: T) => void; columns?: 1 | 2 | 3 }) {
  const name = useId();
  return (
    <fieldset className={columns === 1 ? 'choices' : `choices choices-${columns}`}>
      <legend>{legend}</legend>
      {options.map((option) => (
        <label key={option.value} className="choice">
          <input type="radio" name={name} value={option.value} checked={value === option.value} onChange={() => change(option.value)} />
          <span className="choice-text">
            <strong>{option.label}</strong>
            <span>{option.hint}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
