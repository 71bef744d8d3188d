import { useAction } from '../action.ts';
import { ask, askJson } from '../api.ts';
import type { DeliveryAttempt, DeliveryInFull } from '../contracts.ts';
import { prettyJson } from '../data/pretty-json.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { announce } from '../ui/announcer.tsx';
import { StateBadge } from '../ui/badge.tsx';
import { CopyButton } from '../ui/copy.tsx';
import { Fact } from '../ui/fact.tsx';
import { Icon } from '../ui/icons.tsx';
import { Moment } from '../ui/moment.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { Empty, Page, Section } from '../ui/page.tsx';
import { moment } from '../words.ts';
import { outcomeInWords } from './describe-webhook.ts';

/** One delivery: what was sent, and how each try went. */
export function DeliveryPage({ endpointId, id }: { endpointId: string; id: string }) {
  const path = `/webhooks/v1/deliveries/${encodeURIComponent(id)}`;
  const { value: delivery, problem, reload } = useLive(path, (signal) => askJson<DeliveryInFull>(path, { signal }), ({ state }) => (state === 'queued' ? 1000 : null));
  const sending = useAction(async () => {
    await ask(`${path}/redeliver`, { method: 'POST' });
    announce('It is sent again');
    reload();
  });
  return (
    <Page
      title="Delivery" lead={delivery?.event ?? ' '}
      actions={delivery === null ? null : <button type="button" className="button" onClick={sending.run} disabled={sending.isBusy}>{delivery.state === 'queued' ? 'Send now' : 'Send again'}</button>}
    >
      <a className="back" href={links.endpoint(endpointId)}>
        <Icon name="left" />
        The endpoint
      </a>
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {sending.problem === null ? null : <ProblemNotice problem={sending.problem} />}
      {delivery === null && problem === null ? <div className="card skeleton-block skeleton-tall" aria-hidden="true" /> : null}
      {delivery === null ? null : (
        <>
          <Section title="Details" id="details" aside={<StateBadge state={delivery.state} />}>
            <dl className="facts">
              <Fact name="Happened"><Moment time={delivery.created_at} /></Fact>
              <Fact name="Tries">{`${delivery.attempts} of ${delivery.max_attempts}`}</Fact>
              {delivery.next_attempt_at === null ? null : <Fact name="Next try">{moment(delivery.next_attempt_at)}</Fact>}
              <Fact name="Id"><code>{delivery.webhook_id}</code></Fact>
            </dl>
            <div className="step">
              <div className="step-head">
                <h3 className="code-title">What is sent, the same on every try</h3>
                <CopyButton text={delivery.body} what="the body" isBare />
              </div>
              <pre className="code" tabIndex={0} role="region" aria-label="Body">{prettyJson(delivery.body)}</pre>
            </div>
          </Section>
          <Section title="Tries" id="tries">
            {delivery.log.length === 0 ? <Empty title="Not tried yet">It goes out as soon as a worker has it.</Empty> : (
              <ol className="tries">
                {[...delivery.log].reverse().map((attempt) => <Attempt key={attempt.number} attempt={attempt} />)}
              </ol>
            )}
          </Section>
        </>
      )}
    </Page>
  );
}

function Attempt({ attempt: { number, at, ms, request, answer, error } }: { attempt: DeliveryAttempt }) {
  const isGood = answer !== null && answer.status >= 200 && answer.status < 300;
  return (
    <li>
      <details>
        <summary>
          <span className={isGood ? 'try-good' : 'try-bad'}>{outcomeInWords(answer?.status ?? null, isGood ? null : (error?.message ?? null))}</span>
          <span className="muted">{`Try ${number}, ${moment(at)}, after ${ms} ms`}</span>
        </summary>
        <div className="try-parts">
          <Lines title="Request" lines={[`${request.method} ${request.url}`, ...headerLines(request.headers)]} />
          {answer === null ? <p className="hint">{error?.hint ?? 'There was no answer.'}</p> : (
            <>
              <Lines title="Answer" lines={[String(answer.status), ...headerLines(answer.headers)]} />
              {answer.body === '' ? <p className="hint">The answer had no body.</p> : (
                <div className="step">
                  <h3 className="code-title">{`Body of the answer${answer.is_text ? '' : ', in base64'}${answer.is_cut ? ', cut' : ''}`}</h3>
                  <pre className="code" tabIndex={0} role="region" aria-label={`Body of the answer to try ${number}`}>{answer.body}</pre>
                </div>
              )}
            </>
          )}
        </div>
      </details>
    </li>
  );
}

function Lines({ title, lines }: { title: string; lines: readonly string[] }) {
  return (
    <div className="step">
      <h3 className="code-title">{title}</h3>
      <pre className="code" tabIndex={0} role="region" aria-label={title}>{lines.join('\n')}</pre>
    </div>
  );
}

function headerLines(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
}
