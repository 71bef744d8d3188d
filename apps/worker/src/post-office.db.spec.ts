import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { asWorker, writeMessage, type Transaction } from '@mainstay/persistence';
import type { JobRun } from '@mainstay/queue';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { PostOffice } from './post-office.ts';

/** As much of an SMTP server as a sender meets; it says no to whoever is called `nobody`. */
function smtpServer(received: string[]): Server {
  return createServer((socket) => {
    let isData = false;
    let text = '';
    socket.setEncoding('utf8').write('220 test\r\n');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (isData) {
        if (!text.endsWith('\r\n.\r\n')) return;
        received.push(text);
        [isData, text] = [false, ''];
        socket.write('250 taken\r\n');
        return;
      }
      for (const line of text.split('\r\n').slice(0, -1)) {
        if (/^DATA/i.test(line)) isData = true;
        socket.write(/^DATA/i.test(line) ? '354 go on\r\n' : /^RCPT TO:<nobody/i.test(line) ? '550 no such mailbox\r\n' : /^QUIT/i.test(line) ? '221 bye\r\n' : '250 ok\r\n');
      }
      text = '';
    });
    socket.on('error', () => {});
  });
}

describe('the post office', () => {
  let database: TestDatabase;
  let server: Server;
  let office: PostOffice;
  const received: string[] = [];

  beforeAll(async () => {
    database = await makeTestDatabase();
    server = smtpServer(received).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    office = new PostOffice(database.as('mainstay_worker'), { smtpHost: '127.0.0.1', smtpPort: (server.address() as AddressInfo).port, smtpUser: null, smtpPass: null, smtpAdminEmail: 'noreply@example.com', smtpSenderName: 'Ada, "Bob" & Co' });
  });
  afterAll(async () => {
    office.close();
    server.close();
    await database.close();
  });

  const write = (recipient: string): Promise<string> =>
    database.as('supabase_auth_admin').transaction({ role: null, settings: {} }, (tx) =>
      writeMessage(tx, { channel: 'email', kind: 'recovery', recipient, subject: 'Grüße', text: 'plain 123456', html: '<p>123456</p>', code: '123456', link: null }, 'smtp'));

  const send = async (id: string): Promise<void> => {
    let effects: ((tx: Transaction) => Promise<unknown>) | undefined;
    await office.send(id, { finish: (work: typeof effects) => (effects = work) } as unknown as JobRun);
    if (effects !== undefined) await database.as('mainstay_worker').transaction(asWorker, effects);
  };
  const kept = async (id: string) => (await database.admin.rows('select state, body_text, body_html, code, sent_at is not null as is_sent from mainstay_internal.messages where id = $1', [id]))[0];

  it('sends a mail in both forms and forgets what it said; a second run sends nothing', async () => {
    const id = await write('ada@example.com');
    await send(id);
    await send(id);
    expect(received).toHaveLength(1);
    const [mail] = received;
    for (const part of ['To: ada@example.com', 'From: "Ada, \\"Bob\\" & Co" <noreply@example.com>', `Message-ID: <${id}@example.com>`, 'plain 123456', '<p>123456</p>', 'Auto-Submitted: auto-generated']) expect(mail).toContain(part);
    expect(await kept(id)).toEqual({ state: 'sent', body_text: '', body_html: null, code: null, is_sent: true });
  });

  it('a mailbox that is not there is refused for good, and what an address carries never becomes a header', async () => {
    await expect(send(await write('nobody@example.com'))).rejects.toMatchObject({ code: 'mail_refused', status: 422 });
    await send(await write('eve@example.com\r\nBcc: all@example.com'));
    expect(received.at(-1)).not.toMatch(/^Bcc:/m);
  });

  it('a server that does not answer is asked again later', async () => {
    const away = new PostOffice(database.as('mainstay_worker'), { smtpHost: '127.0.0.1', smtpPort: 1, smtpUser: null, smtpPass: null, smtpAdminEmail: 'a@b.c', smtpSenderName: 'x' });
    await expect(away.send(await write('ada@example.com'), {} as JobRun)).rejects.toMatchObject({ code: 'mail_not_taken', status: 503 });
    away.close();
  });
});
