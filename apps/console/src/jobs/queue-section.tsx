import { useState } from 'react';
import { askJson } from '../api.ts';
import type { QueueFigures, QueueTerms } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { ProblemNotice } from '../ui/notice.tsx';
import { Section } from '../ui/page.tsx';
import { SkeletonRows, TableFrame } from '../ui/table-frame.tsx';
import { Tag } from '../ui/tag.tsx';
import { count, duration } from '../words.ts';
import { limitsInWords, QueueActions } from './queue-actions.tsx';
import { rateInWords, rateOf, type Reading, readingOf, withReading } from './queue-rates.ts';

/** How the queues stand: what waits and for how long, what runs, how fast it goes, what went wrong. */
export function QueueSection() {
  const [readings, setReadings] = useState<readonly Reading[]>([]);
  const { value, problem } = useLive('queues', async (signal) => {
    const queues = await askJson<readonly QueueFigures[]>('/queue-figures/v1', { signal });
    setReadings((known) => withReading(known, readingOf(queues, Date.now())));
    return queues;
  }, () => 2500);
  const terms = useLive('queue terms', (signal) => askJson<readonly QueueTerms[]>('/queues/v1', { signal }), () => 10_000);
  return (
    <Section title="Queues" id="queues">
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {value === null && problem !== null ? null : (
        <TableFrame label="Table of queues" isBusy={value === null}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Queue</th>
                <th scope="col" className="number">Waiting</th>
                <th scope="col" className="number">Oldest</th>
                <th scope="col" className="number">Running</th>
                <th scope="col" className="number">Later</th>
                <th scope="col" className="number">Done</th>
                <th scope="col" className="number">Pace</th>
                <th scope="col" className="number">Failed</th>
                <th scope="col" className="number">Dead</th>
                <th scope="col"><span className="visually-hidden">Actions</span></th>
              </tr>
            </thead>
            {value === null ? <SkeletonRows columns={10} rows={6} /> : <tbody>{busyFirst(value).map((queue) => <QueueRow key={queue.queue} queue={queue} rate={rateOf(readings, queue.queue)} terms={terms.value?.find(({ name }) => name === queue.queue) ?? null} changed={terms.reload} />)}</tbody>}
          </table>
        </TableFrame>
      )}
    </Section>
  );
}

/** Those with something in them stand above those that are still. */
function busyFirst(queues: readonly QueueFigures[]): readonly QueueFigures[] {
  const weight = ({ waiting, running, dead, failed }: QueueFigures): number => (waiting + running > 0 ? 2 : 0) + (dead + failed > 0 ? 1 : 0);
  return [...queues].sort((a, b) => weight(b) - weight(a) || (a.queue < b.queue ? -1 : 1));
}

function QueueRow({ queue: { queue, waiting, oldest_seconds: oldest, running, scheduled, failed, dead, ended }, rate, terms, changed }: { queue: QueueFigures; rate: number | null; terms: QueueTerms | null; changed: () => void }) {
  const limits = terms === null ? null : limitsInWords(terms);
  return (
    <tr>
      <th scope="row">
        <a href={links.jobs(`queue=${encodeURIComponent(queue)}`)}>{queue}</a>
        {terms?.is_paused ? <> <Tag tone="warn">paused</Tag></> : null}
        {limits === null ? null : <span className="second-line">{limits}</span>}
      </th>
      <Amount value={waiting} />
      <td className="number">{waiting === 0 ? <span className="muted">–</span> : <span className={oldest > 60 ? 'job-error' : undefined}>{duration(oldest)}</span>}</td>
      <Amount value={running} />
      <Amount value={scheduled} />
      <Amount value={ended.done} />
      <td className="number">{rateInWords(rate)}</td>
      <Amount value={failed} href={links.jobs(`state=failed&queue=${encodeURIComponent(queue)}`)} />
      <Amount value={dead} href={links.jobs(`state=dead&queue=${encodeURIComponent(queue)}`)} />
      <td className="actions">{terms === null ? null : <QueueActions terms={terms} changed={changed} />}</td>
    </tr>
  );
}

function Amount({ value, href }: { value: number; href?: string }) {
  return <td className="number">{value === 0 ? <span className="muted">0</span> : href === undefined ? count(value) : <a href={href}>{count(value)}</a>}</td>;
}
