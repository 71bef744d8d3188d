import { askJson } from '../api.ts';
import type { Endpoint } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { Fact } from '../ui/fact.tsx';
import { Icon } from '../ui/icons.tsx';
import { Moment } from '../ui/moment.tsx';
import { Notice, ProblemNotice } from '../ui/notice.tsx';
import { Page, Section } from '../ui/page.tsx';
import { Tag } from '../ui/tag.tsx';
import { moment } from '../words.ts';
import { Deliveries } from './deliveries.tsx';
import { counted, eventInWords, isTable, standingOf } from './describe-webhook.ts';
import { EndpointActions } from './endpoint-actions.tsx';

/** One endpoint: how it stands, what it is told of, and what it was told. */
export function EndpointPage({ id, query }: { id: string; query: URLSearchParams }) {
  const path = `/webhooks/v1/endpoints/${encodeURIComponent(id)}`;
  const { value: endpoint, problem, reload } = useLive(path, (signal) => askJson<Endpoint>(path, { signal }), () => 2500);
  return (
    <Page title={endpoint?.description ?? 'Endpoint'} lead={endpoint?.url ?? ' '} isWide actions={endpoint === null ? null : <EndpointActions endpoint={endpoint} reload={reload} />}>
      <a className="back" href={links.webhooks}>
        <Icon name="left" />
        All endpoints
      </a>
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {endpoint === null && problem === null ? <div className="card skeleton-block skeleton-tall" aria-hidden="true" /> : null}
      {endpoint === null ? null : (
        <>
          <EndpointCard endpoint={endpoint} />
          <Deliveries endpoint={endpoint} query={query} changed={reload} />
        </>
      )}
    </Page>
  );
}

function EndpointCard({ endpoint }: { endpoint: Endpoint }) {
  const { word, tone, meaning } = standingOf(endpoint);
  const { breaker, secrets, events } = endpoint;
  const hurt = events.filter(isTable).flatMap(({ schema, table, broken, trouble }) => [broken, trouble].flatMap((wrong) => (wrong === null ? [] : [{ name: `${schema}.${table}`, wrong }])));
  return (
    <Section title="Details" id="details" aside={<Tag tone={tone} title={meaning}>{word}</Tag>}>
      {tone === 'good' ? null : (
        <Notice tone={tone} title={meaning}>
          {breaker.rests_until === null ? null : <p>{`It is tried again at ${moment(breaker.rests_until)}.`}</p>}
          {endpoint.reason?.hint ? <p>{endpoint.reason.hint}</p> : null}
        </Notice>
      )}
      {hurt.map(({ name, wrong }) => (
        <Notice key={`${name} ${wrong.code}`} tone="warn" title={`${name}: ${wrong.message}`}>
          {wrong.hint ? <p>{wrong.hint}</p> : null}
        </Notice>
      ))}
      <dl className="facts">
        <Fact name="Is told of">{events.map((event, index) => <span key={index} className="one-line">{eventInWords(event)}</span>)}</Fact>
        <Fact name="Waiting">{counted(endpoint.waiting)}</Fact>
        <Fact name="Dead">{endpoint.dead === 0 ? 'none' : `${counted(endpoint.dead)}: every try was in vain`}</Fact>
        <Fact name="Signed with">{secrets.map(({ created_at: made, expires_at: end }) => <span key={made} className="one-line">{`a secret of ${moment(made)}${end === null ? '' : `, until ${moment(end)}`}`}</span>)}</Fact>
        {Object.keys(endpoint.headers).length === 0 ? null : <Fact name="Headers">{Object.keys(endpoint.headers).join(', ')}</Fact>}
        {endpoint.rate === null ? null : <Fact name="At most">{`${endpoint.rate} a second`}</Fact>}
        <Fact name="Made"><Moment time={endpoint.created_at} /></Fact>
      </dl>
    </Section>
  );
}
