import { type ReactNode, useState } from 'react';
import { askJson } from '../api.ts';
import { type Import, isOpen } from '../contracts.ts';
import { useLive } from '../live.ts';
import { ProblemNotice } from '../ui/notice.tsx';
import { Section } from '../ui/page.tsx';
import { ImportList } from './import-list.tsx';

const step = 20;

/** Imports of the past and of now, newest first; the first page keeps itself fresh. */
export function PastImports({ empty }: { empty: ReactNode }) {
  const [older, setOlder] = useState<readonly Import[]>([]);
  const [isEnd, setEnd] = useState(false);
  const newest = useLive('imports', (signal) => askJson<readonly Import[]>(`/imports/v1?limit=${step}`, { signal }), (list) => (list.some(({ state }) => isOpen(state)) ? 1500 : 10_000));
  const known = new Set(newest.value?.map(({ id }) => id));
  const all = newest.value === null ? null : [...newest.value, ...older.filter(({ id }) => !known.has(id))];

  const loadMore = async (): Promise<void> => {
    const last = all?.at(-1);
    if (last === undefined) return;
    const more = await askJson<readonly Import[]>(`/imports/v1?limit=${step}&before=${encodeURIComponent(last.id)}`);
    setOlder([...older, ...more]);
    setEnd(more.length < step);
  };
  return (
    <Section title="Past imports" id="past-imports">
      {newest.problem === null ? null : <ProblemNotice problem={newest.problem} />}
      {all === null && newest.problem !== null ? null : all?.length === 0 ? empty : <ImportList imports={all} />}
      {isEnd || all === null || all.length < step ? null : (
        <div className="card-foot">
          <button type="button" className="button" onClick={() => void loadMore()}>
            Show older ones
          </button>
        </div>
      )}
    </Section>
  );
}
