import { jobs } from '@mainstay/domain';
import type { Transaction } from './statement.ts';

export type Channel = 'email' | 'sms' | 'whatsapp';

/** A mail or text message, ready to be read. */
export interface MessageDraft {
  readonly channel: Channel;
  /** What it is about, such as `confirmation`. */
  readonly kind: string;
  readonly recipient: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string | null;
  /** What its reader is to type in or to follow, for a mailbox that shows it apart. */
  readonly code: string | null;
  readonly link: string | null;
}

/** A message as it is kept. */
export interface KeptMessage extends MessageDraft {
  readonly id: string;
  readonly state: 'kept' | 'queued' | 'sent';
  readonly created_at: Date;
  readonly sent_at: Date | null;
}

type Runner = Pick<Transaction, 'rows'>;

/** Writes a message in the transaction that needs it: for the mailbox, or with the job that sends it. */
export async function writeMessage(tx: Runner, draft: MessageDraft, way: 'mailbox' | 'smtp'): Promise<string> {
  const { queue, attempts } = jobs['send-message'];
  const [row] = await tx.rows<{ id: string }>('select mainstay_internal.write_message($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as id', [
    draft.channel, draft.kind, draft.recipient, draft.subject, draft.text, draft.html, draft.code, draft.link, way === 'smtp' ? queue : null, attempts,
  ]);
  return row!.id;
}

const columns = 'id, channel, kind, recipient, subject, body_text as text, body_html as html, code, link, state, created_at, sent_at';

export interface MessageFilters {
  /** Whole address or number. */
  readonly to: string | null;
  readonly limit: number;
  /** The id after which the page begins. */
  readonly before: string | null;
}

/** The mailbox's messages, newest first. */
export async function listMessages(tx: Runner, { to, limit, before }: MessageFilters): Promise<KeptMessage[]> {
  return tx.rows<KeptMessage>(
    `select ${columns} from mainstay_internal.messages
     where state = 'kept' and ($1::text is null or recipient = $1) and ($2::uuid is null or id < $2) order by id desc limit $3`,
    [to, before, limit],
  );
}

/** One message of the mailbox. */
export async function findMessage(tx: Runner, id: string): Promise<KeptMessage | null> {
  const [found] = await tx.rows<KeptMessage>(`select ${columns} from mainstay_internal.messages where id = $1 and state = 'kept'`, [id]);
  return found ?? null;
}

/** Deletes one message of the mailbox, those to one recipient, or all; says how many. */
export async function deleteMessages(tx: Runner, which: { readonly id?: string; readonly to?: string | null }): Promise<number> {
  const gone = await tx.rows(`delete from mainstay_internal.messages where state = 'kept' and ($1::uuid is null or id = $1) and ($2::text is null or recipient = $2) returning id`, [which.id ?? null, which.to ?? null]);
  return gone.length;
}

/** A message that waits to be sent; null where it was sent or swept away. For the worker. */
export async function findQueuedMessage(tx: Runner, id: string): Promise<KeptMessage | null> {
  const [found] = await tx.rows<KeptMessage>(`select ${columns} from mainstay_internal.messages where id = $1 and state = 'queued'`, [id]);
  return found ?? null;
}

/** Marks a message as sent and forgets what it said: it has let somebody in, or still could. */
export async function markSent(tx: Runner, id: string): Promise<void> {
  await tx.rows(`update mainstay_internal.messages set state = 'sent', sent_at = clock_timestamp(), body_text = '', body_html = null, code = null, link = null where id = $1`, [id]);
}

/** Deletes messages that were kept long enough; says how many. */
export async function sweepMessages(tx: Runner, keepSeconds: number, limit = 5000): Promise<number> {
  const gone = await tx.rows(
    `delete from mainstay_internal.messages where id in (
       select id from mainstay_internal.messages
       where id < (lpad(to_hex((extract(epoch from now() - make_interval(secs => $1)) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
       order by id limit $2 for update skip locked
     ) returning 1`,
    [keepSeconds, limit],
  );
  return gone.length;
}
