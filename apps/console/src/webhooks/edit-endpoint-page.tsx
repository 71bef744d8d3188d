import { useRef, useState } from 'react';
import { useAction } from '../action.ts';
import { askJson, Problem } from '../api.ts';
import type { Collection, Endpoint } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { announce } from '../ui/announcer.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { go } from '../use-route.ts';
import { bodyOf, draftOf, emptyDraft, type EndpointDraft } from './endpoint-draft.ts';
import { EndpointForm } from './endpoint-form.tsx';
import { SecretOnce } from './secret-once.tsx';

/** A new endpoint, or (with an id) what is to be different about one. */
export function EditEndpointPage({ id }: { id: string | null }) {
  const collections = useLive('collections', (signal) => askJson<readonly Collection[]>('/collections/v1', { signal }));
  const endpoint = useLive(`endpoint to edit ${id ?? ''}`, async (signal) => (id === null ? null : askJson<Endpoint>(`/webhooks/v1/endpoints/${encodeURIComponent(id)}`, { signal })));
  const problem = collections.problem ?? endpoint.problem;
  const isReady = collections.value !== null && (id === null || endpoint.value !== null);
  return (
    <Page title={id === null ? 'New endpoint' : 'Edit the endpoint'} lead={id === null ? 'A server of yours that is told of what happens here.' : (endpoint.value?.url ?? ' ')}>
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {isReady ? <Editor id={id} collections={collections.value!} before={endpoint.value === null ? emptyDraft : draftOf(endpoint.value)} /> : problem === null ? <div className="card skeleton-block skeleton-tall" aria-busy="true" /> : null}
    </Page>
  );
}

function Editor({ id, collections, before }: { id: string | null; collections: readonly Collection[]; before: EndpointDraft }) {
  const [draft, change] = useState(before);
  const [made, setMade] = useState<(Endpoint & { readonly secret: string }) | null>(null);
  // A second click, or one after a lost answer, makes no second endpoint.
  const key = useRef(crypto.randomUUID());
  const saving = useAction(async () => {
    const json = bodyOf(draft, (name) => collections.find((each) => `${each.schema}.${each.name}` === name)?.fields ?? null);
    if (id === null) {
      const kept = await askJson<Endpoint & { readonly secret: string }>('/webhooks/v1/endpoints', { method: 'POST', json, headers: { 'idempotency-key': key.current } }).catch((error: unknown) => {
        // Refused, so what is asked next is another endpoint; without an answer it may be the same.
        if (!(error instanceof Problem && error.isAway)) key.current = crypto.randomUUID();
        throw error;
      });
      announce('The endpoint is made');
      setMade(kept);
      return;
    }
    await askJson(`/webhooks/v1/endpoints/${encodeURIComponent(id)}`, { method: 'PATCH', json });
    announce('The endpoint is saved');
    go(links.endpoint(id), { replace: true });
  });
  return (
    <>
      <EndpointForm draft={draft} change={change} collections={collections} action={saving} yes={id === null ? 'Make the endpoint' : 'Save'} cancelTo={id === null ? links.webhooks : links.endpoint(id)} />
      {made === null ? null : <SecretOnce secret={made.secret} isNew close={() => go(links.endpoint(made.id), { replace: true })} />}
    </>
  );
}
