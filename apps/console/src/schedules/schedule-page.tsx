import { useState } from 'react';
import { useAction } from '../action.ts';
import { askJson } from '../api.ts';
import { isOpen, type Schedule, type ScheduleRun } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { StateBadge } from '../ui/badge.tsx';
import { Fact } from '../ui/fact.tsx';
import { Icon } from '../ui/icons.tsx';
import { Moment } from '../ui/moment.tsx';
import { Notice, ProblemNotice } from '../ui/notice.tsx';
import { Empty, Page, Section } from '../ui/page.tsx';
import { SkeletonRows, TableFrame } from '../ui/table-frame.tsx';
import { Tag } from '../ui/tag.tsx';
import { duration } from '../words.ts';
import { cronInWords, localTime, runInWords } from './describe-schedule.ts';
import { NextRuns } from './next-runs.tsx';
import { ScheduleActions } from './schedule-actions.tsx';

const step = 50;

/** One schedule: when it runs, what it does, and what came of it. */
export function SchedulePage({ id }: { id: string }) {
  const path = `/schedules/v1/${encodeURIComponent(id)}`;
  const [turn, setTurn] = useState(0);
  const { value: schedule, problem, reload } = useLive(path, (signal) => askJson<Schedule>(path, { signal }), () => 3000);
  const changed = (): void => {
    reload();
    setTurn(turn + 1);
  };
  return (
    <Page title={schedule?.name ?? 'Schedule'} lead={schedule === null ? ' ' : (cronInWords(schedule.cron) ?? schedule.cron)} isWide actions={schedule === null ? null : <ScheduleActions schedule={schedule} reload={changed} />}>
      <a className="back" href={links.schedules}>
        <Icon name="left" />
        All schedules
      </a>
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {schedule === null && problem === null ? <div className="card skeleton-block skeleton-tall" aria-hidden="true" /> : null}
      {schedule === null ? null : (
        <>
          <ScheduleCard schedule={schedule} />
          <History id={id} zone={schedule.time_zone} turn={turn} />
        </>
      )}
    </Page>
  );
}

function ScheduleCard({ schedule }: { schedule: Schedule }) {
  return (
    <Section title="Details" id="details" aside={schedule.is_paused ? <Tag tone="warn">paused</Tag> : schedule.trouble !== null ? <Tag tone="bad">stands still</Tag> : <Tag tone="good">active</Tag>}>
      {schedule.trouble === null ? null : <Notice tone="bad" title={schedule.trouble} />}
      {schedule.origin === 'own' ? null : <Notice title="This schedule was made by cron.schedule. It is changed by cron.alter_job and ended by cron.unschedule." />}
      <dl className="facts">
        <Fact name="When">{cronInWords(schedule.cron) ?? ''} <code>{schedule.cron}</code></Fact>
        <Fact name="Time zone">{schedule.time_zone}</Fact>
        <Fact name="Next runs"><NextRuns runs={schedule.next_runs ?? []} zone={schedule.time_zone} none={schedule.is_paused ? 'None while it is paused.' : 'None.'} /></Fact>
        <Fact name="Does">{schedule.kind === 'function' ? <>calls <code>{schedule.function}</code></> : schedule.kind === 'url' ? `calls ${schedule.method ?? 'POST'} ${schedule.url}` : <pre tabIndex={0} role="region" aria-label="SQL">{schedule.sql}</pre>}</Fact>
        {schedule.kind === 'function' && hasContent(schedule.arguments) ? <Fact name="Arguments"><pre tabIndex={0} role="region" aria-label="Arguments">{JSON.stringify(schedule.arguments, null, 2)}</pre></Fact> : null}
        {schedule.kind === 'url' && schedule.body !== null && schedule.body !== undefined ? <Fact name="Body"><pre tabIndex={0} role="region" aria-label="Body">{JSON.stringify(schedule.body, null, 2)}</pre></Fact> : null}
        <Fact name="As">{schedule.role}</Fact>
        <Fact name="If one is missed">{missedWords[schedule.missed]}</Fact>
        <Fact name="If one takes long">{overlapWords[schedule.overlap]}</Fact>
        <Fact name="Made"><Moment time={schedule.created_at} /></Fact>
      </dl>
    </Section>
  );
}

function hasContent(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

export const missedWords: Readonly<Record<Schedule['missed'], string>> = { skip: 'it is passed over', once: 'it is run once, however many were missed', all: 'each is made up for' };
export const overlapWords: Readonly<Record<Schedule['overlap'], string>> = { skip: 'the next one is passed over', queue: 'the next one waits for it', allow: 'the next one runs beside it' };

function History({ id, zone, turn }: { id: string; zone: string; turn: number }) {
  const [older, setOlder] = useState<readonly ScheduleRun[]>([]);
  const [isEnd, setEnd] = useState(false);
  const path = `/schedules/v1/${encodeURIComponent(id)}/runs?limit=${step}`;
  const { value, problem } = useLive(`${path} ${turn}`, (signal) => askJson<readonly ScheduleRun[]>(path, { signal }), (runs) => (runs.some(({ state }) => state === 'waiting' || isOpen(state as 'queued')) ? 1200 : 4000));
  const known = new Set(value?.map((run) => run.id));
  const all = value === null ? null : [...value, ...older.filter((run) => !known.has(run.id))];
  const loadMore = useAction(async () => {
    const last = all?.at(-1);
    if (last === undefined) return;
    const more = await askJson<readonly ScheduleRun[]>(`${path}&before=${last.id}`);
    setOlder([...older, ...more]);
    setEnd(more.length < step);
  });
  return (
    <Section title="History" id="history">
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {all === null && problem !== null ? null : all?.length === 0 ? <Empty title="It has not run yet">Wait for its time, or run it now.</Empty> : (
        <TableFrame label="Runs" isBusy={all === null}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">For</th>
                <th scope="col">State</th>
                <th scope="col">What came of it</th>
                <th scope="col" className="number">Took</th>
              </tr>
            </thead>
            {all === null ? <SkeletonRows columns={4} rows={5} /> : <tbody>{all.map((run) => <RunRow key={run.id} run={run} zone={zone} />)}</tbody>}
          </table>
        </TableFrame>
      )}
      {isEnd || all === null || all.length < step ? null : <button type="button" className="button" onClick={loadMore.run} disabled={loadMore.isBusy}>Show older ones</button>}
    </Section>
  );
}

function RunRow({ run, zone }: { run: ScheduleRun; zone: string }) {
  const seconds = run.started_at === null || run.finished_at === null ? null : (Date.parse(run.finished_at) - Date.parse(run.started_at)) / 1000;
  const when = localTime(run.slot, zone);
  return (
    <tr>
      <th scope="row">
        {run.job_id === null ? when : <a href={links.job(run.job_id)}>{when}</a>}
        {run.is_manual ? <span className="second-line">by hand</span> : null}
      </th>
      <td><StateBadge state={run.state} /></td>
      <td className={run.state === 'failed' || run.state === 'dead' ? 'wrap job-error' : 'wrap'}>{runInWords(run)}</td>
      <td className="number">{seconds === null || run.state === 'skipped' ? <span className="muted">–</span> : duration(Math.max(0, seconds))}</td>
    </tr>
  );
}
