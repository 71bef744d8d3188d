import type { Import } from '../contracts.ts';
import { importInWords, progressAloud } from './import-words.ts';

const run = (more: Partial<Import>) => ({ state: 'done', mode: 'rows', collection: 'public.flights', rows_written: 0, rows_rejected: 0, ...more }) as Import;

describe('an import in words', () => {
  it.each([
    [{ rows_written: 200_000 }, '200,000 rows are now in public.flights.'],
    [{ rows_written: 1, rows_rejected: 1 }, '1 row is now in public.flights. 1 row did not fit and was set aside.'],
    [{ rows_written: 5, rows_rejected: 12 }, '5 rows are now in public.flights. 12 rows did not fit and were set aside.'],
    [{ state: 'failed', rows_written: 5 }, 'The import was given up. 5 rows were written before and stay in public.flights.'],
    [{ state: 'failed', mode: 'all', rows_written: 5 }, 'The import was given up. Nothing was written.'],
    [{ state: 'cancelled' }, 'The import was cancelled. Nothing was written.'],
    [{ state: 'queued' }, 'The file is safe in the database and waits for a worker.'],
  ] as const)('%j', (more, words) => expect(importInWords(run(more))).toBe(words));

  it('is told aloud by quarters', () => {
    const said = [0, 10, 25, 49, 50, 99].map((percent) => progressAloud({ state: 'running', percent }));
    expect(said).toEqual(['The import has begun', 'The import has begun', '25 percent imported', '25 percent imported', '50 percent imported', '75 percent imported']);
    expect(progressAloud({ state: 'done', percent: 100 })).toBe('The import is done');
  });
});
