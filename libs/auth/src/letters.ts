import { randomUUID } from 'node:crypto';
import type { Device, OpenAccounts, TokenType, User } from '@mainstay/persistence';
import { writeMessage } from '@mainstay/persistence';
import { audit } from './audit.ts';
import type { CodeChallenge, FlowStates } from './flow-states.ts';
import type { LinkType, Messages } from './messages.ts';
import type { IssuedToken, OneTimeTokens } from './one-time-tokens.ts';

/** A mail that lets its reader go on. */
export interface Letter {
  readonly type: LinkType;
  readonly to: string;
  readonly redirectTo: string;
  /** What the client will prove itself by; null in the implicit flow. */
  readonly proof: CodeChallenge | null;
  /** Of a change of address: which of the two mailboxes this one goes to, and the new address. */
  readonly change?: { readonly isForNew: boolean; readonly newEmail: string };
}

const tokenTypes: Readonly<Record<LinkType, TokenType>> = {
  signup: 'confirmation_token', invite: 'confirmation_token', magiclink: 'recovery_token', recovery: 'recovery_token', email_change: 'email_change_token_new', reauthentication: 'reauthentication_token',
};

/** What `amr` says of a session that began with such a link, and by which its flow is found again. */
export function methodOf(type: LinkType): string {
  return type === 'signup' ? 'email/signup' : type;
}

/** Codes and links on their way to their readers: made, kept, written down and posted in one transaction. */
export class Letters {
  constructor(
    private readonly tokens: OneTimeTokens,
    private readonly flows: FlowStates,
    private readonly messages: Messages,
  ) {}

  /** Makes the token of a letter without posting it: an administrator hands it over. */
  async make(tx: OpenAccounts, user: User, { type, to, proof, change }: Omit<Letter, 'redirectTo'>): Promise<IssuedToken> {
    const tokenType = change?.isForNew === false ? 'email_change_token_current' : tokenTypes[type];
    return this.tokens.issue(tx, user, tokenType, to, { isPkce: proof !== null });
  }

  async post(tx: OpenAccounts, user: User, letter: Letter): Promise<void> {
    const token = await this.make(tx, user, letter);
    const { type, to, redirectTo, proof, change } = letter;
    if (proof !== null) await this.flows.begin(tx, user.id, proof, type === 'magiclink' ? 'magiclink' : 'email', methodOf(type));
    await this.messages.mail(tx, { to, type, token, user, redirectTo, ...(change === undefined ? {} : { newEmail: change.newEmail }) });
  }

  /** Sends a code to a number; gives the message's id. */
  async text(tx: OpenAccounts, user: User, tokenType: TokenType, phone: string, channel: 'sms' | 'whatsapp'): Promise<string> {
    const { code } = await this.tokens.issue(tx, user, tokenType, phone);
    return this.tokens.isTestNumber(phone) ? 'test-otp' : this.messages.text(tx, { to: phone, channel, code, user });
  }

  /**
   * Does as if a letter were written, and undoes it: whoever asks for an address without an account waits as long as for one
   * with. It commits, since a flush of the log is what takes longest.
   */
  async pretend(tx: OpenAccounts, device: Device, channel: 'email' | 'sms' = 'email'): Promise<void> {
    const nobody = { id: randomUUID(), email: 'nobody', isSsoUser: false, isAnonymous: false } as User;
    await tx.lock(nobody.id);
    await tx.rows('savepoint pretended');
    await tx.rows('select 1 from auth.one_time_tokens where user_id = $1::uuid', [nobody.id]);
    await writeMessage(tx, { channel: 'email', kind: 'nothing', recipient: '', subject: '', text: 'x'.repeat(600), html: 'x'.repeat(900), code: null, link: null }, 'mailbox');
    await audit(tx, 'user_recovery_requested', nobody, device);
    await tx.rows('rollback to savepoint pretended');
    await this.messages.pretend(channel);
  }
}
