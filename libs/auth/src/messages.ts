import { apiUrlOf, type Settings } from '@mainstay/config';
import { writeMessage, type Channel, type OpenAccounts, type User } from '@mainstay/persistence';
import { fillTemplate, parseTemplate } from './go-template.ts';
import type { MailKind, MailTemplates, NoticeKind } from './mail-templates.ts';
import type { IssuedToken } from './one-time-tokens.ts';

/** What a link of a mail does, by the names of `GET /verify?type=`. */
export type LinkType = 'signup' | 'invite' | 'magiclink' | 'recovery' | 'email_change' | 'reauthentication';

/** A mail with a code and, but for a nonce, a link. */
export interface Mail {
  readonly to: string;
  readonly type: LinkType;
  readonly token: IssuedToken;
  readonly user: User;
  readonly redirectTo: string;
  /** Of a change of address: the one that is to be. */
  readonly newEmail?: string;
}

/** A text message with a code. */
export interface TextMessage {
  readonly to: string;
  readonly channel: 'sms' | 'whatsapp';
  readonly code: string;
  readonly user: User;
  /** Of a second factor: its own template. */
  readonly factorTemplate?: string;
}

/** A mail that tells of what has become of an account, with nothing to follow and nothing to type in. */
export interface Notice {
  readonly kind: NoticeKind;
  readonly to: string;
  readonly user: User;
  readonly oldEmail?: string;
  readonly oldPhone?: string;
  readonly provider?: string;
  readonly factorType?: string;
}

/** Who delivers instead of us: a project's own hooks. They run in the transaction that needs the message; what they throw is its end. */
export interface MessageHooks {
  readonly mail: ((tx: OpenAccounts, mail: Mail) => Promise<void>) | null;
  readonly text: ((tx: OpenAccounts, message: TextMessage) => Promise<void>) | null;
  readonly notice: ((tx: OpenAccounts, notice: Notice) => Promise<void>) | null;
  /** Does as if one were asked, where nothing is to be delivered. */
  pretend(channel: 'email' | 'sms'): Promise<void>;
}

const kinds: Readonly<Record<LinkType, MailKind>> = { signup: 'confirmation', invite: 'invite', magiclink: 'magic_link', recovery: 'recovery', email_change: 'email_change', reauthentication: 'reauthentication' };

/** Which of `GOTRUE_MAILER_URLPATHS_*` a link follows: that of its kind; GoTrue sends magic links to the recovery's. */
const paths: Readonly<Record<LinkType, string>> = { signup: 'CONFIRMATION', invite: 'INVITE', magiclink: 'RECOVERY', recovery: 'RECOVERY', email_change: 'EMAIL_CHANGE', reauthentication: 'CONFIRMATION' };

type MessageSettings = Pick<Settings, 'apiExternalUrl' | 'host' | 'port' | 'siteUrl' | 'smtpHost' | 'mailPaths' | 'smsTemplate'>;

/** Writes mails and text messages in the transaction that needs them. Nothing leaves the house before it commits. */
export class Messages {
  constructor(
    private readonly templates: MailTemplates,
    private readonly settings: MessageSettings,
    private readonly hooks: MessageHooks = { mail: null, text: null, notice: null, pretend: async () => {} },
  ) {}

  async mail(tx: OpenAccounts, mail: Mail): Promise<void> {
    if (this.hooks.mail !== null) return this.hooks.mail(tx, mail);
    const { to, type, token, user, redirectTo, newEmail } = mail;
    const link = type === 'reauthentication' ? null : this.linkOf(type, token.hash, redirectTo);
    const rendered = await this.templates.render(kinds[type], {
      ConfirmationURL: link ?? '',
      Token: token.code,
      TokenHash: token.hash,
      SiteURL: this.settings.siteUrl,
      RedirectTo: redirectTo,
      Email: type === 'email_change' ? (user.email ?? '') : to,
      NewEmail: newEmail ?? '',
      SendingTo: to,
      Data: user.rawUserMetaData ?? {},
    });
    await writeMessage(tx, { channel: 'email', kind: kinds[type], recipient: to, ...rendered, code: token.code, link }, this.settings.smtpHost === null ? 'mailbox' : 'smtp');
  }

  async notice(tx: OpenAccounts, notice: Notice): Promise<void> {
    if (this.hooks.notice !== null) return this.hooks.notice(tx, notice);
    const { kind, to, user, oldEmail = '', oldPhone = '', provider = '', factorType = '' } = notice;
    const mail = await this.templates.render(`${kind}_notification`, {
      SiteURL: this.settings.siteUrl, Email: user.email ?? '', OldEmail: oldEmail, Phone: user.phone ?? '', OldPhone: oldPhone, Provider: provider, FactorType: factorType, SendingTo: to, Data: user.rawUserMetaData ?? {},
    });
    await writeMessage(tx, { channel: 'email', kind: `${kind}_notification`, recipient: to, ...mail, code: null, link: null }, this.settings.smtpHost === null ? 'mailbox' : 'smtp');
  }

  /** Without a hook there is nobody who sends text messages, so they land in the mailbox. Gives the message's id. */
  async text(tx: OpenAccounts, message: TextMessage): Promise<string> {
    if (this.hooks.text !== null) {
      await this.hooks.text(tx, message);
      return '';
    }
    const { to, channel, code, factorTemplate } = message;
    const text = fillTemplate(parseTemplate(factorTemplate ?? this.settings.smsTemplate), { Code: code }, 'text');
    return writeMessage(tx, { channel: channel satisfies Channel, kind: 'code', recipient: to, subject: '', text, html: null, code, link: null }, 'mailbox');
  }

  /** Does as if a message were handed over to a hook: who has no account must not be told from who has. */
  pretend(channel: 'email' | 'sms'): Promise<void> {
    return this.hooks.pretend(channel);
  }

  /** The address that a mail's link has. */
  linkOf(type: LinkType, hash: string, redirectTo: string): string {
    const path = this.settings.mailPaths[paths[type]];
    const url = new URL(apiUrlOf(this.settings) + (path === undefined || path === '' ? '/auth/v1/verify' : path));
    url.searchParams.set('token', hash);
    url.searchParams.set('type', type);
    return `${url.href}&redirect_to=${isPlain(redirectTo) ? redirectTo : encodeURIComponent(redirectTo)}`;
  }
}

/** Whether an address reads the same in a query as it is written. GoTrue leaves such a one as it is, and applications look for it in the link. */
function isPlain(address: string): boolean {
  return /^[\w\-.~:/?@!$*,;]*$/.test(address);
}
