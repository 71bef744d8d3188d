import { type ReactNode, useEffect, useRef } from 'react';
import type { HealthNow } from './overview/use-health.ts';
import { links, type PageName } from './route.ts';
import { signOut } from './session.ts';
import { type Theme, useTheme } from './theme.ts';
import { Brand, Icon, type IconName } from './ui/icons.tsx';

const pages: readonly { page: PageName; label: string; href: string; icon: IconName }[] = [
  { page: 'overview', label: 'Overview', href: links.overview, icon: 'overview' },
  { page: 'import', label: 'Import', href: links.newImport, icon: 'import' },
  { page: 'data', label: 'Data', href: links.data, icon: 'data' },
  { page: 'jobs', label: 'Jobs', href: links.jobs(), icon: 'jobs' },
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
        <nav className="nav" aria-label="Pages">
          <ul>
            {pages.map(({ page: name, label, href, icon }) => (
              <li key={name}>
                <a href={href} aria-current={name === page ? 'page' : undefined}>
                  <Icon name={icon} />
                  <span>{label}</span>
                </a>
              </li>
            ))}
          </ul>
        </nav>
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
