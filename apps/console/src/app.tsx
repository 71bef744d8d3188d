import { DataPage } from './data/data-page.tsx';
import { ExportsPage } from './exports/exports-page.tsx';
import { ImportPage } from './import/import-page.tsx';
import { ImportRunPage } from './import/import-run-page.tsx';
import { JobPage } from './jobs/job-page.tsx';
import { JobsPage } from './jobs/jobs-page.tsx';
import { KeysPage } from './keys/keys-page.tsx';
import { MailboxPage } from './mailbox/mailbox-page.tsx';
import { OverviewPage } from './overview/overview-page.tsx';
import { useHealth } from './overview/use-health.ts';
import type { Route } from './route.ts';
import { EditSchedulePage } from './schedules/edit-schedule-page.tsx';
import { SchedulePage } from './schedules/schedule-page.tsx';
import { SchedulesPage } from './schedules/schedules-page.tsx';
import { useKey } from './session.ts';
import { Shell } from './shell.tsx';
import { SignInPage } from './sign-in-page.tsx';
import { SignInSettingsPage } from './sign-in-settings/sign-in-settings-page.tsx';
import { Announcer } from './ui/announcer.tsx';
import { useRoute } from './use-route.ts';
import { UserPage } from './users/user-page.tsx';
import { UsersPage } from './users/users-page.tsx';
import { DeliveryPage } from './webhooks/delivery-page.tsx';
import { EditEndpointPage } from './webhooks/edit-endpoint-page.tsx';
import { EndpointPage } from './webhooks/endpoint-page.tsx';
import { WebhooksPage } from './webhooks/webhooks-page.tsx';

/** The console: sign in, then the page that the address names. */
export function App() {
  const key = useKey();
  const route = useRoute();
  return (
    <>
      {key === null ? <SignInPage /> : <SignedIn route={route} />}
      <Announcer />
    </>
  );
}

function SignedIn({ route }: { route: Route }) {
  const health = useHealth();
  return (
    <Shell page={route.page} place={placeOf(route)} health={health}>
      {route.page === 'overview' ? <OverviewPage health={health} /> : null}
      {route.page === 'import' && route.id === null ? <ImportPage into={route.into} /> : null}
      {route.page === 'import' && route.id !== null ? <ImportRunPage key={route.id} id={route.id} /> : null}
      {route.page === 'data' ? <DataPage at={route.collection} query={route.query} /> : null}
      {route.page === 'exports' ? <ExportsPage query={route.query} /> : null}
      {route.page === 'jobs' && route.id === null ? <JobsPage query={route.query} /> : null}
      {route.page === 'jobs' && route.id !== null ? <JobPage key={route.id} id={route.id} /> : null}
      {route.page === 'schedules' ? <Schedules route={route} /> : null}
      {route.page === 'webhooks' ? <Webhooks route={route} /> : null}
      {route.page === 'users' && route.id === null ? <UsersPage query={route.query} /> : null}
      {route.page === 'users' && route.id !== null ? <UserPage key={route.id} id={route.id} /> : null}
      {route.page === 'mailbox' ? <MailboxPage id={route.id} query={route.query} /> : null}
      {route.page === 'keys' ? <KeysPage /> : null}
      {route.page === 'sign-in' ? <SignInSettingsPage /> : null}
    </Shell>
  );
}

function Schedules({ route: { id, isEdited } }: { route: Extract<Route, { page: 'schedules' }> }) {
  if (id === null) return <SchedulesPage />;
  if (id === 'new') return <EditSchedulePage id={null} />;
  return isEdited ? <EditSchedulePage key={id} id={id} /> : <SchedulePage key={id} id={id} />;
}

function Webhooks({ route: { id, delivery, query } }: { route: Extract<Route, { page: 'webhooks' }> }) {
  if (id === null) return <WebhooksPage />;
  if (id === 'new') return <EditEndpointPage id={null} />;
  if (delivery === 'edit') return <EditEndpointPage key={id} id={id} />;
  return delivery === null ? <EndpointPage key={id} id={id} query={query} /> : <DeliveryPage key={delivery} endpointId={id} id={delivery} />;
}

/** What a reader calls a place: a filter or a page of rows is still the same one. */
function placeOf(route: Route): string {
  if (route.page === 'data') return `data ${route.collection === null ? '' : JSON.stringify(route.collection)}`;
  if (route.page === 'schedules') return `schedules ${route.id ?? ''} ${route.isEdited}`;
  if (route.page === 'webhooks') return `webhooks ${route.id ?? ''} ${route.delivery ?? ''}`;
  return 'id' in route ? `${route.page} ${route.id ?? ''}` : route.page;
}
