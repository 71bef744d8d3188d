import { useEffect, useRef, useState } from 'react';
import { useAction } from '../action.ts';
import { askJson } from '../api.ts';
import type { NewCollection } from '../contracts.ts';
import { links } from '../route.ts';
import { Notice, ProblemNotice } from '../ui/notice.tsx';
import { ProgressBar } from '../ui/progress-bar.tsx';
import { takeFocus } from '../ui/take-focus.ts';
import { go } from '../use-route.ts';
import { bytes } from '../words.ts';
import type { Reading } from './describe-sample.ts';
import { importRequest, type Terms } from './import-query.ts';
import type { Targets } from './match-fields.ts';
import { upload } from './upload.ts';

interface Props {
  readonly file: File;
  readonly reading: Reading;
  readonly isGzip: boolean;
  readonly terms: Terms;
  /** What must be put right before. */
  readonly stops: readonly string[];
  /** The collection to make first, if it is a new one. */
  readonly create: NewCollection | null;
  readonly collection: { readonly schema: string; readonly name: string };
  /** The field of each column of the file; null leaves it out. */
  readonly fields: Targets;
}

/** The button that sets it going, and the sending of the file. */
export function StartImport({ file, reading, isGzip, terms, stops, create, collection, fields }: Props) {
  const [sentBytes, setSentBytes] = useState<number | null>(null);
  const [areStopsShown, showStops] = useState(false);
  const control = useRef<AbortController | null>(null);
  /** What was begun: a second try of the same finds its collection made, and its import too, if only the answer was lost. */
  const begun = useRef({ wish: '', key: '', isMade: false });

  const starting = useAction(async () => {
    control.current = new AbortController();
    try {
      const request = importRequest(collection, reading, fields, terms);
      const wish = JSON.stringify([create, request]);
      if (begun.current.wish !== wish) begun.current = { wish, key: randomKey(), isMade: false };
      if (create !== null && !begun.current.isMade) {
        await askJson('/collections/v1', { method: 'POST', json: create, headers: { 'idempotency-key': `${begun.current.key}-collection` } });
        begun.current.isMade = true;
      }
      setSentBytes(0);
      const { id } = await upload({ ...request, file, isGzip, idempotencyKey: begun.current.key, onProgress: setSentBytes, signal: control.current.signal });
      go(links.import(id));
    } finally {
      setSentBytes(null);
    }
  });
  useWarningBeforeLeaving(sentBytes !== null);
  useEffect(() => () => control.current?.abort(), []);

  const start = (): void => {
    showStops(stops.length > 0);
    if (stops.length === 0) starting.run();
  };
  return (
    <div className="start">
      <div role="alert">
        {areStopsShown && stops.length > 0 ? (
          <Notice tone="bad" title="Before it can start:">
            <ul>{stops.map((stop) => <li key={stop}>{stop}</li>)}</ul>
          </Notice>
        ) : null}
      </div>
      {starting.problem === null ? null : <ProblemNotice problem={starting.problem} />}
      {sentBytes === null ? (
        <button type="button" className="button button-primary button-large" onClick={start} disabled={starting.isBusy}>
          Import into {collection.schema}.{collection.name}
        </button>
      ) : (
        <div className="sending" tabIndex={-1} ref={takeFocus}>
          <ProgressBar label="Sending the file" done={sentBytes} total={file.size} />
          <p className="sending-words">
            {sentBytes < file.size ? `Sending ${bytes(sentBytes)} of ${bytes(file.size)}. Stay on this page until the file is sent.` : 'The server makes the file safe…'}
          </p>
          <button type="button" className="button" onClick={() => control.current?.abort()}>
            Stop sending
          </button>
        </div>
      )}
    </div>
  );
}

// `randomUUID` is for secure contexts only, and a console in a local network may be plain http.
function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Leaving now would cut the file off. */
function useWarningBeforeLeaving(isSending: boolean): void {
  useEffect(() => {
    if (!isSending) return undefined;
    const warn = (event: BeforeUnloadEvent): void => event.preventDefault();
    window.addEventListener('beforeunload', warn);
    return () => window.removeEventListener('beforeunload', warn);
  }, [isSending]);
}
