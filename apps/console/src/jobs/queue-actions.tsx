import { useState } from 'react';
import { useAction } from '../action.ts';
import { ask } from '../api.ts';
import type { QueueTerms } from '../contracts.ts';
import { announce } from '../ui/announcer.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { FormDialog, TextField } from '../ui/form-dialog.tsx';
import { Notice } from '../ui/notice.tsx';

/** Stop a queue for a while, or hold it to something. */
export function QueueActions({ terms, changed }: { terms: QueueTerms; changed: () => void }) {
  const [wish, setWish] = useState<'pause' | 'limits' | null>(null);
  const path = `/queues/v1/${encodeURIComponent(terms.name)}`;
  const pausing = useAction(async () => {
    await ask(`${path}/${terms.is_paused ? 'resume' : 'pause'}`, { method: 'POST' });
    announce(terms.is_paused ? `${terms.name} goes on` : `${terms.name} is paused`);
    setWish(null);
    changed();
  });
  return (
    <span className="action-row">
      {terms.is_paused ? (
        <button type="button" className="button button-small" onClick={pausing.run} disabled={pausing.isBusy} aria-label={`Resume: ${terms.name}`}>Resume</button>
      ) : (
        <button type="button" className="button button-small" onClick={() => setWish('pause')} aria-label={`Pause: ${terms.name}`}>Pause</button>
      )}
      <button type="button" className="button button-small button-bare" onClick={() => setWish('limits')} aria-label={`Limits: ${terms.name}`}>Limits</button>
      {wish === 'pause' ? (
        <Confirm title={`Pause ${terms.name}?`} yes="Pause it" no="Let it go on" action={pausing} close={() => setWish(null)}>
          {terms.is_house ? `The house’s own work is in it (${terms.name}). What runs goes on to its end; what comes waits until it is resumed.` : 'What runs goes on to its end; what comes waits until it is resumed.'}
        </Confirm>
      ) : null}
      {wish === 'limits' ? <Limits terms={terms} close={() => setWish(null)} changed={changed} /> : null}
    </span>
  );
}

function Limits({ terms, close, changed }: { terms: QueueTerms; close: () => void; changed: () => void }) {
  const [concurrency, setConcurrency] = useState(textOf(terms.concurrency));
  const [perKey, setPerKey] = useState(textOf(terms.concurrency_per_key));
  const [count, setCount] = useState(textOf(terms.rate_limit?.count ?? null));
  const [seconds, setSeconds] = useState(textOf(terms.rate_limit?.per_seconds ?? 60));
  const saving = useAction(async () => {
    const json = {
      concurrency: numberOf(concurrency),
      concurrency_per_key: numberOf(perKey),
      rate_limit: numberOf(count) === null ? null : { count: numberOf(count), per_seconds: numberOf(seconds), per_key: terms.rate_limit?.per_key ?? false },
    };
    await ask(`/queues/v1/${encodeURIComponent(terms.name)}`, { method: 'PUT', json });
    announce(`The limits of ${terms.name} are saved`);
    close();
    changed();
  });
  return (
    <FormDialog title={`Limits of ${terms.name}`} yes="Save" busy="Saving…" action={saving} close={close}>
      <p className="hint">Over all workers. An empty field is no limit.</p>
      <TextField label="At once" type="number" hint="How many of its jobs may be on their way or running." value={concurrency} change={setConcurrency} />
      <TextField label="At once for each owner" type="number" hint={terms.key === null ? 'So that nobody takes all the places.' : `For each value of the argument “${terms.key}”.`} value={perKey} change={setPerKey} />
      <div className="form-row">
        <TextField label="At most" type="number" value={count} change={setCount} />
        <TextField label="within so many seconds" type="number" value={seconds} change={setSeconds} />
      </div>
      {terms.is_house ? <Notice tone="warn" title="This queue is the house’s own: a small limit slows what it does for you." /> : null}
    </FormDialog>
  );
}

function textOf(value: number | null): string {
  return value === null ? '' : String(value);
}

function numberOf(text: string): number | null {
  return text.trim() === '' ? null : Number(text);
}

/** What a queue is held to, in words; null for nothing. */
export function limitsInWords({ concurrency, concurrency_per_key: perKey, rate_limit: rate }: QueueTerms): string | null {
  const parts = [
    concurrency === null ? null : `${concurrency} at once`,
    perKey === null ? null : `${perKey} each`,
    rate === null ? null : `${rate.count} in ${rate.per_seconds} s`,
  ].filter((part) => part !== null);
  return parts.length === 0 ? null : parts.join(', ');
}
