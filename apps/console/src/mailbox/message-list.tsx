import type { Message } from '../contracts.ts';
import { links } from '../route.ts';
import { Moment } from '../ui/moment.tsx';
import { messageKind, recipientInWords, titleOf } from './describe-message.ts';

/** Messages, newest first; null while they are on their way. */
export function MessageList({ messages, at, query }: { messages: readonly Message[] | null; at: string | null; query: string }) {
  return (
    <nav aria-label="Messages" aria-busy={messages === null}>
      {messages === null ? <div className="skeleton-block skeleton-tall" aria-hidden="true" /> : (
        <ul className="messages">
          {messages.map((message) => (
            <li key={message.id}>
              <a href={links.message(message.id, query)} aria-current={message.id === at ? 'page' : undefined}>
                <span className="message-to">{recipientInWords(message)}</span>
                <span className="message-when"><Moment time={message.created_at} /></span>
                <span className="message-title">{titleOf(message)}</span>
                <span className="message-kind">{messageKind(message.kind)}</span>
              </a>
            </li>
          ))}
        </ul>
      )}
    </nav>
  );
}
