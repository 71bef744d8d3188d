import { type FormEvent, useEffect, useId, useRef, useState } from 'react';
import { useAction } from './action.ts';
import { askJson, Problem } from './api.ts';
import type { Connection } from './contracts.ts';
import { signIn, signOutReason } from './session.ts';
import { ThemeSwitch } from './shell.tsx';
import { Brand } from './ui/icons.tsx';
import { Notice } from './ui/notice.tsx';

/** The door: the service key is tried by a call before it is kept. */
export function SignInPage() {
  const [key, setKey] = useState('');
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const entering = useAction(async () => {
    try {
      await askJson<Connection>('/connection/v1', { key: key.trim() });
      signIn(key.trim());
    } catch (error) {
      input.current?.focus();
      throw inWords(error);
    }
  });
  useEffect(() => {
    document.title = 'Sign in · Mainstay';
    input.current?.focus();
  }, []);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    entering.run();
  };
  const why = signOutReason();
  const isWrong = entering.problem !== null;

  return (
    <main className="door">
      <form className="door-card" onSubmit={submit}>
        <div className="door-brand">
          <Brand />
          <ThemeSwitch />
        </div>
        <h1>Sign in to Mainstay</h1>
        <p className="lead">The console works with the service key, which may see and do everything.</p>
        {why === null || isWrong ? null : <Notice tone="warn" title={why} />}
        <div className="field">
          <label htmlFor={id}>Service key</label>
          <input
            id={id} ref={input} className="input input-code" type="password" value={key} autoComplete="current-password" spellCheck={false} required
            placeholder="sb_secret_…" aria-invalid={isWrong} aria-describedby={isWrong ? `${id}-wrong ${id}-hint` : `${id}-hint`}
            onChange={(event) => setKey(event.target.value)}
          />
          <div role="alert" id={`${id}-wrong`}>
            {entering.problem === null ? null : <p className="wrong">{entering.problem.message}</p>}
          </div>
          <p className="hint" id={`${id}-hint`}>
            <code>npm run mainstay -- keys --reveal</code> shows it. It stays in this tab and is forgotten when you close it.
          </p>
        </div>
        <button type="submit" className="button button-primary button-large" disabled={entering.isBusy}>
          {entering.isBusy ? 'Checking the key…' : 'Sign in'}
        </button>
      </form>
    </main>
  );
}

function inWords(error: unknown): Problem {
  if (!(error instanceof Problem)) return new Problem(-1, { code: 'console', message: 'This text cannot be a key: it holds characters that no key has.' });
  if (error.status === 401) return new Problem(401, { code: error.code, message: 'This is not a key of this server. Copy the whole key, without spaces.' });
  if (error.status === 403) return new Problem(403, { code: error.code, message: 'This key is valid, but it is not the service key. The console needs the one that begins with sb_secret_, or the service_role key.' });
  return error;
}
