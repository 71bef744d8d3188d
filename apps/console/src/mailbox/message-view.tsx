import { useState } from 'react';
import { useAction } from '../action.ts';
import { ask, askJson } from '../api.ts';
import type { Message } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { announce } from '../ui/announcer.tsx';
import { CopyButton } from '../ui/copy.tsx';
import { Icon } from '../ui/icons.tsx';
import { Moment } from '../ui/moment.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { Empty } from '../ui/page.tsx';
import { Tag } from '../ui/tag.tsx';
import { takeFocus } from '../ui/take-focus.ts';
import { go } from '../use-route.ts';
import { channelInWords, messageKind, recipientInWords, safeLink, titleOf } from './describe-message.ts';
import { LetterFrame } from './letter-frame.tsx';

/** One message: its code and link first, since they are what one came for. */
export function MessageView({ id, query, deleted }: { id: string; query: string; deleted: () => void }) {
  const { value: message, problem } = useLive(`message ${id}`, (signal) => askJson<Message>(`/mailbox/v1/messages/${encodeURIComponent(id)}`, { signal }));
  const deleting = useAction(async () => {
    await ask(`/mailbox/v1/messages/${encodeURIComponent(id)}`, { method: 'DELETE' });
    announce('The message was deleted');
    go(links.mailbox(query));
    deleted();
  });
  return (
    <>
      <a className="rows-back" href={links.mailbox(query)}>
        <Icon name="left" />
        All messages
      </a>
      {problem?.status === 404 ? (
        <Empty title="This message is gone" action={<a className="button" href={links.mailbox(query)}>All messages</a>}>It was deleted, or was kept long enough: MAINSTAY_MESSAGE_KEEP says for how long.</Empty>
      ) : problem === null ? null : <ProblemNotice problem={problem} />}
      {deleting.problem === null ? null : <ProblemNotice problem={deleting.problem} />}
      {message === null && problem === null ? <div className="card skeleton-block skeleton-tall" aria-hidden="true" /> : null}
      {message === null ? null : (
        <article className="card" aria-labelledby="message">
          <header className="message-head">
            <div>
              <h2 id="message" tabIndex={-1} ref={takeFocus}>{titleOf(message)}</h2>
              <p className="hint">
                {`${channelInWords(message.channel)} to ${recipientInWords(message)}, `}
                <Moment time={message.created_at} />
              </p>
            </div>
            <span className="message-tools">
              <Tag>{messageKind(message.kind)}</Tag>
              <button type="button" className="button button-small" onClick={deleting.run} disabled={deleting.isBusy}>Delete</button>
            </span>
          </header>
          <Keys message={message} />
          <Body message={message} />
        </article>
      )}
    </>
  );
}

/** What lets the reader in. */
function Keys({ message: { code, link } }: { message: Message }) {
  const followed = safeLink(link);
  if (code === null && link === null) return null;
  return (
    <dl className="message-keys">
      {code === null ? null : (
        <div>
          <dt>Code</dt>
          <dd>
            <code className="message-code">{code}</code>
            <CopyButton text={code} what="the code" />
          </dd>
        </div>
      )}
      {link === null ? null : (
        <div>
          <dt>Link</dt>
          <dd>
            <code className="copy-value message-link">{link}</code>
            <CopyButton text={link} what="the link" />
            {followed === null ? null : (
              <a className="button button-small" href={followed} target="_blank" rel="noopener noreferrer">
                <Icon name="out" />
                Open
              </a>
            )}
          </dd>
        </div>
      )}
    </dl>
  );
}

type Form = 'html' | 'text';

function Body({ message }: { message: Message }) {
  const [form, setForm] = useState<Form>(message.html === null ? 'text' : 'html');
  const forms: readonly (readonly [Form, string])[] = [['html', 'As it looks'], ['text', 'Plain text']];
  const other = (): void => {
    const next = form === 'html' ? 'text' : 'html';
    setForm(next);
    document.getElementById(`message-tab-${next}`)?.focus();
  };
  if (message.html === null) return <pre className="code message-text" tabIndex={0} role="region" aria-label="Text">{message.text}</pre>;
  return (
    <div>
      <div className="tabs" role="tablist" aria-label="Form of the message">
        {forms.map(([name, label]) => (
          <button
            key={name} id={`message-tab-${name}`} type="button" role="tab" className="tab" aria-selected={name === form} aria-controls="message-panel" tabIndex={name === form ? 0 : -1}
            onClick={() => setForm(name)} onKeyDown={({ key }) => (key === 'ArrowRight' || key === 'ArrowLeft' ? other() : undefined)}
          >
            {label}
          </button>
        ))}
      </div>
      <div className="message-panel" role="tabpanel" id="message-panel" aria-labelledby={`message-tab-${form}`}>
        {form === 'html' ? <LetterFrame html={message.html} title={`The mail “${titleOf(message)}”`} /> : <pre className="code message-text" tabIndex={0} role="region" aria-label="Plain text">{message.text}</pre>}
      </div>
    </div>
  );
}
