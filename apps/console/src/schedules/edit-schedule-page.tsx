import { type FormEvent, useEffect, useId, useRef, useState } from 'react';
import { useAction } from '../action.ts';
import { askJson, Problem } from '../api.ts';
import type { Schedule } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { announce } from '../ui/announcer.tsx';
import { Choices, TextArea, TextField } from '../ui/form-dialog.tsx';
import { Notice, ProblemNotice } from '../ui/notice.tsx';
import { Page, Section } from '../ui/page.tsx';
import { go } from '../use-route.ts';
import { cronInWords, presets, readersZone } from './describe-schedule.ts';
import { NextRuns } from './next-runs.tsx';
import { bodyOf, draftOf, emptyDraft, missingIn, type ScheduleDraft } from './schedule-draft.ts';

/** A new schedule, or (with an id) what is to be different about one. */
export function EditSchedulePage({ id }: { id: string | null }) {
  const { value, problem } = useLive(`schedule to edit ${id ?? ''}`, async (signal) => (id === null ? emptyDraft(readersZone()) : draftOf(await askJson<Schedule>(`/schedules/v1/${encodeURIComponent(id)}`, { signal }))));
  return (
    <Page title={id === null ? 'New schedule' : 'Edit the schedule'} lead={id === null ? 'Something that happens by the clock.' : (value?.name ?? ' ')}>
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {value === null ? problem === null ? <div className="card skeleton-block skeleton-tall" aria-busy="true" /> : null : <Editor id={id} before={value} />}
    </Page>
  );
}

function Editor({ id, before }: { id: string | null; before: ScheduleDraft }) {
  const [draft, setDraft] = useState(before);
  const [isAsked, setAsked] = useState(false);
  const change = (part: Partial<ScheduleDraft>): void => setDraft({ ...draft, ...part });
  const missing = missingIn(draft);
  // A second click, or one after a lost answer, makes no second schedule.
  const key = useRef(crypto.randomUUID());
  const saving = useAction(async () => {
    const path = id === null ? '/schedules/v1' : `/schedules/v1/${encodeURIComponent(id)}`;
    const saved = await askJson<Schedule>(path, { method: id === null ? 'POST' : 'PATCH', json: bodyOf(draft), headers: { 'idempotency-key': key.current } }).catch((error: unknown) => {
      if (!(error instanceof Problem && error.isAway)) key.current = crypto.randomUUID();
      throw error;
    });
    announce(id === null ? 'The schedule is made' : 'The schedule is saved');
    go(links.schedule(saved.id), { replace: true });
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setAsked(true);
    if (missing === null) saving.run();
  };
  return (
    <form className="page" onSubmit={submit} noValidate>
      <Section title="When" id="when">
        {id === null ? <TextField label="Name" hint="One of its own; it stays." value={draft.name} change={(name) => change({ name })} maxLength={200} required /> : null}
        <WhenFields draft={draft} change={change} />
      </Section>
      <Section title="What" id="what">
        <WhatFields draft={draft} change={change} />
      </Section>
      <Section title="If something does not fit" id="terms">
        <div className="two-columns">
          <Choices legend="A time was missed, since no worker was there" options={missedOptions} value={draft.missed} change={(missed) => change({ missed })} />
          <Choices legend="The run before is not over yet" options={overlapOptions} value={draft.overlap} change={(overlap) => change({ overlap })} />
        </div>
      </Section>
      {isAsked && missing !== null ? <div role="alert"><Notice tone="bad" title={missing} /></div> : null}
      {saving.problem === null ? null : <ProblemNotice problem={saving.problem} />}
      <div className="card-foot">
        <button type="submit" className="button button-primary" disabled={saving.isBusy}>{saving.isBusy ? 'Saving…' : id === null ? 'Make the schedule' : 'Save'}</button>
        <a className="button" href={id === null ? links.schedules : links.schedule(id)}>Cancel</a>
      </div>
    </form>
  );
}

interface Fields {
  readonly draft: ScheduleDraft;
  readonly change: (part: Partial<ScheduleDraft>) => void;
}

function WhenFields({ draft, change }: Fields) {
  const id = useId();
  return (
    <>
      <div className="form-row">
        <div className="field">
          <label htmlFor={`${id}-preset`}>Such as</label>
          <select id={`${id}-preset`} className="input" value={presets.some(({ cron }) => cron === draft.cron) ? draft.cron : ''} onChange={(event) => event.target.value !== '' && change({ cron: event.target.value })}>
            <option value="">something else</option>
            {presets.map(({ cron, words }) => <option key={cron} value={cron}>{words}</option>)}
          </select>
        </div>
        <div className="field">
          <label htmlFor={`${id}-cron`}>Cron line</label>
          <input id={`${id}-cron`} className="input input-code" value={draft.cron} spellCheck={false} autoComplete="off" aria-describedby={`${id}-hint`} onChange={(event) => change({ cron: event.target.value })} />
        </div>
        <div className="field">
          <label htmlFor={`${id}-zone`}>Time zone</label>
          <input id={`${id}-zone`} className="input" list={`${id}-zones`} value={draft.zone} spellCheck={false} autoComplete="off" onChange={(event) => change({ zone: event.target.value })} />
          <datalist id={`${id}-zones`}>{['UTC', ...Intl.supportedValuesOf('timeZone')].map((zone) => <option key={zone} value={zone} />)}</datalist>
        </div>
      </div>
      <p className="hint" id={`${id}-hint`}>Minute, hour, day of the month, month, day of the week; with six fields the first is the second. Or an interval such as “30 seconds”.</p>
      <Preview cron={draft.cron} zone={draft.zone} />
    </>
  );
}

/** What the line means, and when it would run next, a moment after one stops typing. */
function Preview({ cron, zone }: { cron: string; zone: string }) {
  const [asked, ask] = useState({ cron, zone });
  useEffect(() => {
    const timer = setTimeout(() => ask({ cron, zone }), 250);
    return () => clearTimeout(timer);
  }, [cron, zone]);
  const query = new URLSearchParams({ cron: asked.cron, time_zone: asked.zone });
  const { value, stale, problem } = useLive(`preview ${query}`, (signal) => askJson<{ readonly next_runs: readonly string[] }>(`/schedules/v1/preview?${query}`, { signal }));
  const shown = value ?? (problem === null ? stale : null);
  return (
    <div className="preview" role="group" aria-label="Next runs" aria-busy={value === null && problem === null}>
      {problem === null ? (
        <>
          <p className="label">{cronInWords(asked.cron) ?? 'Next runs'}</p>
          {shown === null ? <p className="muted">…</p> : <NextRuns runs={shown.next_runs} zone={asked.zone} none="It would never run." />}
        </>
      ) : <ProblemNotice problem={problem} />}
    </div>
  );
}

const kinds = [
  { value: 'function', label: 'A function', hint: 'Of the database, with arguments by name.' },
  { value: 'sql', label: 'SQL', hint: 'One or more statements.' },
  { value: 'url', label: 'A URL', hint: 'Of a server of yours, signed.' },
] as const;

function WhatFields({ draft, change }: Fields) {
  return (
    <>
      <Choices legend="It calls" options={kinds} value={draft.kind} change={(kind) => change({ kind })} columns={3} />
      {draft.kind === 'function' ? (
        <>
          <TextField label="Function" hint="With its schema, such as public.tidy_up." value={draft.function} change={(name) => change({ function: name })} required />
          <TextArea label="Arguments" hint={'As JSON, such as {"days": 30}. Empty is none.'} value={draft.arguments} change={(text) => change({ arguments: text })} rows={3} />
        </>
      ) : draft.kind === 'sql' ? (
        <TextArea label="SQL" hint="It runs with the rights of the service key." value={draft.sql} change={(sql) => change({ sql })} rows={5} />
      ) : (
        <>
          <TextField label="URL" hint="A public https address; inner addresses are not called." value={draft.url} change={(url) => change({ url })} type="url" placeholder="https://example.com/nightly" required />
          <Method draft={draft} change={change} />
          {draft.method === 'GET' ? null : <TextArea label="Body" hint="As JSON. Empty is none." value={draft.body} change={(body) => change({ body })} rows={3} />}
        </>
      )}
    </>
  );
}

function Method({ draft, change }: Fields) {
  const id = useId();
  return (
    <div className="field field-narrow">
      <label htmlFor={id}>Method</label>
      <select id={id} className="input" value={draft.method} onChange={(event) => change({ method: event.target.value })}>
        {['POST', 'GET', 'PUT', 'PATCH', 'DELETE'].map((method) => <option key={method}>{method}</option>)}
      </select>
    </div>
  );
}

const missedOptions = [
  { value: 'once', label: 'Make up for it once', hint: 'However many were missed.' },
  { value: 'all', label: 'Make up for each', hint: 'One after the other.' },
  { value: 'skip', label: 'Pass it over', hint: 'The next one is the next one.' },
] as const;

const overlapOptions = [
  { value: 'skip', label: 'Pass it over', hint: 'One is enough.' },
  { value: 'queue', label: 'Let it wait', hint: 'It runs when the one before is over.' },
  { value: 'allow', label: 'Run beside it', hint: 'Both at once.' },
] as const;
