import { askJson } from '../api.ts';
import type { Endpoint } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { Icon } from '../ui/icons.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { Empty, Page } from '../ui/page.tsx';
import { SkeletonRows, TableFrame } from '../ui/table-frame.tsx';
import { Tag } from '../ui/tag.tsx';
import { counted, eventInWords, standingOf } from './describe-webhook.ts';

/** Who is told of what happens here. */
export function WebhooksPage() {
  const { value, problem } = useLive('endpoints', (signal) => askJson<readonly Endpoint[]>('/webhooks/v1/endpoints?limit=200', { signal }), () => 4000);
  const make = (
    <a className="button button-primary" href={links.endpoint('new')}>
      <Icon name="plus" />
      New endpoint
    </a>
  );
  return (
    <Page title="Webhooks" lead="Other servers that are told of what happens here: signed, at least once, and again until they have taken it." isWide actions={make}>
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {value === null && problem !== null ? null : value?.length === 0 ? (
        <Empty title="Nobody is told yet" action={make}>
          An endpoint is the address of a server of yours. Say which changes of which table it shall hear of; each is sent as JSON, with a signature by which it knows that it comes from here.
        </Empty>
      ) : <EndpointTable endpoints={value} />}
    </Page>
  );
}

function EndpointTable({ endpoints }: { endpoints: readonly Endpoint[] | null }) {
  return (
    <TableFrame label="Endpoints" isBusy={endpoints === null}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Endpoint</th>
            <th scope="col">Is told of</th>
            <th scope="col">State</th>
            <th scope="col" className="number">Waiting</th>
            <th scope="col" className="number">Dead</th>
          </tr>
        </thead>
        {endpoints === null ? <SkeletonRows columns={5} rows={4} /> : (
          <tbody>
            {endpoints.map((endpoint) => {
              const { word, tone, meaning } = standingOf(endpoint);
              return (
                <tr key={endpoint.id}>
                  <th scope="row">
                    <a href={links.endpoint(endpoint.id)}>{endpoint.description ?? endpoint.url}</a>
                    {endpoint.description === null ? null : <span className="second-line cut" title={endpoint.url}>{endpoint.url}</span>}
                  </th>
                  <td>
                    {endpoint.events.slice(0, 3).map((event, index) => <span key={index} className="one-line cut" title={eventInWords(event)}>{eventInWords(event)}</span>)}
                    {endpoint.events.length > 3 ? <span className="second-line">{`and ${endpoint.events.length - 3} more`}</span> : null}
                  </td>
                  <td><Tag tone={tone} title={meaning}>{word}</Tag></td>
                  <td className="number">{counted(endpoint.waiting)}</td>
                  <td className="number">{endpoint.dead === 0 ? <span className="muted">0</span> : <a href={links.endpoint(endpoint.id, 'state=dead')}>{counted(endpoint.dead)}</a>}</td>
                </tr>
              );
            })}
          </tbody>
        )}
      </table>
    </TableFrame>
  );
}
