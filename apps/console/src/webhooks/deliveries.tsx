import { useState } from 'react';
import { useAction } from '../action.ts';
import { askJson } from '../api.ts';
import type { Delivery, DeliveryState, Endpoint } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { announce } from '../ui/announcer.tsx';
import { StateBadge } from '../ui/badge.tsx';
import { FormDialog, TextField } from '../ui/form-dialog.tsx';
import { Moment } from '../ui/moment.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { useNow } from '../ui/now.ts';
import { Empty, Section } from '../ui/page.tsx';
import { SkeletonRows, TableFrame } from '../ui/table-frame.tsx';
import { go } from '../use-route.ts';
import { ahead, some } from '../words.ts';
import { outcomeInWords } from './describe-webhook.ts';

const states: readonly DeliveryState[] = ['queued', 'done', 'dead', 'cancelled'];
const step = 50;

/** What an endpoint was told and is to be told, newest first. */
export function Deliveries({ endpoint, query, changed }: { endpoint: Endpoint; query: URLSearchParams; changed: () => void }) {
  const state = states.find((name) => name === query.get('state')) ?? '';
  const [isSending, setSending] = useState(false);
  return (
    <Section
      title="Deliveries" id="deliveries"
      aside={
        <span className="action-row">
          <label className="inline-field">
            State
            <select className="input input-small" value={state} onChange={(event) => go(links.endpoint(endpoint.id, event.target.value === '' ? '' : `state=${event.target.value}`))}>
              <option value="">all</option>
              {states.map((name) => <option key={name}>{name}</option>)}
            </select>
          </label>
          <button type="button" className="button button-small" onClick={() => setSending(true)}>Send again…</button>
        </span>
      }
    >
      <DeliveriesFound key={state} endpointId={endpoint.id} state={state} />
      {isSending ? <SendAgain endpoint={endpoint} close={() => setSending(false)} done={changed} /> : null}
    </Section>
  );
}

function DeliveriesFound({ endpointId, state }: { endpointId: string; state: string }) {
  const [older, setOlder] = useState<readonly Delivery[]>([]);
  const [isEnd, setEnd] = useState(false);
  const path = `/webhooks/v1/endpoints/${encodeURIComponent(endpointId)}/deliveries?limit=${step}${state === '' ? '' : `&state=${state}`}`;
  const { value, problem } = useLive(path, (signal) => askJson<readonly Delivery[]>(path, { signal }), (list) => (list.some((each) => each.state === 'queued') ? 1500 : 3000));
  const known = new Set(value?.map(({ id }) => id));
  const all = value === null ? null : [...value, ...older.filter(({ id }) => !known.has(id))];
  const loadMore = useAction(async () => {
    const last = all?.at(-1);
    if (last === undefined) return;
    const more = await askJson<readonly Delivery[]>(`${path}&before=${encodeURIComponent(last.id)}`);
    setOlder([...older, ...more]);
    setEnd(more.length < step);
  });
  return (
    <>
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {all === null && problem !== null ? null : all?.length === 0 ? (
        <Empty title={state === '' ? 'Nothing was sent yet' : `No delivery is ${state}`}>{state === '' ? 'Change a row that it shall hear of, or send a test.' : 'Choose another state.'}</Empty>
      ) : <DeliveryTable deliveries={all} />}
      {isEnd || all === null || all.length < step ? null : <button type="button" className="button" onClick={loadMore.run} disabled={loadMore.isBusy}>Show older ones</button>}
    </>
  );
}

function DeliveryTable({ deliveries }: { deliveries: readonly Delivery[] | null }) {
  const now = useNow();
  return (
    <TableFrame label="Table of deliveries" isBusy={deliveries === null}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Event</th>
            <th scope="col">State</th>
            <th scope="col">Last try</th>
            <th scope="col" className="number">Tries</th>
            <th scope="col">Happened</th>
          </tr>
        </thead>
        {deliveries === null ? <SkeletonRows columns={5} rows={5} /> : (
          <tbody>
            {deliveries.map((delivery) => (
              <tr key={delivery.id}>
                <th scope="row"><a href={links.delivery(delivery.endpoint_id, delivery.id)}>{delivery.event}</a></th>
                <td>
                  <StateBadge state={delivery.state} />
                  {delivery.next_attempt_at === null || delivery.attempts === 0 ? null : <span className="second-line">{`again ${ahead(delivery.next_attempt_at, now)}`}</span>}
                </td>
                <td className={delivery.state === 'done' ? undefined : 'job-error'}>{delivery.attempts === 0 ? <span className="muted">–</span> : outcomeInWords(delivery.last_status, delivery.last_error)}</td>
                <td className="number">{`${delivery.attempts} of ${delivery.max_attempts}`}</td>
                <td><Moment time={delivery.created_at} /></td>
              </tr>
            ))}
          </tbody>
        )}
      </table>
    </TableFrame>
  );
}

/** Sends a stretch of time once more: what died in it, or all of it. */
function SendAgain({ endpoint, close, done }: { endpoint: Endpoint; close: () => void; done: () => void }) {
  const [state, setState] = useState<DeliveryState>('dead');
  const [since, setSince] = useState(() => localTime(Date.now() - 86_400_000));
  const [until, setUntil] = useState('');
  const sending = useAction(async () => {
    const json = { state, since: new Date(since).toISOString(), ...(until === '' ? {} : { until: new Date(until).toISOString() }) };
    const { count } = await askJson<{ readonly count: number }>(`/webhooks/v1/endpoints/${encodeURIComponent(endpoint.id)}/redeliver`, { method: 'POST', json });
    announce(count === 0 ? 'Nothing of that time is to be sent again' : `${some(count, 'delivery', 'deliveries')} sent again`);
    close();
    done();
  });
  return (
    <FormDialog title="Send again" yes="Send again" busy="Sending…" action={sending} close={close}>
      <p>Each goes out under the id that it had, so a receiver that has it already can tell.</p>
      <div className="field">
        <label htmlFor="again-state">What is</label>
        <select id="again-state" className="input" value={state} onChange={(event) => setState(event.target.value as DeliveryState)}>
          <option value="dead">dead: every try was in vain</option>
          <option value="done">done: it was taken, and is wanted once more</option>
          <option value="cancelled">cancelled</option>
        </select>
      </div>
      <TextField label="Happened since" type="datetime-local" value={since} change={setSince} required />
      <TextField label="Until" hint="Empty is until now." type="datetime-local" value={until} change={setUntil} />
    </FormDialog>
  );
}

/** As an input for dates and times takes it, in the reader's time zone. */
function localTime(time: number): string {
  const date = new Date(time);
  return new Date(time - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
