import { useState } from 'react';
import { useAction } from '../action.ts';
import { ask, askJson } from '../api.ts';
import type { Delivery, Endpoint } from '../contracts.ts';
import { links } from '../route.ts';
import { announce } from '../ui/announcer.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { go } from '../use-route.ts';
import { SecretOnce } from './secret-once.tsx';

/** Try it, stop it for a while, give it a new secret, change it, be rid of it. */
export function EndpointActions({ endpoint, reload }: { endpoint: Endpoint; reload: () => void }) {
  const [wish, setWish] = useState<'rotate' | 'delete' | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const path = `/webhooks/v1/endpoints/${encodeURIComponent(endpoint.id)}`;
  const isActive = endpoint.state === 'active';
  const testing = useAction(async () => {
    const { id } = await askJson<Delivery>(`${path}/test`, { method: 'POST' });
    announce('A test event is on its way');
    go(links.delivery(endpoint.id, id));
  });
  const pausing = useAction(async () => {
    await ask(`${path}/${isActive ? 'pause' : 'resume'}`, { method: 'POST' });
    announce(isActive ? 'The endpoint is paused' : 'The endpoint is active');
    reload();
  });
  const rotating = useAction(async () => {
    const rotated = await askJson<{ readonly secret: string }>(`${path}/rotate-secret`, { method: 'POST' });
    setWish(null);
    setSecret(rotated.secret);
    reload();
  });
  const deleting = useAction(async () => {
    await ask(path, { method: 'DELETE' });
    announce('The endpoint is deleted');
    go(links.webhooks);
  });
  const problem = testing.problem ?? pausing.problem;
  return (
    <>
      <button type="button" className="button" onClick={testing.run} disabled={testing.isBusy || endpoint.state === 'disabled'}>Send a test</button>
      <button type="button" className="button" onClick={pausing.run} disabled={pausing.isBusy}>{isActive ? 'Pause' : 'Resume'}</button>
      <button type="button" className="button" onClick={() => setWish('rotate')}>New secret</button>
      <a className="button" href={links.editEndpoint(endpoint.id)}>Edit</a>
      <button type="button" className="button" onClick={() => setWish('delete')}>Delete</button>
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {wish === 'rotate' ? (
        <Confirm title="Make a new secret?" yes="Make it" no="Keep the old one" action={rotating} close={() => setWish(null)}>
          What is sent is signed with both for some hours, so your server can change over in between. After that only the new one counts.
        </Confirm>
      ) : null}
      {wish === 'delete' ? (
        <Confirm title="Delete this endpoint?" yes="Delete the endpoint" no="Keep it" action={deleting} close={() => setWish(null)}>
          {`Nothing more is sent to ${endpoint.url}, not even what waits.`}
        </Confirm>
      ) : null}
      {secret === null ? null : <SecretOnce secret={secret} isNew={false} close={() => setSecret(null)} />}
    </>
  );
}
