import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Settings } from '@mainstay/config';
import { fillTemplate, parseTemplate, type Template, type TemplateValues } from './go-template.ts';
import { fetchWithin } from './outgoing.ts';

/** What has become of an account, and its owner is told of, by GoTrue's names. */
export type NoticeKind = 'password_changed' | 'email_changed' | 'phone_changed' | 'identity_linked' | 'identity_unlinked' | 'mfa_factor_enrolled' | 'mfa_factor_unenrolled';

/** What a mail is about, by GoTrue's names of its templates. */
export type MailKind = 'confirmation' | 'invite' | 'magic_link' | 'recovery' | 'email_change' | 'reauthentication' | `${NoticeKind}_notification`;

/** A mail as its reader gets it. */
export interface RenderedMail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

const subjects: Readonly<Record<MailKind, string>> = {
  confirmation: 'Confirm Your Signup',
  invite: 'You have been invited',
  magic_link: 'Your Magic Link',
  recovery: 'Reset Your Password',
  email_change: 'Confirm Email Change',
  reauthentication: 'Confirm Reauthentication',
  password_changed_notification: 'Your password has been changed',
  email_changed_notification: 'Your email address has been changed',
  phone_changed_notification: 'Your phone number has been changed',
  identity_linked_notification: 'A way of signing in was added to your account',
  identity_unlinked_notification: 'A way of signing in was removed from your account',
  mfa_factor_enrolled_notification: 'A second factor was added to your account',
  mfa_factor_unenrolled_notification: 'A second factor was removed from your account',
};

const link = (words: string): string => `<p><a href="{{ .ConfirmationURL }}">${words}</a></p>\n<p>Or enter this code: <strong>{{ .Token }}</strong></p>`;

const notice = (title: string, words: string): string => `<h2>${title}</h2>\n<p>${words}</p>\n<p>If it was not you, choose a new password at {{ .SiteURL }} and tell whoever runs it.</p>`;

const bodies: Readonly<Record<MailKind, string>> = {
  confirmation: `<h2>Confirm your address</h2>\n<p>Somebody, we hope you, signed up at {{ .SiteURL }} with {{ .Email }}.</p>\n${link('Confirm this address')}`,
  invite: `<h2>You have been invited</h2>\n<p>You may make an account at {{ .SiteURL }}.</p>\n${link('Accept the invitation')}`,
  magic_link: `<h2>Sign in</h2>\n<p>Follow this link to sign in at {{ .SiteURL }}. If you did not ask for it, do nothing.</p>\n${link('Sign in')}`,
  recovery: `<h2>Choose a new password</h2>\n<p>Somebody asked for a new password of your account at {{ .SiteURL }}. If it was not you, do nothing.</p>\n${link('Choose a new password')}`,
  email_change: `<h2>Confirm the change of your address</h2>\n<p>The address of your account at {{ .SiteURL }} is to change from {{ .Email }} to {{ .NewEmail }}.</p>\n${link('Confirm the change')}`,
  reauthentication: '<h2>Confirm that it is you</h2>\n<p>Enter this code: <strong>{{ .Token }}</strong></p>',
  password_changed_notification: notice('Your password was changed', 'The password of your account {{ .Email }} was changed.'),
  email_changed_notification: notice('Your address was changed', 'The address of your account was changed from {{ .OldEmail }} to {{ .Email }}.'),
  phone_changed_notification: notice('Your phone number was changed', 'The phone number of your account {{ .Email }} was changed from {{ .OldPhone }} to {{ .Phone }}.'),
  identity_linked_notification: notice('A way of signing in was added', 'Your account {{ .Email }} can be signed in to by {{ .Provider }} now.'),
  identity_unlinked_notification: notice('A way of signing in was removed', 'Your account {{ .Email }} can be signed in to by {{ .Provider }} no more.'),
  mfa_factor_enrolled_notification: notice('A second factor was added', 'Your account {{ .Email }} has a new second factor: {{ .FactorType }}.'),
  mfa_factor_unenrolled_notification: notice('A second factor was removed', 'Your account {{ .Email }} has lost a second factor: {{ .FactorType }}.'),
};

/** Templates at a URL are read anew after this time; until the new ones are there, the old ones serve. */
const keptMs = 10 * 60_000;
const loadTimeoutMs = 5000;
const maxTemplateBytes = 200_000;

type TemplateSettings = Pick<Settings, 'mailSubjects' | 'mailTemplates' | 'siteUrl'>;

/** The words of mails: GoTrue's kinds and variables, our texts where the project has none of its own. */
export class MailTemplates {
  private readonly loaded = new Map<MailKind, { template: Promise<Template>; at: number }>();

  constructor(
    private readonly settings: TemplateSettings,
    /** Told when a project's template cannot be read or understood: then ours is used. */
    private readonly onFailure: (kind: MailKind, error: Error) => void = () => {},
  ) {}

  async render(kind: MailKind, values: TemplateValues): Promise<RenderedMail> {
    // A subject is one line, whatever a user's metadata brings.
    const subject = this.fillSubject(kind, values).replace(/\s+/g, ' ').trim().slice(0, 200);
    const html = await this.fillBody(kind, values);
    return { subject, html, text: plainOf(html) };
  }

  private fillSubject(kind: MailKind, values: TemplateValues): string {
    const own = this.settings.mailSubjects[kind.toUpperCase()];
    if (own === undefined || own === '') return subjects[kind];
    try {
      return fillTemplate(parseTemplate(own), values, 'text');
    } catch (error) {
      this.onFailure(kind, error as Error);
      return subjects[kind];
    }
  }

  private async fillBody(kind: MailKind, values: TemplateValues): Promise<string> {
    try {
      const own = await this.ownTemplate(kind);
      if (own !== null) return fillTemplate(own, values, 'html');
    } catch (error) {
      this.onFailure(kind, error as Error);
    }
    return fillTemplate(parseTemplate(bodies[kind]), values, 'html');
  }

  /** The project's own template, or null where it has none. */
  private async ownTemplate(kind: MailKind): Promise<Template | null> {
    const place = this.settings.mailTemplates[kind.toUpperCase()];
    if (place === undefined || place === '') return null;
    const known = this.loaded.get(kind);
    if (known === undefined) return this.load(kind, place);
    if (Date.now() - known.at > keptMs) {
      const old = known.template;
      this.load(kind, place).catch(() => this.loaded.set(kind, { template: old, at: Date.now() }));
      return old;
    }
    return known.template;
  }

  private load(kind: MailKind, place: string): Promise<Template> {
    const template = this.read(place).then(parseTemplate);
    this.loaded.set(kind, { template, at: Date.now() });
    return template;
  }

  /** A URL, a path of a file, or a path below the site, as GoTrue has it. */
  private async read(place: string): Promise<string> {
    if (place.startsWith('file:')) return readFile(fileURLToPath(place), 'utf8');
    if (!/^https?:/.test(place)) {
      return readFile(place, 'utf8').catch((error: unknown) => {
        if (place.startsWith('/')) return fetchText(new URL(place, this.settings.siteUrl).href);
        throw error;
      });
    }
    return fetchText(place);
  }
}

async function fetchText(url: string): Promise<string> {
  const answer = await fetchWithin(url, { signal: AbortSignal.timeout(loadTimeoutMs) });
  if (!answer.ok) throw new Error(`the template's server answered ${answer.status}`);
  const text = await answer.text();
  if (text.length > maxTemplateBytes) throw new Error(`the template is longer than ${maxTemplateBytes} bytes`);
  return text;
}

/** The same words without markup, each link's address after its words. */
function plainOf(html: string): string {
  const text = html
    .replace(/<(style|script|head)\b[\s\S]*?<\/\1>/gi, '')
    .replace(/<a\b[^>]*?href\s*=\s*"([^"]*)"[^>]*>([\s\S]*?)<\/a>/gi, (_, href: string, words: string) => `${words.replace(/<[^>]*>/g, '')}: ${href}`)
    .replace(/<br\s*\/?>|<\/(p|div|h[1-6]|li|tr|table)>/gi, '\n')
    .replace(/<[^>]*>/g, '');
  const named: Readonly<Record<string, string>> = { '&lt;': '<', '&gt;': '>', '&#34;': '"', '&quot;': '"', '&#39;': "'", '&nbsp;': ' ', '&amp;': '&' };
  return text
    .replace(/&(?:lt|gt|#34|quot|#39|nbsp|amp);/g, (entity) => named[entity]!)
    .replace(/[ \t]+\n/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}
