/** A bar with its figure; without a total it only says that something moves. */
export function ProgressBar({ label, done, total, isSmall = false }: { label: string; done: number; total: number | null; isSmall?: boolean }) {
  const percent = total === null || total <= 0 ? null : Math.min(100, Math.floor((done / total) * 100));
  return (
    <span className={isSmall ? 'progress progress-small' : 'progress'}>
      <progress aria-label={label} max={100} value={percent ?? undefined} />
      {isSmall ? <span className="progress-figure" aria-hidden="true">{percent === null ? '…' : `${percent} %`}</span> : null}
    </span>
  );
}
