import { useState } from 'react';
import type { Collection, Connection } from '../contracts.ts';
import { CopyButton, CopyField } from '../ui/copy.tsx';
import { Section } from '../ui/page.tsx';
import { exampleCollection, type Snippet, snippets } from './snippets.ts';

/** How a client reaches this server: addresses, the key that may be public, and code to copy and run. */
export function ConnectSection({ connection, collections }: { connection: Connection | null; collections: readonly Collection[] | null }) {
  const example = exampleCollection(collections ?? []);
  return (
    <Section title="Connect" id="connect">
      <div className="connect">
        <dl className="copy-fields" aria-busy={connection === null}>
          <CopyField label="API URL" value={connection?.api_url ?? '…'} />
          <CopyField label="Publishable key" value={connection?.publishable_key ?? '…'} note="May be in a browser or an app: it opens only what your policies give to guests and signed-in users." />
          <CopyField label="Database URL" value={connection?.database_url ?? '…'} note="The password is not shown here; “npm run mainstay -- keys --reveal” knows it." />
        </dl>
        {connection === null ? <div className="code-tabs skeleton-block" /> : <SnippetTabs snippets={snippets(connection, example.name)} note={noteOf(example)} />}
      </div>
    </Section>
  );
}

function noteOf({ name, isReadable, isThere }: ReturnType<typeof exampleCollection>): string | null {
  if (!isThere) return `There is no collection yet; import a file, and put its name in place of “${name}”.`;
  return isReadable ? null : `Guests may not read “${name}”, so they see no rows; sign in first, or add a policy.`;
}

/** Tabs as the keyboard knows them: arrows move between them, one tab stop for all. */
function SnippetTabs({ snippets: all, note }: { snippets: readonly Snippet[]; note: string | null }) {
  const [chosen, choose] = useState(0);
  const move = (by: number): void => {
    const next = (chosen + by + all.length) % all.length;
    choose(next);
    document.getElementById(`snippet-tab-${next}`)?.focus();
  };
  return (
    <div className="code-tabs">
      <div className="tabs" role="tablist" aria-label="Client">
        {all.map(({ name }, index) => (
          <button
            key={name} id={`snippet-tab-${index}`} type="button" role="tab" className="tab" aria-selected={index === chosen} aria-controls="snippet-panel" tabIndex={index === chosen ? 0 : -1}
            onClick={() => choose(index)}
            onKeyDown={({ key }) => (key === 'ArrowRight' ? move(1) : key === 'ArrowLeft' ? move(-1) : undefined)}
          >
            {name}
          </button>
        ))}
      </div>
      <div className="tab-panel" role="tabpanel" id="snippet-panel" aria-labelledby={`snippet-tab-${chosen}`}>
        {all[chosen]?.steps.map(({ say, code }) => (
          <div key={say} className="step">
            <div className="step-head">
              <p>{say}</p>
              <CopyButton text={code} what="the code" isBare />
            </div>
            <pre className="code" tabIndex={0} role="region" aria-label={say}><code>{code}</code></pre>
          </div>
        ))}
        {note === null ? null : <p className="hint">{note}</p>}
      </div>
    </div>
  );
}
