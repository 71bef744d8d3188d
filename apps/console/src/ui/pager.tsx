import { count } from '../words.ts';
import { Icon } from './icons.tsx';

interface Props {
  /** From 0. */
  readonly page: number;
  readonly pageSize: number;
  /** How many rows this page has; null while they are on their way. */
  readonly shown: number | null;
  readonly total: number | null;
  readonly isEstimate?: boolean;
  readonly go: (page: number) => void;
  readonly what: string;
}

/** Which rows of how many are seen, and the way to the next ones. */
export function Pager({ page, pageSize, shown, total, isEstimate = false, go, what }: Props) {
  const first = page * pageSize + 1;
  const last = page * pageSize + (shown ?? 0);
  const isEnd = shown === null || shown < pageSize || (total !== null && !isEstimate && last >= total);
  const of = total === null ? '' : ` of ${isEstimate ? 'about ' : ''}${count(Math.max(total, last))}`;
  return (
    <nav className="pager" aria-label={`Pages of ${what}`}>
      <p className="pager-range">{shown === null ? '…' : shown === 0 ? 'No rows' : `${count(first)}–${count(last)}${of}`}</p>
      <button type="button" className="button button-small" onClick={() => go(0)} disabled={page === 0}>
        First
      </button>
      <button type="button" className="button button-small" onClick={() => go(page - 1)} disabled={page === 0}>
        <Icon name="left" />
        Previous
      </button>
      <button type="button" className="button button-small" onClick={() => go(page + 1)} disabled={isEnd}>
        Next
        <Icon name="right" />
      </button>
    </nav>
  );
}
