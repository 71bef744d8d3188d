import { apiUrlOf, type Settings } from '@mainstay/config';
import type { OpenAccounts, User } from '@mainstay/persistence';
import type { Hooks } from './hooks.ts';
import type { Mail, MessageHooks, Notice, TextMessage } from './messages.ts';
import { viewUser } from './views.ts';

/** Mails and text messages, where the project sends them itself. */
export function messageHooks(hooks: Hooks, settings: Pick<Settings, 'apiExternalUrl' | 'host' | 'port'>): MessageHooks {
  // A change of address needs two letters, and the hook is asked once for both: the first waits here for the second of its transaction.
  const waiting = new WeakMap<OpenAccounts, Mail>();
  const mail = async (tx: OpenAccounts, letter: Mail): Promise<void> => {
    if (letter.type === 'email_change' && letter.to !== letter.newEmail) return void waiting.set(tx, letter);
    const current = waiting.get(tx) ?? null;
    waiting.delete(tx);
    await hooks.ask('send_email', { user: await shown(tx, letter.user), email_data: emailData(letter, current, `${apiUrlOf(settings)}/auth/v1`) }, tx);
  };
  const text = async (tx: OpenAccounts, { to, code, user }: TextMessage): Promise<void> => {
    await hooks.ask('send_sms', { user: await shown(tx, user), sms: { otp: code, sms_type: 'verification', phone: to } }, tx);
  };
  const notice = async (tx: OpenAccounts, told: Notice): Promise<void> => {
    await hooks.ask('send_email', { user: await shown(tx, told.user), email_data: noticeData(told, `${apiUrlOf(settings)}/auth/v1`) }, tx);
  };
  return { mail: hooks.has('send_email') ? mail : null, notice: hooks.has('send_email') ? notice : null, text: hooks.has('send_sms') ? text : null, pretend: (channel) => hooks.pretend(channel === 'email' ? 'send_email' : 'send_sms') };
}

/** GoTrue's way with two letters: `token` is the code of the current mailbox and `token_new` that of the new one, but the hashes stand the other way round. */
function emailData({ type, token, redirectTo, user }: Mail, current: Mail | null, siteUrl: string): object {
  return {
    token: current?.token.code ?? token.code, token_hash: token.hash, redirect_to: redirectTo, email_action_type: type, site_url: siteUrl,
    token_new: current === null ? '' : token.code, token_hash_new: current?.token.hash ?? '', old_email: current === null ? '' : (user.email ?? ''), old_phone: '', provider: '', factor_type: '',
  };
}

function noticeData({ kind, oldEmail = '', oldPhone = '', provider = '', factorType = '' }: Notice, siteUrl: string): object {
  return {
    token: '', token_hash: '', redirect_to: '', email_action_type: `${kind}_notification`, site_url: siteUrl, token_new: '', token_hash_new: '',
    old_email: oldEmail, old_phone: oldPhone, provider, factor_type: factorType,
  };
}

async function shown(tx: OpenAccounts, user: User): Promise<object> {
  return viewUser((await tx.find(user.id)) ?? { user, identities: [] });
}
