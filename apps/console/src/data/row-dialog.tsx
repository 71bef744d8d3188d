import type { Collection } from '../contracts.ts';
import { CopyButton } from '../ui/copy.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { prettyJson } from './pretty-json.ts';
import { type Row, shownFields } from './view.ts';

/** One row from top to bottom, every value whole. */
export function RowDialog({ collection, row, close }: { collection: Collection; row: Row; close: () => void }) {
  return (
    <Dialog title={`Row of ${collection.name}`} close={close} isWide>
      <dl className="row-values">
        {shownFields(collection).map(({ name, type }) => {
          const text = row[name] ?? null;
          return (
            <div key={name} className="row-value">
              <dt>
                {name}
                <span className="field-type">{type}</span>
              </dt>
              <dd>
                {text === null || text === '' ? <span className="value-null">{text === null ? 'null' : 'empty'}</span> : (
                  <>
                    <pre tabIndex={0} role="region" aria-label={name}>{/^jsonb?$/.test(type) ? prettyJson(text) : text}</pre>
                    <CopyButton text={text} what={name} isBare />
                  </>
                )}
              </dd>
            </div>
          );
        })}
      </dl>
    </Dialog>
  );
}
