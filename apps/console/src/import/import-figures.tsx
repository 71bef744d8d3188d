import { type Import, isOpen } from '../contracts.ts';
import { bytes, count, duration, remaining } from '../words.ts';
import { ProgressBar } from '../ui/progress-bar.tsx';

/** The bar, the rate, the time that is left, and the rows. Everything has its place from the start, so nothing moves. */
export function ImportFigures({ run, isAway }: { run: Import; isAway: boolean }) {
  const percent = run.state === 'done' ? 100 : Math.floor(run.percent);
  return (
    <div className={`run run-${run.state}`}>
      <p className="run-percent">
        <strong>{percent}</strong> %
      </p>
      <ProgressBar label={`Import into ${run.collection}`} done={percent} total={100} />
      <p className={isAway ? 'run-pace run-pace-away' : 'run-pace'}>{isAway ? 'The server is coming back…' : paceOf(run)}</p>
      <dl className="figures">
        <Figure name="Rows read" value={count(run.rows_read)} />
        <Figure name="Rows written" value={count(run.rows_written)} />
        <Figure name="Set aside" value={count(run.rows_rejected)} isOdd={run.rows_rejected > 0} />
        <Figure name="File, unpacked" value={bytes(run.bytes_total)} />
      </dl>
    </div>
  );
}

function Figure({ name, value, isOdd = false }: { name: string; value: string; isOdd?: boolean }) {
  return (
    <div className={isOdd ? 'figure figure-odd' : 'figure'}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function paceOf(run: Import): string {
  if (run.state === 'uploading') return 'The file is being sent…';
  if (run.state === 'queued') return 'Waiting for a worker…';
  if (isOpen(run.state)) {
    const rate = run.rows_per_second === null ? null : `${count(run.rows_per_second)} rows a second`;
    const left = run.remaining_seconds === null ? null : remaining(run.remaining_seconds);
    return [rate, left].filter((part) => part !== null).join(' · ') || 'Beginning…';
  }
  if (run.started_at === null || run.finished_at === null) return `It is ${run.state}.`;
  const seconds = (Date.parse(run.finished_at) - Date.parse(run.started_at)) / 1000;
  return `It took ${duration(seconds)}${seconds >= 1 ? ` · ${count(run.rows_read / seconds)} rows a second` : ''}`;
}
