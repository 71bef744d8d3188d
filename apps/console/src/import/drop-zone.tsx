import { type DragEvent, useEffect, useRef, useState } from 'react';
import { Icon } from '../ui/icons.tsx';

/** Where a file is dropped or chosen; a file that misses it does not make the browser leave the page. */
export function DropZone({ take, isBusy, describedBy }: { take: (file: File) => void; isBusy: boolean; describedBy: string }) {
  const [isOver, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const stay = (event: Event): void => event.preventDefault();
    window.addEventListener('dragover', stay);
    window.addEventListener('drop', stay);
    return () => {
      window.removeEventListener('dragover', stay);
      window.removeEventListener('drop', stay);
    };
  }, []);
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file !== undefined) take(file);
  };
  return (
    <div className={isOver ? 'drop drop-over' : 'drop'} aria-busy={isBusy} onDragOver={() => setOver(true)} onDragLeave={() => setOver(false)} onDrop={drop}>
      <Icon name="file" />
      <p className="drop-title">{isBusy ? 'Reading the beginning of the file…' : 'Drop a file here'}</p>
      <p className="drop-text">CSV, TSV or NDJSON, also packed with gzip. It is sent when you say so; until then it stays on your computer.</p>
      <input
        ref={input} type="file" className="visually-hidden" id="file" tabIndex={-1} aria-hidden="true" accept=".csv,.tsv,.txt,.ndjson,.jsonl,.gz,text/csv,text/tab-separated-values,application/x-ndjson,application/gzip"
        onChange={(event) => {
          const file = event.target.files?.[0];
          event.target.value = '';
          if (file !== undefined) take(file);
        }}
      />
      <button type="button" className="button button-primary" onClick={() => input.current?.click()} disabled={isBusy} aria-describedby={describedBy}>
        Choose a file
      </button>
    </div>
  );
}
