import { table } from '../docs/markdown.ts';
import type { Known } from './known.ts';
import type { Tally } from './tally.ts';

interface Findings {
  readonly bySection: ReadonlyMap<string, Tally>;
  readonly random: Tally;
  readonly seed: number;
}

/** The page that tells what was compared and what differs. */
export function conformancePage({ bySection, random, seed }: Findings): string {
  const written = [...bySection.values()];
  const sum = (count: (tally: Tally) => number): number => written.reduce((total, tally) => total + count(tally), 0);
  return [
    '# Conformance',
    '<!-- Written by `npm run conformance`: change it there. -->',
    'PostgREST 12.0.2 and Mainstay answered the same requests on one database (`tools/conformance/fixture.sql`), as the same callers and with the same settings; every write was rolled back by both. ' +
      'Status, body and all headers were compared, but for those of the connection, `Server`, `Date`, `Proxy-Status`, `Vary`, `ETag` and the ones that our edge adds to every answer. ' +
      'The bodies of reads are compared to the last digit, errors key by key; where no order was asked for, rows may come in any.',
    `${sum(({ asked }) => asked)} written requests and ${random.asked} random ones (seed ${seed}). ${unexplained([...written, random])}`,
    table(['Section', 'Requests', 'Same', 'Differ as known', 'Differ, unexplained'], [...[...bySection].map(([name, tally]) => rowOf(name, tally)), rowOf('random requests', random)]),
    '## What differs, and why',
    table(['What', 'Why', 'Requests'], knownRows([...written, random])),
  ].join('\n\n') + '\n';
}

function unexplained(tallies: readonly Tally[]): string {
  const count = tallies.reduce((total, { unknown }) => total + unknown.length, 0);
  return count === 0 ? 'Every difference is explained below.' : `${count} differences are not explained yet.`;
}

function rowOf(name: string, { asked, same, known, unknown }: Tally): string[] {
  return [name, String(asked), String(same), String([...known.values()].reduce((a, b) => a + b, 0)), String(unknown.length)];
}

function knownRows(tallies: readonly Tally[]): string[][] {
  const counts = new Map<Known, number>();
  for (const { known } of tallies) for (const [one, count] of known) counts.set(one, (counts.get(one) ?? 0) + count);
  return [...counts].sort((a, b) => b[1] - a[1]).map(([{ what, why }, count]) => [what, why, String(count)]);
}
