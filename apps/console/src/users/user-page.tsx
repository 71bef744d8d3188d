import { askAuthJson } from '../api.ts';
import type { User } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { CopyButton } from '../ui/copy.tsx';
import { Fact } from '../ui/fact.tsx';
import { Icon } from '../ui/icons.tsx';
import { Moment } from '../ui/moment.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { useNow } from '../ui/now.ts';
import { Empty, Page, Section } from '../ui/page.tsx';
import { moment } from '../words.ts';
import { fullNameOf, isBanned, isForever, nameOf, phoneInWords, waysIn } from './describe-user.ts';
import { Factors } from './factors.tsx';
import { Sessions } from './sessions.tsx';
import { StandingTag } from './standing-tag.tsx';
import { UserActions } from './user-actions.tsx';

/** One account: who it is, where it is signed in, by what, and what can be done about it. */
export function UserPage({ id }: { id: string }) {
  const { value: user, problem, reload } = useLive(`user ${id}`, (signal) => askAuthJson<User>(`/admin/users/${encodeURIComponent(id)}`, { signal }), () => 10_000);
  const isGone = problem?.status === 404;
  return (
    <Page title={user === null || isGone ? 'User' : nameOf(user)} lead={user === null || isGone ? ' ' : (fullNameOf(user) ?? waysIn(user))} actions={user === null || isGone ? null : <UserActions user={user} reload={reload} />}>
      <a className="back" href={links.users()}>
        <Icon name="left" />
        All users
      </a>
      {isGone ? (
        <Empty title="There is no such user" action={<a className="button" href={links.users()}>All users</a>}>
          The account may have been deleted, or the address is wrong.
        </Empty>
      ) : problem === null ? null : <ProblemNotice problem={problem} />}
      {user === null && problem === null ? <div className="card skeleton-block skeleton-tall" aria-hidden="true" /> : null}
      {user === null || isGone ? null : (
        <>
          <Details user={user} />
          {user.deleted_at === undefined ? (
            <>
              <Sessions userId={user.id} />
              <Factors userId={user.id} />
            </>
          ) : null}
          <MetadataSection user={user} />
        </>
      )}
    </Page>
  );
}

function Details({ user }: { user: User }) {
  const now = useNow();
  return (
    <Section title="Account" id="account" aside={<StandingTag user={user} now={now} />}>
      <dl className="facts">
        <Fact name="Id"><CopyLine value={user.id} what="the id" /></Fact>
        {user.deleted_at === undefined ? (
          <>
            <Fact name="E-mail">{user.email === '' ? '–' : <Address text={user.email} confirmedAt={user.email_confirmed_at} />}</Fact>
            {user.new_email === undefined ? null : <Fact name="Changes to">{`${user.new_email}, once it is confirmed`}</Fact>}
            <Fact name="Phone">{user.phone === '' ? '–' : <Address text={phoneInWords(user.phone)} confirmedAt={user.phone_confirmed_at} />}</Fact>
            {user.new_phone === undefined ? null : <Fact name="Changes to">{`${phoneInWords(user.new_phone)}, once it is confirmed`}</Fact>}
            <Fact name="Signs in by">{waysIn(user)}</Fact>
          </>
        ) : <Fact name="Deleted"><Moment time={user.deleted_at} /></Fact>}
        {user.banned_until !== undefined && isBanned(user, now) ? <Fact name="Banned">{isForever(user.banned_until, now) ? 'until the ban is lifted' : `until ${moment(user.banned_until)}`}</Fact> : null}
        <Fact name="Role"><code>{user.role}</code></Fact>
        <Fact name="Last sign-in">{user.last_sign_in_at === undefined ? 'never' : <Moment time={user.last_sign_in_at} />}</Fact>
        {user.invited_at === undefined ? null : <Fact name="Invited"><Moment time={user.invited_at} /></Fact>}
        <Fact name="Created"><Moment time={user.created_at} /></Fact>
      </dl>
    </Section>
  );
}

function CopyLine({ value, what }: { value: string; what: string }) {
  return (
    <span className="copy-line">
      <code>{value}</code>
      <CopyButton text={value} what={what} isBare />
    </span>
  );
}

function Address({ text, confirmedAt }: { text: string; confirmedAt: string | undefined }) {
  return (
    <>
      {text}
      <span className="second-line">{confirmedAt === undefined ? 'not confirmed' : <>confirmed <Moment time={confirmedAt} /></>}</span>
    </>
  );
}

function MetadataSection({ user }: { user: User }) {
  return (
    <Section title="Metadata" id="metadata">
      <div className="two-columns">
        <Json title="user_metadata" note="The user may change it: never decide by it what they may do." value={user.user_metadata} />
        <Json title="app_metadata" note="Only the service key changes it." value={user.app_metadata} />
      </div>
    </Section>
  );
}

function Json({ title, note, value }: { title: string; note: string; value: unknown }) {
  return (
    <div className="step">
      <h3 className="code-title"><code>{title}</code></h3>
      <p className="hint">{note}</p>
      <pre className="code" tabIndex={0} role="region" aria-label={title}>{JSON.stringify(value, null, 2)}</pre>
    </div>
  );
}
