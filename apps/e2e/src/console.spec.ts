import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { accessibilityFaults, desktop, overhang, phone, RealBrowser } from './browser.ts';
import { runSql } from './sql.ts';
import { startStack, type Stack } from './stack.ts';

const rows = 1500;
const badLines = [12, 700, 1400];
const cellsOf = (line: number): string => `${line - 1},2001-01-${String(1 + (line % 28)).padStart(2, '0')},${badLines.includes(line) ? 'late' : line % 90},${line % 2 === 0 ? 'AA' : 'WN'}`;
/** Row n stands on line n + 1, below the header. */
const flights = ['line,Flight Date,delay,carrier', ...Array.from({ length: rows }, (_, index) => cellsOf(index + 2))].join('\n');

const csv = (name: string, text: string) => ({ name, mimeType: 'text/csv', buffer: Buffer.from(text) });

describe('the console', () => {
  let stack: Stack;
  let browser: RealBrowser;
  /** The page that the whole story is told on. */
  let page: Page;

  const at = (hash = ''): string => `${stack.url}/console/${hash}`;
  const heading = (name: string) => page.getByRole('heading', { level: 1, name, exact: true });
  const choose = (file: { name: string; mimeType: string; buffer: Buffer }): Promise<void> => page.setInputFiles('input[type=file]', file);
  const start = (): Promise<void> => page.getByRole('button', { name: /^Import into/ }).click();
  const state = (name: string) => page.locator('.card').getByText(name, { exact: true });
  /** The texts of a table's column, once the rows are there. */
  const column = (index: number): Promise<string[]> => page.locator(`.table-rows tbody td:nth-child(${index})`).allInnerTexts();
  const signIn = async (on: Page): Promise<void> => {
    await on.goto(at());
    await on.getByLabel('Service key').fill(stack.secretKey);
    await on.getByRole('button', { name: 'Sign in' }).click();
    await on.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  };

  beforeAll(async () => {
    stack = await startStack();
    browser = await RealBrowser.start();
    page = await browser.open(desktop);
    page.setDefaultTimeout(20_000);
  }, 60_000);
  afterAll(async () => {
    await browser?.stop();
    await stack?.stop();
  }, 30_000);

  describe('at its door', () => {
    it.each([
      ['a wrong key', () => 'sb_secret_wrong', /not a key of this server/],
      ['a text that no header can carry', () => 'ключ', /cannot be a key/],
      ['the publishable key', () => stack.publishableKey, /not the service key/],
    ])('refuses %s in words', async (_what, key, words) => {
      await page.goto(at());
      await page.getByLabel('Service key').fill(key());
      await page.getByRole('button', { name: 'Sign in' }).click();
      expect(await page.getByRole('alert').filter({ hasText: words }).innerText()).toMatch(words);
      // The browser itself notes every refusal.
      browser.forgive(/status of 40[13].*connection\/v1/);
    });

    it('lets the service key in, for this tab alone', async () => {
      await signIn(page);
      await page.locator('.part-ok').nth(3).waitFor();
      await page.getByText(stack.publishableKey).first().waitFor();
      expect(await page.evaluate('localStorage.length')).toBe(0);
    });
  });

  describe('with a file', () => {
    it('refuses what is no text, before anything is sent', async () => {
      await page.getByRole('link', { name: 'Import', exact: true }).click();
      await heading('Import').waitFor();
      await choose(csv('sheet.csv', 'PK\u0003\u0004'));
      expect(await page.getByRole('alert').filter({ hasText: 'sheet.csv' }).innerText()).toMatch(/Excel/);
    });

    it('makes a collection of what was dropped, and shows the rows that did not fit', async () => {
      const transfer = await page.evaluateHandle(`(() => { const transfer = new DataTransfer(); transfer.items.add(new File([${JSON.stringify(flights)}], 'Flights 2001.csv')); return transfer; })()`);
      await page.dispatchEvent('.drop', 'drop', { dataTransfer: transfer });
      expect(await page.getByLabel('Name of the collection').inputValue()).toBe('flights_2001');
      expect(await page.getByLabel('Name of the field for Flight Date').inputValue()).toBe('flight_date');
      expect(await page.getByLabel('Type of the field for Flight Date').inputValue()).toBe('date');
      expect(await page.getByLabel('line is part of the primary key').isChecked()).toBe(true);
      // A sample of 1,500 rows shows all that is in them, the bad ones too.
      expect(await page.getByLabel('Type of the field for delay').inputValue()).toBe('text');
      await page.getByLabel('Type of the field for delay').selectOption('bigint');
      await page.getByLabel('Every signed-in user').check();
      await start();
      await state('done').waitFor();
      expect(await page.locator('.run-words').innerText()).toContain('1,497 rows are now in public.flights_2001. 3 rows did not fit and were set aside.');
      expect(await page.getByRole('progressbar', { name: 'Import into public.flights_2001' }).getAttribute('value')).toBe('100');
      const rejects = page.getByRole('region', { name: 'Rejects' }).locator('tbody tr');
      await rejects.nth(2).waitFor();
      expect(await rejects.allInnerTexts()).toEqual(badLines.map((line) => `${line.toLocaleString('en')}\tdelay\tlate\tinvalid input syntax for type bigint: "late"`));
    });

    it('gives the rejects as a file', async () => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download as CSV' }).click()]);
      let text = '';
      for await (const chunk of await download.createReadStream()) text += chunk;
      expect(text).toBe(['line,column,value,reason', ...badLines.map((line) => `${line},delay,late,"invalid input syntax for type bigint: ""late"""`), ''].join('\n'));
    });

    it('keeps asking while the server is away, and shows the import again after a reload', async () => {
      await page.reload();
      await state('done').waitFor();
      await page.context().setOffline(true);
      await page.getByText('The server does not answer. This page goes on asking').waitFor();
      await page.context().setOffline(false);
      await page.locator('.away').waitFor({ state: 'detached' });
      browser.forgive(/ERR_INTERNET_DISCONNECTED/);
    });

    it('fills an existing collection, its columns matched by name, packed and with rows replaced', async () => {
      await page.getByRole('link', { name: 'Look at the rows' }).click();
      await heading('flights_2001').waitFor();
      await page.getByRole('link', { name: 'Import rows' }).click();
      await choose({ name: 'more.csv.gz', mimeType: 'application/gzip', buffer: gzipSync('CARRIER;Line;flight date;delay\nUA;1;2002-02-02;1000\nUA;9999;2002-02-03;1001\n') });
      // The page asks for the collections, and may not have them yet.
      await page.getByLabel('Field for flight date').waitFor();
      expect(await page.getByLabel('Collection', { exact: true }).inputValue()).toBe('public.flights_2001');
      expect(await page.getByLabel('Field for flight date').inputValue()).toBe('flight_date');
      await page.getByLabel('Replace').check();
      await start();
      await state('done').waitFor();
      expect(await page.locator('.run-words').innerText()).toContain('2 rows are now in public.flights_2001.');
    });

    it('says before it starts what would be refused', async () => {
      await page.goto(at('#/import?into=public.flights_2001'));
      await choose(csv('few.csv', 'carrier,gate\nUA,B4\n'));
      await start();
      const stops = await page.getByRole('alert').filter({ hasText: 'Before it can start' }).innerText();
      expect(stops).toMatch(/“gate” goes nowhere/);
      expect(stops).toMatch(/“line” must have a value/);
    });
  });

  describe('with data', () => {
    it('filters and orders rows, in an address that can be shared', async () => {
      await page.getByRole('link', { name: 'Data', exact: true }).click();
      await page.getByRole('link', { name: /^flights_2001/ }).click();
      await page.getByLabel('Field', { exact: true }).selectOption('delay');
      await page.getByLabel('Condition').selectOption('gt');
      await page.getByLabel('Value').fill('88');
      await page.getByRole('button', { name: 'Filter', exact: true }).click();
      await page.getByText('delay is more than 88').waitFor();
      await page.getByRole('button', { name: 'delay bigint' }).click();
      await page.getByRole('button', { name: 'delay bigint' }).click();
      await page.locator('th[aria-sort=descending]').waitFor();
      await page.locator('.table-rows tbody td').filter({ hasText: '1001' }).waitFor();
      expect((await column(4)).slice(0, 3)).toEqual(['1001', '1000', '89']);
      await page.reload();
      await page.locator('.table-rows tbody td').filter({ hasText: '1001' }).waitFor();
      expect((await column(2)).slice(0, 2)).toEqual(['9999', '1']);
      await page.getByRole('button', { name: 'Remove the filter: delay is more than 88' }).click();
      await page.getByLabel('Count exactly').check();
      await page.getByText(`1–50 of ${(rows - badLines.length + 1).toLocaleString('en')}`).waitFor();
    });

    it('turns pages, and opens a row by the keyboard', async () => {
      await page.getByRole('button', { name: 'Next' }).click();
      await page.getByText('51–100 of').waitFor();
      await page.getByRole('button', { name: 'Open row 51', exact: true }).press('Enter');
      const dialog = page.getByRole('dialog', { name: 'Row of flights_2001' });
      expect(await dialog.getByRole('region', { name: 'carrier' }).innerText()).toMatch(/AA|WN/);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      expect(await page.evaluate('document.activeElement.textContent')).toBe('51');
    });
  });

  describe('with jobs', () => {
    it('cancels one that waits', async () => {
      process.kill(stack.pids()['worker']!, 'SIGSTOP');
      try {
        await page.goto(at('#/import'));
        await choose(csv('waiting.csv', 'id,name\n1,x\n'));
        await start();
        await page.getByText('Waiting for a worker…').waitFor();
        await page.getByRole('link', { name: 'Jobs', exact: true }).click();
        await page.getByRole('combobox', { name: 'State' }).selectOption('queued');
        await page.getByRole('button', { name: 'Cancel: Import rows' }).click();
        await page.getByRole('button', { name: 'Cancel the job' }).click();
        await page.getByRole('dialog').waitFor({ state: 'detached' });
        await page.getByRole('combobox', { name: 'State' }).selectOption('cancelled');
        await page.getByRole('link', { name: 'Import rows' }).click();
        await state('cancelled').waitFor();
      } finally {
        process.kill(stack.pids()['worker']!, 'SIGCONT');
      }
      // A worker that stands still is told by the health, which the page asks.
      browser.forgive(/status of 503.*health\/ready/);
      await page.getByText('It cannot be sent again, since its file is no longer kept.').waitFor();
      await page.getByRole('link', { name: 'Into public.waiting' }).click();
      await page.getByText('The import was cancelled. Nothing was written.').waitFor();
    });

    it('says why one died, and sends it again', async () => {
      // No client can make a job die, so this one is laid into the table by the administrator.
      await runSql(stack.dbUrl.replace('//postgres:', '//supabase_admin:'), `
        insert into mainstay_internal.jobs (kind, queue, carrier, turn, payload, role, claims, state, attempts, max_attempts, patience, error, started_at, finished_at)
        values ('ping', 'upkeep', 'upkeep', '', '{}', 'service_role', '{"role":"service_role"}', 'dead', 3, 3, 3, '{"code":"57014","message":"It took too long, three times.","details":null,"hint":null}', now(), now())`);
      await page.goto(at('#/jobs?state=dead'));
      await page.getByText('It took too long, three times.').waitFor();
      await page.getByRole('link', { name: 'Ping' }).click();
      await page.getByRole('button', { name: 'Retry: Ping' }).click();
      await page.getByRole('button', { name: 'Send again' }).click();
      await state('done').waitFor();
    });
  });

  describe.each([
    ['a desktop', desktop],
    ['a phone', phone],
  ] as const)('on %s', (_what, size) => {
    it('is accessible in light and dark, and no wider than the window, on every page', async () => {
      const looked = await browser.open(size);
      const wrong: string[] = [];
      const look = async (name: string): Promise<void> => {
        // What is on its way is grey and would be judged by its colour.
        await looked.locator('[aria-busy=true]').first().waitFor({ state: 'detached' });
        const found = [...(await accessibilityFaults(looked)), ...((await overhang(looked)) > 0 ? ['wider than the window'] : [])];
        wrong.push(...found.map((fault) => `${name}: ${fault}`));
      };
      const visit = async (name: string, hash: string, sign: string): Promise<void> => {
        await looked.goto(at(hash));
        await looked.locator(sign).first().waitFor();
        await look(name);
      };
      await visit('sign in', '', '.door-card');
      await signIn(looked);
      await looked.locator('.code').first().waitFor();
      await look('overview');
      await visit('import', '#/import', 'table tbody a');
      await looked.setInputFiles('input[type=file]', csv('Flights 2001.csv', flights));
      await looked.getByLabel('Name of the collection').waitFor();
      await looked.getByText('Read the file in another way').click();
      await startInVain(looked);
      await look('review');
      await looked.getByLabel('An existing collection').check();
      await looked.getByLabel('Collection', { exact: true }).selectOption('public.flights_2001');
      await look('review, existing collection');
      await looked.getByRole('button', { name: 'Choose another file' }).click();
      await looked.locator('table tbody a').last().click();
      await looked.locator('.run-done').waitFor();
      await looked.getByRole('region', { name: 'Rejects' }).locator('tbody tr').first().waitFor();
      await look('import, over');
      await visit('data', '#/data', '.collections a');
      await visit('rows', '#/data/public/flights_2001', '.table-rows tbody button');
      await looked.getByRole('button', { name: 'Open row 1', exact: true }).click();
      await look('row');
      await visit('no rows', '#/data/public/flights_2001?where=line%3Aeq%3A-1', '.empty');
      await visit('jobs', '#/jobs', 'tbody a[href^="#/jobs/"]');
      await looked.locator('tbody a[href^="#/jobs/"]').first().click();
      await looked.locator('.facts').waitFor();
      await look('job');
      await looked.context().close();
      expect(wrong).toEqual([]);
    }, 120_000);
  });

  it('makes no complaint: no error, nothing that its content policy refuses', () => {
    expect(browser.complaints).toEqual([]);
  });
});

/** Asked to start with a name that is taken, the review says so. */
async function startInVain(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Import into/ }).click();
  await page.getByText('Before it can start').waitFor();
}
