import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import type { Page } from 'playwright-core';
import { accessibilityFaults, desktop, overhang, phone, RealBrowser } from './browser.ts';
import { runSql } from './sql.ts';
import { startStack, type Stack } from './stack.ts';

const password = 'correct horse battery staple';

/** A mail as a stranger would write it: it wants to run, to load, to send, and to bring its own colours. */
const hostileMail = (outside: string): string => `<html><head><style>h1 { color: rgb(1, 2, 3) }</style><meta http-equiv="refresh" content="0;url=${outside}/"></head>
  <body><h1 style="margin-left: 40px">Dear reader</h1><script>parent.document.title = 'taken'; document.title = 'ran';</script>
  <img src="${outside}/seen.png" onerror="document.title = 'ran'"><a href="https://example.com/on">Go on</a>
  <form action="${outside}/"><button>Send</button></form></body></html>`;

describe('the console, with accounts', () => {
  let stack: Stack;
  let browser: RealBrowser;
  let page: Page;
  let service: SupabaseClient;

  const at = (hash = ''): string => `${stack.url}/console/${hash}`;
  const heading = (name: string) => page.getByRole('heading', { level: 1, name, exact: true });
  const press = (name: string, on: Page = page): Promise<void> => on.getByRole('button', { name, exact: true }).click();
  const dialog = (name: string) => page.getByRole('dialog', { name });
  const closed = (): Promise<void> => page.getByRole('dialog').waitFor({ state: 'detached' });
  const client = (): SupabaseClient => createClient(stack.url, stack.publishableKey, { auth: { persistSession: false, autoRefreshToken: false } });
  const signIn = async (on: Page): Promise<void> => {
    await on.goto(at());
    await on.getByLabel('Service key').fill(stack.secretKey);
    await on.getByRole('button', { name: 'Sign in' }).click();
    await on.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  };
  const signedIn = async (email: string): Promise<SupabaseClient> => {
    const supabase = client();
    expect((await supabase.auth.signInWithPassword({ email, password })).error).toBeNull();
    return supabase;
  };
  const openUser = async (email: string): Promise<void> => {
    await page.goto(at(`#/users?search=${encodeURIComponent(email)}`));
    await page.getByRole('link', { name: email }).click();
    await heading(email).waitFor();
  };

  beforeAll(async () => {
    stack = await startStack({ environment: { GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED: 'true', GOTRUE_SMTP_MAX_FREQUENCY: '0' } });
    service = createClient(stack.url, stack.secretKey, { auth: { persistSession: false } });
    browser = await RealBrowser.start();
    page = await browser.open(desktop);
    page.setDefaultTimeout(20_000);
    await signIn(page);
  }, 60_000);
  afterAll(async () => {
    await browser?.stop();
    await stack?.stop();
  }, 30_000);

  describe('users', () => {
    it('are made here, first of all', async () => {
      await page.getByRole('link', { name: 'Users', exact: true }).click();
      await page.getByText('No user yet').waitFor();
      await page.getByRole('button', { name: 'Create a user' }).first().click();
      // Refused in words, and what was typed stays.
      await page.getByLabel('E-mail address or phone number').fill('ada@example.com');
      await page.getByLabel('Password').fill('short');
      await press('Create');
      await page.getByRole('alert').filter({ hasText: /at least 6 characters/ }).waitFor();
      browser.forgive(/status of 422.*admin\/users/);
      await page.getByLabel('Password').fill(password);
      await press('Create');
      await heading('ada@example.com').waitFor();
      await page.getByText('Signed in nowhere.').waitFor();
      await page.getByText('None. The user adds them').waitFor();
      await signedIn('ada@example.com');
    });

    it('are found by what one knows of them, page by page', async () => {
      for (let index = 0; index < 52; index += 1) expect((await service.auth.admin.createUser({ email: `many-${index}@example.com`, user_metadata: { full_name: `Robot ${index}` } })).error).toBeNull();
      await page.goto(at('#/users'));
      await page.getByText('1–50 of 53').waitFor();
      await press('Next');
      await page.getByText('51–53 of 53').waitFor();
      await page.getByRole('link', { name: 'ada@example.com' }).waitFor();
      await page.getByLabel('Find users').fill('robot 17');
      await page.getByLabel('Find users').press('Enter');
      await page.getByText('1–1 of 1').waitFor();
      expect(await page.locator('.table-people tbody tr').allInnerTexts()).toEqual([expect.stringMatching(/many-17@example.com\s*Robot 17\s*not confirmed/)]);
      await page.getByLabel('Find users').fill('nobody of this name');
      await page.getByLabel('Find users').press('Enter');
      await page.getByText('Nobody is found by “nobody of this name”').waitFor();
      await press('Show all users');
      await page.getByText('1–50 of 53').waitFor();
    }, 60_000);

    it('are signed out where one wants', async () => {
      const [first, second] = [await signedIn('ada@example.com'), await signedIn('ada@example.com')];
      await openUser('ada@example.com');
      const sessions = page.getByRole('region', { name: 'Table of sessions' }).locator('tbody tr');
      await sessions.nth(2).waitFor();
      // The last used stands first.
      await sessions.first().getByRole('button', { name: /^End the session/ }).click();
      await press('End the session');
      await closed();
      await sessions.nth(2).waitFor({ state: 'detached' });
      // The client's own word for `session_not_found`.
      expect((await second.auth.getUser()).error).toMatchObject({ name: 'AuthSessionMissingError' });
      expect((await first.auth.getUser()).error).toBeNull();
      await press('End all');
      await press('End them');
      await page.getByText('Signed in nowhere.').waitFor();
      expect((await first.auth.getUser()).error).toMatchObject({ name: 'AuthSessionMissingError' });
    });

    it('lose a factor whose device they have lost', async () => {
      const supabase = await signedIn('ada@example.com');
      expect((await supabase.auth.mfa.enroll({ factorType: 'totp', friendlyName: 'Old phone' })).error).toBeNull();
      await page.reload();
      await page.getByRole('row', { name: /Authenticator app Old phone not verified/ }).waitFor();
      await press('Delete: Authenticator app Old phone');
      await press('Delete it');
      await page.getByText('None. The user adds them').waitFor();
      expect((await supabase.auth.mfa.listFactors()).data?.all).toEqual([]);
    });

    it('get a link by hand', async () => {
      await press('Make a link');
      await press('Make the link');
      await page.getByText('Whoever has it gets in as this user.').waitFor();
      const code = await page.getByRole('dialog').locator('.copy-value').nth(1).innerText();
      await press('Done');
      const { data, error } = await client().auth.verifyOtp({ email: 'ada@example.com', token: code, type: 'email' });
      expect(error).toBeNull();
      expect(data.user?.email).toBe('ada@example.com');
    });

    it('are banned, and may come back', async () => {
      await press('Ban');
      await page.getByLabel('For a week').check();
      await dialog('Ban ada@example.com?').getByRole('button', { name: 'Ban', exact: true }).click();
      await page.locator('.badge').getByText('banned', { exact: true }).waitFor();
      expect((await client().auth.signInWithPassword({ email: 'ada@example.com', password })).error).toMatchObject({ code: 'user_banned' });
      await press('Lift the ban');
      await dialog('Lift the ban of ada@example.com?').getByRole('button', { name: 'Lift the ban' }).click();
      await page.locator('.badge').getByText('confirmed', { exact: true }).waitFor();
      await signedIn('ada@example.com');
    });

    it('are deleted, first to an empty row and then for good', async () => {
      await openUser('many-3@example.com');
      await press('Delete');
      await page.getByLabel('Keep an empty row').check();
      await dialog('Delete many-3@example.com?').getByRole('button', { name: 'Delete', exact: true }).click();
      await heading('Deleted user').waitFor();
      const id = page.url().split('/').at(-1)!;
      await press('Delete');
      await press('Delete the row');
      await heading('Users').waitFor();
      expect((await service.auth.admin.getUserById(id)).error).toMatchObject({ code: 'user_not_found' });
      await page.goto(at(`#/users/${id}`));
      await page.getByText('There is no such user').waitFor();
      browser.forgive(/status of 404.*admin\/users/);
    });
  });

  describe('the mailbox', () => {
    it('shows an invitation as it comes, with its code to copy', async () => {
      await page.getByRole('link', { name: 'Mailbox', exact: true }).click();
      await page.getByText('No message yet').waitFor();
      await page.getByRole('link', { name: 'Users', exact: true }).click();
      await press('Invite');
      await page.getByLabel('E-mail address').fill('grace@example.com');
      await press('Send the invitation');
      await closed();
      await page.getByRole('link', { name: 'Mailbox', exact: true }).click();
      await page.getByRole('link', { name: /grace@example\.com.*You have been invited/ }).click();
      const code = await page.locator('.message-code').innerText();
      expect(code).toMatch(/^\d{6}$/);
      expect(await page.frameLocator('.letter').locator('strong').innerText()).toBe(code);
      await press('Copy the code');
      await page.getByRole('status').filter({ hasText: /^the code (copied|could not)/ }).waitFor({ state: 'attached' });
      await page.getByRole('tab', { name: 'As it looks' }).press('ArrowRight');
      expect(await page.getByRole('region', { name: 'Plain text' }).innerText()).toContain(`Or enter this code: ${code}`);
      const link = await page.getByRole('link', { name: 'Open', exact: true }).getAttribute('href');
      expect(link).toMatch(/\/auth\/v1\/verify\?token=/);
      expect((await client().auth.verifyOtp({ email: 'grace@example.com', token: code, type: 'invite' })).data.user?.email).toBe('grace@example.com');
    });

    it('finds messages by address, and sees new ones by itself', async () => {
      await page.goto(at('#/mailbox?to=linus%40example.com'));
      await page.getByText('No message to linus@example.com').waitFor();
      expect((await client().auth.signUp({ email: 'linus@example.com', password })).error).toBeNull();
      await page.getByRole('link', { name: /linus@example\.com.*Confirm Your Signup/ }).waitFor();
      expect(await page.locator('.messages li').count()).toBe(1);
    });

    it('lets nothing run, load or leave that a mail brings', async () => {
      const asked: string[] = [];
      const stranger = createServer((request, answer) => answer.end(String(asked.push(request.url!))));
      await new Promise<void>((listening) => stranger.listen(0, '127.0.0.1', listening));
      const html = hostileMail(`http://127.0.0.1:${(stranger.address() as AddressInfo).port}`);
      await runSql(stack.dbUrl.replace('//postgres:', '//supabase_admin:'), `
        insert into mainstay_internal.messages (channel, kind, recipient, subject, body_text, body_html, link, state)
        values ('email', 'invite', 'stranger@example.com', 'Hostile', 'Dear reader', '${html.replaceAll("'", "''")}', 'javascript:alert(1)', 'kept')`);
      await page.goto(at('#/mailbox?to=stranger@example.com'));
      await page.getByRole('link', { name: /Hostile/ }).click();
      const letter = page.frameLocator('.letter');
      await letter.getByText('Dear reader').waitFor();
      await page.waitForTimeout(500);
      const inLetter = (expression: string): Promise<unknown> => page.evaluate(`((page) => ${expression})(document.querySelector('.letter').contentDocument)`);
      expect(await inLetter(`(({ color, marginLeft }) => [color, marginLeft])(page.defaultView.getComputedStyle(page.querySelector('h1')))`)).toEqual(['rgb(1, 2, 3)', '40px']);
      expect(await inLetter(`(({ target, rel }) => [target, rel])(page.querySelector('a'))`)).toEqual(['_blank', 'noopener noreferrer']);
      expect(await page.evaluate('[document.title, document.querySelector(".letter").contentDocument.title].join()')).not.toMatch(/taken|ran/);
      expect(await page.locator('.message-keys').getByRole('link').count()).toBe(0);
      stranger.close();
      expect(asked).toEqual([]);
      browser.forgive(/letter\.html|Refused to execute the redirect/);
    });

    it('throws messages away', async () => {
      await press('Delete');
      await page.getByText('No message to stranger@example.com').waitFor();
      await page.getByRole('link', { name: 'Show all messages' }).click();
      await press('Delete all');
      await press('Delete them');
      await page.getByText('No message yet').waitFor();
    });
  });

  describe('keys', () => {
    const status = async (key: string): Promise<number> => (await fetch(`${stack.url}/connection/v1`, { headers: { apikey: key } })).status;

    it('are made, shown once, and good until they are revoked', async () => {
      await page.getByRole('link', { name: 'Keys', exact: true }).click();
      await press('New key');
      await page.getByLabel('Name').fill('nightly export');
      await page.getByLabel('Role').fill('nobody_of_that_name');
      await press('Make the key');
      await page.getByRole('alert').filter({ hasText: 'There is no role "nobody_of_that_name"' }).waitFor();
      browser.forgive(/status of 400.*keys\/v1/);
      await page.getByLabel('Role').fill('service_role');
      await page.getByLabel('Runs out').selectOption('In 90 days');
      await press('Make the key');
      await page.getByText('Copy it now').waitFor();
      const key = await page.getByRole('dialog').locator('.copy-value').innerText();
      expect(key).toMatch(/^sb_secret_/);
      await press('I have copied it');
      await page.getByRole('row', { name: /nightly export.*secret service_role valid/ }).waitFor();
      expect(await page.content()).not.toContain(key);
      expect(await status(key)).toBe(200);
      await press('Revoke: nightly export');
      await press('Revoke the key');
      await closed();
      await page.getByRole('row', { name: /nightly export.*revoked/ }).waitFor();
      expect(await status(key)).toBe(401);
    });

    it('that sign are rotated, and nobody is signed out', async () => {
      const supabase = await signedIn('ada@example.com');
      await press('Rotate');
      await dialog('Let another key sign?').getByRole('button', { name: 'Rotate' }).click();
      await closed();
      const keys = page.getByRole('region', { name: 'Table of signing keys' }).locator('tbody tr');
      await keys.nth(2).waitFor();
      expect((await keys.locator('.badge').allInnerTexts()).sort()).toEqual(['current', 'previous', 'standby']);
      expect((await supabase.auth.getUser()).error).toBeNull();
      await signedIn('ada@example.com');
    });
  });

  it('tells what is on, by the setting’s name', async () => {
    await page.getByRole('link', { name: 'Sign-in settings', exact: true }).click();
    await page.getByText('Anonymous: on').waitFor();
    await page.getByText('Phone: off').waitFor();
    await page.getByLabel('Find a setting').fill('anonymous sign-in: an account');
    expect(await page.locator('.setting').allInnerTexts()).toEqual([expect.stringMatching(/^GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED[^]*\bon\b[^]*chosen/)]);
    await page.getByLabel('Find a setting').fill('no such thing');
    await page.getByText('No setting is found by “no such thing”').waitFor();
  });

  describe.each([
    ['a desktop', desktop],
    ['a phone', phone],
  ] as const)('on %s', (_what, size) => {
    it('is accessible in light and dark, and no wider than the window, on every page of accounts', async () => {
      await service.auth.signInWithOtp({ email: 'ada@example.com' });
      const looked = await browser.open(size);
      looked.setDefaultTimeout(20_000);
      const wrong: string[] = [];
      const look = async (name: string): Promise<void> => {
        await looked.locator('[aria-busy=true]').first().waitFor({ state: 'detached' });
        const found = [...(await accessibilityFaults(looked)), ...((await overhang(looked)) > 0 ? ['wider than the window'] : [])];
        wrong.push(...found.map((fault) => `${name}: ${fault}`));
      };
      const visit = async (name: string, hash: string, sign: string): Promise<void> => {
        await looked.goto(at(hash));
        await looked.locator(sign).first().waitFor();
        await look(name);
      };
      await signIn(looked);
      // Few rows: each of them is like the others, and is looked at by itself.
      await visit('users', '#/users?search=many-1', 'table tbody a');
      await press('Create a user', looked);
      await look('create a user');
      await press('Cancel', looked);
      await visit('nobody', '#/users?search=nobody', '.empty');
      await visit('found', '#/users?search=ada', 'table tbody a');
      await looked.getByRole('link', { name: 'ada@example.com' }).click();
      await looked.getByRole('region', { name: 'Table of sessions' }).locator('tbody tr').first().waitFor();
      await look('user');
      await press('Ban', looked);
      await look('ban');
      await press('Cancel', looked);
      await visit('mailbox', '#/mailbox', '.messages a');
      await looked.locator('.messages a').first().click();
      await looked.locator('.message-code').waitFor();
      await look('message');
      await visit('keys', '#/keys', 'table tbody th');
      await press('New key', looked);
      await look('new key');
      await press('Cancel', looked);
      await looked.goto(at('#/sign-in'));
      await looked.getByLabel('Find a setting').fill('external');
      await looked.locator('.setting').first().waitFor();
      await look('sign-in settings');
      if (size === phone) {
        await press('Accounts', looked);
        await look('the list of pages');
        await looked.getByRole('link', { name: 'Mailbox', exact: true }).click();
        await looked.getByRole('heading', { level: 1, name: 'Mailbox' }).waitFor();
        expect(await looked.getByRole('button', { name: 'Accounts' }).getAttribute('aria-expanded')).toBe('false');
      }
      await looked.context().close();
      expect(wrong).toEqual([]);
    }, 240_000);
  });

  it('makes no complaint: no error, nothing that its content policy refuses', () => {
    expect(browser.complaints).toEqual([]);
  });
});
