import type { Settings } from '@mainstay/config';
import type { Account, OpenAccounts, User } from '@mainstay/persistence';
import type { NoticeKind } from './mail-templates.ts';
import type { Messages, Notice } from './messages.ts';

const switches = {
  password_changed: 'noticesPasswordChanged', email_changed: 'noticesEmailChanged', phone_changed: 'noticesPhoneChanged', identity_linked: 'noticesIdentityLinked',
  identity_unlinked: 'noticesIdentityUnlinked', mfa_factor_enrolled: 'noticesFactorEnrolled', mfa_factor_unenrolled: 'noticesFactorUnenrolled',
} as const satisfies Record<NoticeKind, keyof Settings>;

type NoticeSettings = Pick<Settings, (typeof switches)[NoticeKind]>;

/** What a notice says besides whom it is about. */
type Details = Partial<Pick<Notice, 'to' | 'oldEmail' | 'oldPhone' | 'provider' | 'factorType'>>;

/** Mails that tell the owner of an account what has just become of it, in the transaction in which it did. Off by default, each by its own setting. */
export class Notices {
  constructor(
    private readonly messages: Pick<Messages, 'notice'>,
    private readonly settings: NoticeSettings,
    /** Told when a project's own hook did not take a notice: what it tells of stands all the same. */
    private readonly onFailure: (kind: NoticeKind, error: Error) => void = () => {},
  ) {}

  async tell(tx: OpenAccounts, kind: NoticeKind, user: User, details: Details = {}): Promise<void> {
    const to = details.to ?? user.email ?? '';
    if (!this.settings[switches[kind]] || to === '') return;
    await tx.write();
    await tx.rows('savepoint noticed');
    try {
      await this.messages.notice(tx, { ...details, kind, to, user });
      await tx.rows('release savepoint noticed');
    } catch (error) {
      await tx.rows('rollback to savepoint noticed');
      this.onFailure(kind, error as Error);
    }
  }

  /** To the mailbox that was the account's until now: whoever took the account reads the new one. */
  async ofEmail(tx: OpenAccounts, oldEmail: string, { user }: Account): Promise<void> {
    if (oldEmail !== '' && oldEmail !== user.email) await this.tell(tx, 'email_changed', user, { to: oldEmail, oldEmail });
  }

  async ofPhone(tx: OpenAccounts, oldPhone: string, { user }: Account): Promise<void> {
    if (oldPhone !== '' && oldPhone !== user.phone) return this.tell(tx, 'phone_changed', user, { oldPhone });
    if (oldPhone === '') await this.tell(tx, 'identity_linked', user, { provider: 'phone' });
  }
}
