import fc from 'fast-check';
import { placeRows } from './place-rows.ts';
import { RowsRefused } from './refusal.ts';

/** Places rows, of which some are bad, as PostgreSQL would: a put that holds a bad row fails whole. */
async function place(count: number, bad: ReadonlySet<number>, how: { hint?: (from: number, firstBad: number) => number | null; most?: number; suspects?: number[] }) {
  const written: number[] = [];
  const refused: number[] = [];
  let puts = 0;
  let sent = 0;
  const placing = placeRows(
    {
      put: async (from, to) => {
        puts += 1;
        sent += to - from;
        const rows = Array.from({ length: to - from }, (_, i) => from + i);
        const first = rows.find((row) => bad.has(row));
        if (first !== undefined) throw new RowsRefused('bad', null, how.hint?.(from, first) ?? null);
        written.push(...rows);
      },
      refuse: async (row) => {
        refused.push(row);
        if (refused.length > (how.most ?? Infinity)) throw new Error('too many');
      },
      rowAtCopyLine: (from, to, line) => (from + line < to ? from + line : null),
      suspects: how.suspects ?? [],
    },
    0,
    count,
  );
  await placing.catch((error: Error) => expect(error.message).toBe('too many'));
  return { written, refused, puts, sent };
}

const all = (count: number) => Array.from({ length: count }, (_, i) => i);
const someRows = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.uniqueArray(fc.integer({ min: 0, max: 59 })));
const hints = fc.constantFrom<[string, ((from: number, bad: number) => number | null) | undefined]>(
  ['none', undefined],
  ['right', (from, bad) => bad - from],
  ['too early', (from, bad) => Math.max(0, bad - from - 3)],
  ['too late', (from, bad) => bad - from + 2],
  ['always the first', () => 0],
);

describe('placing rows', () => {
  it('writes the good ones and sets the bad ones aside, each once and in order, whatever COPY hints', async () => {
    await fc.assert(
      fc.asyncProperty(someRows, hints, fc.boolean(), async ([count, rows], [, hint], knows) => {
        const bad = new Set(rows.filter((row) => row < count));
        const placed = await place(count, bad, { hint, suspects: knows ? [...bad].sort((a, b) => a - b).slice(0, 3) : [] });
        expect(placed.refused).toEqual([...bad].sort((a, b) => a - b));
        expect(placed.written).toEqual(all(count).filter((row) => !bad.has(row)));
      }),
    );
  });

  it('ends with every row before the last refused one written, and none after', async () => {
    await fc.assert(
      fc.asyncProperty(someRows, hints, fc.integer({ min: 0, max: 5 }), async ([count, rows], [, hint], most) => {
        const bad = new Set(rows.filter((row) => row < count));
        const { written, refused } = await place(count, bad, { hint, most });
        const end = refused.length > most ? refused.at(-1)! : count;
        expect(written).toEqual(all(end).filter((row) => !bad.has(row)));
      }),
    );
  });

  it('of 10,000 rows finds a bad one in some ten puts with a right hint, and in some forty without', async () => {
    const bad = new Set([7777]);
    expect((await place(10_000, bad, { hint: (from, row) => row - from })).puts).toBeLessThan(10);
    expect((await place(10_000, bad, {})).puts).toBeLessThan(40);
  });

  it('sends each row a few times only, though a thousand in a row are bad', async () => {
    const { sent, refused } = await place(10_000, new Set(all(1000)), { hint: (from, row) => row - from });
    expect(refused).toHaveLength(1000);
    expect(sent).toBeLessThan(60_000);
  });
});
