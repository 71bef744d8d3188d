import type { Settings } from '@mainstay/config';
import { faultsOf } from '@mainstay/domain';
import { asWorker, findQueuedMessage, markSent, type Database, type KeptMessage } from '@mainstay/persistence';
import type { JobRun } from '@mainstay/queue';
import { createTransport, type Transporter } from 'nodemailer';

const fault = faultsOf({
  mail_not_taken: { status: 503, message: 'The SMTP server did not take the mail' },
  mail_refused: { status: 422, message: 'The SMTP server refuses the mail for good' },
  smtp_not_set: { status: 503, message: 'GOTRUE_SMTP_HOST is not set for the worker, but was for the API that wrote this mail' },
});

type MailSettings = Pick<Settings, 'smtpHost' | 'smtpPort' | 'smtpUser' | 'smtpPass' | 'smtpAdminEmail' | 'smtpSenderName'>;

/** Takes mails to an SMTP server. */
export class PostOffice {
  private transport: Transporter | undefined;

  constructor(
    private readonly database: Database,
    private readonly settings: MailSettings,
  ) {}

  /** The handler of `send-message`. A mail may go out twice if the worker dies right after sending; both have one Message-ID. */
  async send(messageId: string, run: JobRun): Promise<null> {
    const message = await this.database.transaction(asWorker, (tx) => findQueuedMessage(tx, messageId));
    if (message === null) return null;
    await this.hand(message);
    run.finish((tx) => markSent(tx, messageId));
    return null;
  }

  close(): void {
    this.transport?.close();
  }

  private async hand({ id, recipient, subject, text, html }: KeptMessage): Promise<void> {
    const { smtpAdminEmail, smtpSenderName } = this.settings;
    try {
      await this.open().sendMail({
        from: { name: smtpSenderName, address: smtpAdminEmail },
        to: { name: '', address: recipient },
        subject,
        text,
        ...(html === null ? {} : { html }),
        messageId: `<${id}@${smtpAdminEmail.split('@')[1] ?? 'localhost'}>`,
        // Nobody answers to it, and no out-of-office note should.
        headers: { 'Auto-Submitted': 'auto-generated' },
        disableFileAccess: true,
        disableUrlAccess: true,
      });
    } catch (error) {
      throw this.worded(error as Error & { responseCode?: number; command?: string });
    }
  }

  private open(): Transporter {
    const { smtpHost, smtpPort, smtpUser, smtpPass } = this.settings;
    if (smtpHost === null) throw fault('smtp_not_set');
    return (this.transport ??= createTransport({
      host: smtpHost,
      port: smtpPort,
      secure: smtpPort === 465,
      pool: true,
      maxConnections: 4,
      connectionTimeout: 10_000,
      greetingTimeout: 10_000,
      socketTimeout: 20_000,
      ...(smtpUser === null ? {} : { auth: { user: smtpUser, pass: smtpPass ?? '' } }),
    }));
  }

  /** What a server says may repeat the recipient, never the body. 5xx to the recipient is for good, all else may pass. */
  private worded(error: Error & { responseCode?: number; command?: string }): Error {
    const details = `${error.command ?? 'connection'}: ${error.message.slice(0, 300)}`;
    const isForGood = error.command === 'RCPT TO' && (error.responseCode ?? 0) >= 500;
    return fault(isForGood ? 'mail_refused' : 'mail_not_taken', { details, cause: error });
  }
}
