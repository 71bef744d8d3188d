import { useId } from 'react';
import type { Reading } from './describe-sample.ts';
import { delimiters } from './guess-format.ts';

/** For the file that was read wrongly: the delimiter, the header and the text for null. */
export function ReadingForm({ reading, change }: { reading: Reading; change: (reading: Reading) => void }) {
  const id = useId();
  return (
    <details className="more">
      <summary>Read the file in another way</summary>
      <div className="form-row">
        <div className="field">
          <label htmlFor={`${id}-delimiter`}>Values are separated by</label>
          <select id={`${id}-delimiter`} className="input" value={reading.delimiter} onChange={(event) => change({ ...reading, delimiter: event.target.value })}>
            {delimiters.map(({ value, name }) => (
              <option key={name} value={value}>{name}</option>
            ))}
          </select>
        </div>
        <div className="field">
          <label htmlFor={`${id}-null`}>Text that means null</label>
          <input id={`${id}-null`} className="input input-code" value={reading.nullText} placeholder="(empty)" spellCheck={false} onChange={(event) => change({ ...reading, nullText: event.target.value })} />
        </div>
        <label className="check">
          <input type="checkbox" checked={reading.hasHeader} onChange={(event) => change({ ...reading, hasHeader: event.target.checked })} />
          The first row holds the names
        </label>
      </div>
    </details>
  );
}
