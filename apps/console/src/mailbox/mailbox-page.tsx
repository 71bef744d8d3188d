import { useState } from 'react';
import { useAction } from '../action.ts';
import { ask, askJson } from '../api.ts';
import type { Message, SignInSetting } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { announce } from '../ui/announcer.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { Notice, ProblemNotice } from '../ui/notice.tsx';
import { Empty, Page } from '../ui/page.tsx';
import { SearchForm } from '../ui/search-form.tsx';
import { go } from '../use-route.ts';
import { messagesPath } from './describe-message.ts';
import { MessageList } from './message-list.tsx';
import { MessageView } from './message-view.tsx';

const step = 50;

/** The mails and text messages that nobody delivers: a developer reads them here, and goes on with their code or link. */
export function MailboxPage({ id, query }: { id: string | null; query: URLSearchParams }) {
  const to = query.get('to') ?? '';
  const kept = to === '' ? '' : new URLSearchParams({ to }).toString();
  const [isEmptying, setEmptying] = useState(false);
  const { all, problem, reload, loadMore, isEnd } = useMessages(to);
  const emptying = useAction(async () => {
    await ask(`/mailbox/v1/messages${kept === '' ? '' : `?${kept}`}`, { method: 'DELETE' });
    announce('The messages were deleted');
    setEmptying(false);
    go(links.mailbox(kept));
    reload();
  });
  const closeEmptying = (): void => {
    emptying.forget();
    setEmptying(false);
  };
  return (
    <Page
      title="Mailbox" lead="Mails and text messages that are delivered nowhere else." isWide
      actions={all === null || all.length === 0 ? null : <button type="button" className="button" onClick={() => setEmptying(true)}>{to === '' ? 'Delete all' : 'Delete these'}</button>}
    >
      <SmtpNotice />
      <SearchForm label="Messages to" placeholder="Whole address or number" search={to} submit={(address) => go(links.mailbox(address === '' ? '' : new URLSearchParams({ to: address }).toString()))} />
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {all === null && problem !== null ? null : all?.length === 0 && id === null ? (
        <NoMessages to={to} />
      ) : (
        <div className={id === null ? 'data mailbox' : 'data mailbox data-chosen'}>
          <div className="collections">
            <MessageList messages={all} at={id} query={kept} />
            {isEnd ? null : <button type="button" className="button" onClick={loadMore}>Show older ones</button>}
          </div>
          <div className="data-main">
            {id === null ? <p className="data-hint">Choose a message to read it.</p> : <MessageView key={id} id={id} query={kept} deleted={reload} />}
          </div>
        </div>
      )}
      {isEmptying ? (
        <Confirm title={to === '' ? 'Delete every message?' : `Delete every message to ${to}?`} yes="Delete them" no="Keep them" action={emptying} close={closeEmptying}>
          Codes and links in them stay good until they are used or run out.
        </Confirm>
      ) : null}
    </Page>
  );
}

function useMessages(to: string) {
  const [older, setOlder] = useState<{ to: string; messages: readonly Message[]; isEnd: boolean }>({ to, messages: [], isEnd: false });
  const newest = useLive(messagesPath(to, step), (signal) => askJson<readonly Message[]>(messagesPath(to, step), { signal }), () => 2500);
  const kept = older.to === to ? older : { messages: [], isEnd: false };
  const known = new Set(newest.value?.map(({ id }) => id));
  const all = newest.value === null ? null : [...newest.value, ...kept.messages.filter(({ id }) => !known.has(id))];
  const load = async (): Promise<void> => {
    const last = all?.at(-1);
    if (last === undefined) return;
    const more = await askJson<readonly Message[]>(messagesPath(to, step, last.id));
    setOlder({ to, messages: [...kept.messages, ...more], isEnd: more.length < step });
  };
  const reload = (): void => {
    // What was deleted must not stay among the older ones.
    setOlder({ to, messages: [], isEnd: false });
    newest.reload();
  };
  return { all, problem: newest.problem, reload, loadMore: () => void load(), isEnd: kept.isEnd || all === null || all.length < step };
}

/** With a server of one's own, mails go there and this page stays empty: that is worth a word. */
function SmtpNotice() {
  const { value } = useLive('sign-in settings', (signal) => askJson<readonly SignInSetting[]>('/sign-in-settings/v1', { signal }));
  const smtp = value?.find(({ name }) => name === 'GOTRUE_SMTP_HOST');
  if (smtp === undefined || !smtp.is_set) return null;
  return (
    <Notice title="Mails are sent by an SMTP server.">
      <p><code>GOTRUE_SMTP_HOST</code> is set, so only text messages land here.</p>
    </Notice>
  );
}

function NoMessages({ to }: { to: string }) {
  if (to !== '') return <Empty title={`No message to ${to}`} action={<a className="button" href={links.mailbox()}>Show all messages</a>}>The whole address is needed. This page looks for new ones by itself.</Empty>;
  return (
    <Empty title="No message yet" action={<a className="button" href={links.users()}>To the users</a>}>
      Sign somebody up (<code>supabase.auth.signUp</code>), send a code, or invite a user: the mail lands here at once, with its code and link to copy.
    </Empty>
  );
}
