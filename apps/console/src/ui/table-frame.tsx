import type { ReactNode } from 'react';

/** A table that scrolls by itself where it is wider than the page; the keyboard can scroll it too. */
export function TableFrame({ label, children, isBusy = false, isTall = false }: { label: string; children: ReactNode; isBusy?: boolean; isTall?: boolean }) {
  return (
    <div className={isTall ? 'table-frame table-frame-tall' : 'table-frame'} role="region" aria-label={label} aria-busy={isBusy} tabIndex={0}>
      {children}
    </div>
  );
}

/** Grey lines in the place of rows that are on their way, so that nothing jumps when they come. */
export function SkeletonRows({ columns, rows }: { columns: number; rows: number }) {
  return (
    <tbody aria-hidden="true">
      {Array.from({ length: rows }, (_, row) => (
        <tr key={row}>
          {Array.from({ length: columns }, (_, column) => (
            <td key={column}>
              <span className="skeleton" />
            </td>
          ))}
        </tr>
      ))}
    </tbody>
  );
}
