import { ago, moment } from '../words.ts';
import { useNow } from './now.ts';

/** A moment in words (`4 minutes ago`), the exact time on hover. */
export function Moment({ time }: { time: string | null }) {
  const now = useNow();
  if (time === null) return <span className="muted">–</span>;
  return (
    <time dateTime={time} title={moment(time)}>
      {ago(time, now)}
    </time>
  );
}
