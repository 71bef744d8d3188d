import { type ReactNode, useEffect, useRef, useState } from 'react';
import type { HealthNow } from './overview/use-health.ts';
import { links, type PageName } from './route.ts';
import { signOut } from './session.ts';
import { type Theme, useTheme } from './theme.ts';
import { Brand, Icon, type IconName } from './ui/icons.tsx';

interface Place {
  readonly page: PageName;
  readonly label: string;
  readonly href: string;
  readonly icon: IconName;
}

const pages: readonly Place[] = [
  { page: 'overview', label: 'Overview', href: links.overview, icon: 'overview' },
  { page: 'import', label: 'Import', href: links.newImport, icon: 'import' },
  { page: 'data', label: 'Data', href: links.data, icon: 'data' },
  { page: 'exports', label: 'Exports', href: links.exports, icon: 'download' },
];

interface Group {
  readonly name: string;
  readonly title: string;
  readonly icon: IconName;
  readonly places: readonly Place[];
}

/** What happens after the answer, and what is about people and their way in. */
const groups: readonly Group[] = [
  {
    name: 'automation',
    title: 'Automation',
    icon: 'jobs',
    places: [
      { page: 'jobs', label: 'Jobs', href: links.jobs(), icon: 'jobs' },
      { page: 'schedules', label: 'Schedules', href: links.schedules, icon: 'clock' },
      { page: 'webhooks', label: 'Webhooks', href: links.webhooks, icon: 'webhook' },
    ],
  },
  {
    name: 'accounts',
    title: 'Accounts',
    icon: 'users',
    places: [
      { page: 'users', label: 'Users', href: links.users(), icon: 'users' },
      { page: 'mailbox', label: 'Mailbox', href: links.mailbox(), icon: 'mailbox' },
      { page: 'keys', label: 'Keys', href: links.keys, icon: 'key' },
      { page: 'sign-in', label: 'Sign-in settings', href: links.signIn, icon: 'signIn' },
    ],
  },
];

/** What stands around every page: the way to the others, the state of the house, and the page's own place. */
export function Shell({ page, place, health, children }: { page: PageName; place: string; health: HealthNow; children: ReactNode }) {
  const main = useRef<HTMLElement>(null);
  const lastPlace = useRef(place);
  // Whoever follows a link is taken to the new page's heading, as a page load would; the first page leaves the focus alone.
  useEffect(() => {
    if (lastPlace.current === place) return;
    lastPlace.current = place;
    main.current?.querySelector('h1')?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [place]);

  return (
    <div className="shell">
      <a className="skip" href="#main" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>
        Skip to content
      </a>
      <header className="side">
        <a className="brand" href={links.overview} aria-label="Mainstay, overview">
          <Brand />
          <span>Mainstay</span>
        </a>
        <Navigation page={page} />
        <div className="side-foot">
          <HealthDot health={health} />
          <div className="side-tools">
            <ThemeSwitch />
            <button type="button" className="button button-bare" onClick={() => signOut()}>
              <Icon name="signOut" />
              <span>Sign out</span>
            </button>
          </div>
        </div>
      </header>
      <main className="main" id="main" ref={main} tabIndex={-1}>
        {children}
      </main>
      {health.isAway ? (
        <div className="away" role="status">
          <Icon name="warn" />
          <span>The server does not answer. This page goes on asking until it is back.</span>
        </div>
      ) : null}
    </div>
  );
}

/** The way to every page. On a phone only some have room in the bar: a place for each group of the others opens it. */
function Navigation({ page }: { page: PageName }) {
  const [opened, open] = useState<string | null>(null);
  const nav = useRef<HTMLElement>(null);
  // Whoever went somewhere else, or looks elsewhere, is done with the list.
  useEffect(() => {
    if (opened === null) return undefined;
    const closeAway = (event: Event): void => {
      if (!nav.current?.contains(event.target as Node)) open(null);
    };
    document.addEventListener('pointerdown', closeAway);
    document.addEventListener('focusin', closeAway);
    return () => {
      document.removeEventListener('pointerdown', closeAway);
      document.removeEventListener('focusin', closeAway);
    };
  }, [opened]);
  const closeByKey = ({ key }: { key: string }): void => {
    if (key !== 'Escape' || opened === null) return;
    open(null);
    nav.current?.querySelector<HTMLElement>('[aria-expanded=true]')?.focus();
  };
  return (
    <nav className="nav" aria-label="Pages" ref={nav} onKeyDown={closeByKey}>
      <Places places={pages} at={page} />
      {groups.map((group) => (
        <PlaceGroup key={group.name} group={group} at={page} isOpen={opened === group.name} toggle={() => open(opened === group.name ? null : group.name)} close={() => open(null)} />
      ))}
    </nav>
  );
}

function PlaceGroup({ group: { name, title, icon, places }, at, isOpen, toggle, close }: { group: Group; at: PageName; isOpen: boolean; toggle: () => void; close: () => void }) {
  const isHere = places.some(({ page }) => page === at);
  return (
    <>
      <button type="button" className={isHere ? 'nav-more nav-more-current' : 'nav-more'} aria-expanded={isOpen} aria-controls={`nav-${name}`} onClick={toggle}>
        <Icon name={icon} />
        <span>{title}</span>
      </button>
      <div id={`nav-${name}`} className={isOpen ? 'nav-group nav-group-open' : 'nav-group'} onClick={close}>
        <p className="nav-title">{title}</p>
        <Places places={places} at={at} />
      </div>
    </>
  );
}

function Places({ places, at }: { places: readonly Place[]; at: PageName }) {
  return (
    <ul>
      {places.map(({ page, label, href, icon }) => (
        <li key={page}>
          <a href={href} aria-current={page === at ? 'page' : undefined}>
            <Icon name={icon} />
            <span>{label}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function HealthDot({ health }: { health: HealthNow }) {
  return (
    <a className={`health-dot health-${health.mood}`} href={links.overview}>
      {health.sentence}
    </a>
  );
}

const themeLooks: Record<Theme, { next: Theme; icon: IconName; label: string }> = {
  system: { next: 'light', icon: 'screen', label: 'Theme: as the system' },
  light: { next: 'dark', icon: 'sun', label: 'Theme: light' },
  dark: { next: 'system', icon: 'moon', label: 'Theme: dark' },
};

export function ThemeSwitch() {
  const [theme, choose] = useTheme();
  const { next, icon, label } = themeLooks[theme];
  return (
    <button type="button" className="button button-bare button-icon" onClick={() => choose(next)} aria-label={`${label}. Change to ${next === 'system' ? 'as the system' : next}`} title={label}>
      <Icon name={icon} />
    </button>
  );
}
