import { useRef, useState } from 'react';
import { askJson } from '../api.ts';
import type { Collection } from '../contracts.ts';
import { useLive } from '../live.ts';
import { Notice } from '../ui/notice.tsx';
import { Empty, Page } from '../ui/page.tsx';
import { DropZone } from './drop-zone.tsx';
import { ImportReview } from './import-review.tsx';
import { PastImports } from './past-imports.tsx';
import { readSample, type Sample } from './read-sample.ts';

interface Chosen {
  readonly turn: number;
  readonly file: File;
  readonly sample: Sample;
}

/** From a file to an import: drop it, look at what was understood, say where it goes, start. */
export function ImportPage({ into }: { into: string | null }) {
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const [isReading, setReading] = useState(false);
  const [isReturned, setReturned] = useState(false);
  const [wrong, setWrong] = useState<string | null>(null);
  const turn = useRef(0);
  const collections = useLive('collections', (signal) => askJson<readonly Collection[]>('/collections/v1', { signal }));

  const take = async (file: File): Promise<void> => {
    const mine = ++turn.current;
    setReading(true);
    setWrong(null);
    try {
      const sample = await readSample(file);
      if (mine === turn.current) setChosen({ turn: mine, file, sample });
    } catch (error) {
      if (mine === turn.current) setWrong(`${file.name}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      if (mine === turn.current) setReading(false);
    }
  };

  const leave = (): void => {
    setChosen(null);
    setReturned(true);
  };

  if (chosen !== null) return <ImportReview key={chosen.turn} file={chosen.file} sample={chosen.sample} collections={collections} into={into} leave={leave} />;
  return (
    <Page title="Import" isNextStep={isReturned} lead={into === null ? 'A file becomes rows of a collection, which is a real PostgreSQL table.' : `A file becomes rows of ${into}.`}>
      <DropZone take={(file) => void take(file)} isBusy={isReading} describedBy="drop-wrong" />
      <div role="alert" id="drop-wrong">
        {wrong === null ? null : <Notice tone="bad" title={wrong} />}
      </div>
      <PastImports empty={<Empty title="No imports yet">Every import is listed here with its rows, the ones that did not fit, and the reason.</Empty>} />
    </Page>
  );
}
