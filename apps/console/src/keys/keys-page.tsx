import { useState } from 'react';
import { askJson } from '../api.ts';
import type { ApiKey, Connection } from '../contracts.ts';
import { useLive } from '../live.ts';
import { CopyField } from '../ui/copy.tsx';
import { Icon } from '../ui/icons.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { Page, Section } from '../ui/page.tsx';
import { ApiKeyTable } from './api-key-table.tsx';
import { CreateKey } from './create-key.tsx';
import { SigningKeys } from './signing-keys.tsx';

/** By what requests show who asks, and by what tokens are signed. */
export function KeysPage() {
  const connection = useLive('connection', (signal) => askJson<Connection>('/connection/v1', { signal }));
  const keys = useLive('keys', (signal) => askJson<readonly ApiKey[]>('/keys/v1', { signal }), () => 10_000);
  const [isCreating, setCreating] = useState(false);
  return (
    <Page
      title="Keys" lead="What an application or a server shows to be let in." isWide
      actions={
        <button type="button" className="button button-primary" onClick={() => setCreating(true)}>
          <Icon name="plus" />
          New key
        </button>
      }
    >
      {connection.problem === null ? null : <ProblemNotice problem={connection.problem} />}
      <Section title="For browsers and apps" id="public-keys">
        <dl className="copy-fields" aria-busy={connection.value === null}>
          <CopyField label="Publishable key" value={connection.value?.publishable_key ?? '…'} note="May be seen by everybody: it opens only what your policies give to guests." />
          <CopyField label="Publishable key, older style" value={connection.value?.anon_key ?? '…'} note="A signed token with the same rights (ANON_KEY), for clients that know no other." />
        </dl>
      </Section>
      <Section title="All API keys" id="api-keys">
        <p className="hint">
          A secret key is shown once, when it is made. Those of the settings are shown by <code>npm run mainstay -- keys --reveal</code>.
        </p>
        {keys.problem === null ? null : <ProblemNotice problem={keys.problem} />}
        {keys.value === null && keys.problem !== null ? null : <ApiKeyTable keys={keys.value} reload={keys.reload} />}
      </Section>
      <SigningKeys />
      {isCreating ? <CreateKey close={() => setCreating(false)} made={keys.reload} /> : null}
    </Page>
  );
}
