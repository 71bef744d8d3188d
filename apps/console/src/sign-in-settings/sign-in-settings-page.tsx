import { useId, useState } from 'react';
import { askAuthJson, askJson } from '../api.ts';
import type { SignInSetting } from '../contracts.ts';
import { useLive } from '../live.ts';
import { Notice, ProblemNotice } from '../ui/notice.tsx';
import { Empty, Page, Section } from '../ui/page.tsx';
import { Tag } from '../ui/tag.tsx';
import { providerInWords } from '../users/describe-user.ts';
import { cutCode, findSettings, valueInWords } from './describe-setting.ts';

/** What `/auth/v1/settings` tells every sign-in page. */
interface PublicSettings {
  readonly external: Readonly<Record<string, boolean>>;
  readonly disable_signup: boolean;
  readonly mailer_autoconfirm: boolean;
  readonly passkeys_enabled: boolean;
}

/** What is on and by which setting; it is changed where the server is started, not here. */
export function SignInSettingsPage() {
  const all = useLive('sign-in settings', (signal) => askJson<readonly SignInSetting[]>('/sign-in-settings/v1', { signal }), () => 30_000);
  const shown = useLive('public settings', (signal) => askAuthJson<PublicSettings>('/settings', { signal }), () => 30_000);
  const [search, setSearch] = useState('');
  const id = useId();
  const groups = findSettings(all.value ?? [], search);
  const problem = all.problem ?? shown.problem;
  return (
    <Page title="Sign-in settings" lead="What is on, and the name of the setting that decides it.">
      {problem === null ? null : <ProblemNotice problem={problem} />}
      <WaysIn settings={shown.value} />
      <Notice title="Settings are read when the server starts.">
        <p>Set them in the environment or in <code>supabase/config.toml</code>, then restart. The page <code>docs/settings.md</code> describes all of them.</p>
      </Notice>
      <div className="search" role="search">
        <label className="visually-hidden" htmlFor={id}>Find a setting</label>
        <input id={id} className="input" type="search" value={search} spellCheck={false} autoComplete="off" placeholder="Find a setting by name or meaning" onChange={(event) => setSearch(event.target.value)} />
      </div>
      {all.value === null && all.problem === null ? <div className="card skeleton-block skeleton-tall" aria-busy="true" /> : null}
      {all.value !== null && groups.size === 0 ? <Empty title={`No setting is found by “${search}”`} action={<button type="button" className="button" onClick={() => setSearch('')}>Show all</button>}>Look for a part of its name, or for a word of what it does.</Empty> : null}
      {[...groups].map(([group, settings]) => (
        <Section key={group} title={group} id={`group-${group.toLowerCase().replaceAll(' ', '-')}`}>
          <dl className="settings">
            {settings.map((setting) => <Row key={setting.name} setting={setting} />)}
          </dl>
        </Section>
      ))}
    </Page>
  );
}

function Row({ setting }: { setting: SignInSetting }) {
  const words = valueInWords(setting);
  const isSwitch = typeof setting.value === 'boolean';
  return (
    <div className="setting">
      <dt>
        <code>{setting.name}</code>
        {setting.synonyms.length === 0 ? null : <span className="second-line">{`also ${setting.synonyms.join(', ')}`}</span>}
      </dt>
      <dd className="setting-value">
        {isSwitch ? <Tag {...(setting.value === true ? { tone: 'good' as const } : {})}>{words}</Tag> : <span>{words}</span>}
        {setting.is_set ? <span className="setting-note">chosen</span> : null}
      </dd>
      <dd className="setting-meaning">{cutCode(setting.meaning).map(({ text, isCode }, index) => (isCode ? <code key={index}>{text}</code> : text))}</dd>
    </div>
  );
}

/** The ways by which somebody can sign in now, at a glance. */
function WaysIn({ settings }: { settings: PublicSettings | null }) {
  const ways = settings === null ? [] : [...Object.entries(settings.external), ['passkeys', settings.passkeys_enabled] as const];
  const own = ['email', 'phone', 'anonymous_users', 'passkeys'];
  const on = ways.filter(([, isOn]) => isOn).map(([name]) => name);
  const off = own.filter((name) => settings !== null && !on.includes(name));
  return (
    <Section title="Who can sign in now" id="ways-in">
      {settings === null ? <div className="skeleton-block skeleton-line" aria-busy="true" /> : (
        <ul className="ways">
          {[...own.filter((name) => on.includes(name)), ...on.filter((name) => !own.includes(name)).sort()].map((name) => <Way key={name} name={name} isOn />)}
          {off.map((name) => <Way key={name} name={name} isOn={false} />)}
        </ul>
      )}
      {settings === null ? null : <p className="hint">{sentenceOf(settings)}</p>}
    </Section>
  );
}

function Way({ name, isOn }: { name: string; isOn: boolean }) {
  return (
    <li>
      <Tag {...(isOn ? { tone: 'good' as const } : {})}>{`${providerInWords(name)}: ${isOn ? 'on' : 'off'}`}</Tag>
    </li>
  );
}

function sentenceOf({ disable_signup: isClosed, mailer_autoconfirm: confirms }: PublicSettings): string {
  const signUp = isClosed ? 'Nobody can sign up: accounts come by an invitation or are created here.' : 'Everybody can sign up.';
  return `${signUp} ${confirms ? 'An e-mail address counts at once, without a mail.' : 'An e-mail address counts when its owner has followed the link or entered the code.'}`;
}
