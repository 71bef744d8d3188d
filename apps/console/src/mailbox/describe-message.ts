import type { Message } from '../contracts.ts';

const kinds: Readonly<Record<string, string>> = {
  confirmation: 'Confirmation', invite: 'Invitation', magic_link: 'Sign-in link', recovery: 'Recovery', email_change: 'Change of address', reauthentication: 'Reauthentication', code: 'Code',
  password_changed_notification: 'Notice: password', email_changed_notification: 'Notice: address', phone_changed_notification: 'Notice: phone number', identity_linked_notification: 'Notice: way in added',
  identity_unlinked_notification: 'Notice: way in removed', mfa_factor_enrolled_notification: 'Notice: factor added', mfa_factor_unenrolled_notification: 'Notice: factor removed',
};

/** What a message is about: `magic_link` → `Sign-in link`. */
export function messageKind(kind: string): string {
  return kinds[kind] ?? kind.charAt(0).toUpperCase() + kind.slice(1).replaceAll('_', ' ');
}

/** Whom it is for, as one writes it: numbers are kept without their plus. */
export function recipientInWords({ channel, recipient }: Pick<Message, 'channel' | 'recipient'>): string {
  return channel === 'email' ? recipient : `+${recipient}`;
}

const channels: Readonly<Record<Message['channel'], string>> = { email: 'Mail', sms: 'Text message', whatsapp: 'WhatsApp message' };

export function channelInWords(channel: Message['channel']): string {
  return channels[channel];
}

/** The line by which a message is known in a list: its subject, or how a text message begins. */
export function titleOf({ subject, text }: Pick<Message, 'subject' | 'text'>): string {
  const title = subject.trim() === '' ? text.replace(/\s+/g, ' ').trim() : subject.trim();
  return title.length > 90 ? `${title.slice(0, 89)}…` : title;
}

/** The web address of a link that may be followed; null for one of another kind, such as `javascript:`. */
export function safeLink(link: string | null): string | null {
  if (link === null || !URL.canParse(link)) return null;
  return /^https?:$/.test(new URL(link).protocol) ? link : null;
}

/** The path by which messages are asked for. */
export function messagesPath(to: string, limit: number, before: string | null = null): string {
  const query = new URLSearchParams({ limit: String(limit) });
  if (to !== '') query.set('to', to);
  if (before !== null) query.set('before', before);
  return `/mailbox/v1/messages?${query}`;
}
