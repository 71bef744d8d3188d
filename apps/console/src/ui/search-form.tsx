import { type FormEvent, useId, useState } from 'react';
import { Icon } from './icons.tsx';

interface SearchFormProps {
  readonly label: string;
  readonly placeholder: string;
  /** What is being looked for, as the address says; '' for nothing. */
  readonly search: string;
  /** Looks for something else; '' for everything. */
  readonly submit: (text: string) => void;
}

/** A field to look for something, and the way back to everything. */
export function SearchForm({ label, placeholder, search, submit }: SearchFormProps) {
  const [text, setText] = useState(search);
  const [shown, setShown] = useState(search);
  const id = useId();
  // Another address, by a link or by going back, is another search.
  if (shown !== search) {
    setShown(search);
    setText(search);
  }
  const send = (event: FormEvent): void => {
    event.preventDefault();
    submit(text.trim());
  };
  return (
    <form className="search" role="search" onSubmit={send}>
      <label className="visually-hidden" htmlFor={id}>{label}</label>
      <input id={id} className="input" type="search" value={text} spellCheck={false} autoComplete="off" placeholder={placeholder} onChange={(event) => setText(event.target.value)} />
      <button type="submit" className="button">
        <Icon name="search" />
        Find
      </button>
      {search === '' ? null : <button type="button" className="button button-bare" onClick={() => submit('')}>Show all</button>}
    </form>
  );
}
