import { useEffect, useState } from 'react';
import { useAction } from '../action.ts';
import { ask, askJson } from '../api.ts';
import { type Import, isOpen } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links, splitCollection } from '../route.ts';
import { announce } from '../ui/announcer.tsx';
import { StateBadge } from '../ui/badge.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { Notice, ProblemNotice } from '../ui/notice.tsx';
import { Page, Section } from '../ui/page.tsx';
import { ImportFigures } from './import-figures.tsx';
import { importInWords, progressAloud } from './import-words.ts';
import { Rejects } from './rejects.tsx';

/** One import while it runs and after: it is only looked at from here, so the page may be left and reloaded at any time. */
export function ImportRunPage({ id }: { id: string }) {
  const { value: run, problem, reload } = useLive(`import ${id}`, (signal) => askJson<Import>(`/imports/v1/${encodeURIComponent(id)}`, { signal }), ({ state }) => (isOpen(state) ? 600 : null));
  const isAway = run !== null && problem?.isAway === true;
  const aloud = run === null ? null : isAway ? 'The server is coming back' : progressAloud(run);
  useEffect(() => {
    if (aloud !== null) announce(aloud);
  }, [aloud]);

  return (
    <Page title="Import" lead={run === null ? ' ' : `Into ${run.collection}`} actions={run === null ? null : <RunActions run={run} reload={reload} />}>
      {problem === null || isAway ? null : <ProblemNotice problem={problem} />}
      {run === null && problem === null ? <div className="card skeleton-block skeleton-tall" aria-hidden="true" /> : null}
      {run === null ? null : <RunCard run={run} isAway={isAway} />}
      {run !== null && run.rows_rejected > 0 ? <Rejects run={run} /> : null}
    </Page>
  );
}

function RunCard({ run, isAway }: { run: Import; isAway: boolean }) {
  return (
    <Section title={isOpen(run.state) ? 'Progress' : 'Result'} id="run" aside={<StateBadge state={run.state} />}>
      <ImportFigures run={run} isAway={isAway} />
      <p className="run-words">
        {isAway ? 'What was written is safe. The import goes on by itself, and this page with it.' : importInWords(run)} {run.job_id === null ? null : <a href={links.job(run.job_id)}>Show its job</a>}
      </p>
      {run.error === null ? null : (
        <Notice tone="bad" title={run.error.message}>
          {run.error.details ? <p>{run.error.details}</p> : null}
          {run.error.hint ? <p>{run.error.hint}</p> : null}
        </Notice>
      )}
    </Section>
  );
}

function RunActions({ run, reload }: { run: Import; reload: () => void }) {
  const [isAsking, setAsking] = useState(false);
  const cancelling = useAction(async () => {
    await ask(`/imports/v1/${encodeURIComponent(run.id)}/cancel`, { method: 'POST' });
    setAsking(false);
    reload();
  });
  if (!isOpen(run.state)) {
    return (
      <>
        <a className="button" href={links.newImport}>Import another file</a>
        <a className="button button-primary" href={links.rows(splitCollection(run.collection))}>Look at the rows</a>
      </>
    );
  }
  return (
    <>
      <button type="button" className="button" onClick={() => setAsking(true)}>Cancel the import</button>
      {isAsking ? (
        <Confirm title="Cancel this import?" yes="Cancel the import" no="Let it go on" action={cancelling} close={() => setAsking(false)}>
          {run.mode === 'all' ? 'Nothing will have been written.' : `Rows that were written stay in ${run.collection}.`}
        </Confirm>
      ) : null}
    </>
  );
}
