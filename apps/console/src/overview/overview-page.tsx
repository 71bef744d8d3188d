import { askJson } from '../api.ts';
import type { Collection, Connection, Import } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { Icon } from '../ui/icons.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { Empty, Page, Section } from '../ui/page.tsx';
import { ImportList } from '../import/import-list.tsx';
import { ConnectSection } from './connect-section.tsx';
import { HealthSection } from './health-section.tsx';
import type { HealthNow } from './use-health.ts';

/** The first page: is all well, how do I connect, what happened last. */
export function OverviewPage({ health }: { health: HealthNow }) {
  const connection = useLive('connection', (signal) => askJson<Connection>('/connection/v1', { signal }));
  const collections = useLive('collections', (signal) => askJson<readonly Collection[]>('/collections/v1', { signal }));
  const imports = useLive('last imports', (signal) => askJson<readonly Import[]>('/imports/v1?limit=5', { signal }), () => 4000);
  return (
    <Page
      title="Overview"
      lead={connection.value === null ? ' ' : `Mainstay ${connection.value.version}`}
      actions={
        <a className="button button-primary" href={links.newImport}>
          <Icon name="import" />
          Import a file
        </a>
      }
    >
      {connection.problem === null ? null : <ProblemNotice problem={connection.problem} />}
      <HealthSection health={health} />
      <ConnectSection connection={connection.value} collections={collections.value} />
      <Section title="Last imports" id="last-imports" aside={<a className="card-link" href={links.newImport}>All imports</a>}>
        {imports.value?.length === 0 ? (
          <Empty title="Nothing was imported yet" action={<a className="button" href={links.newImport}>Import a file</a>}>
            A CSV file becomes a PostgreSQL table with its own API in a minute: drop it on the import page.
          </Empty>
        ) : (
          <ImportList imports={imports.value} />
        )}
      </Section>
    </Page>
  );
}
