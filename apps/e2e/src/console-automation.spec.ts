import { OtlpReceiver, Receiver } from '@mainstay/testing';
import type { Locator, Page } from 'playwright-core';
import { Webhook } from 'standardwebhooks';
import { accessibilityFaults, desktop, overhang, phone, RealBrowser } from './browser.ts';
import { runSql } from './sql.ts';
import { startStack, type Stack } from './stack.ts';

const metricsToken = 'for-prometheus-alone';
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';

describe('the console, with what happens after the answer', () => {
  let stack: Stack;
  let browser: RealBrowser;
  let receiver: Receiver;
  let collector: OtlpReceiver;
  let page: Page;

  const at = (hash = ''): string => `${stack.url}/console/${hash}`;
  const sql = (text: string): Promise<Record<string, unknown>[]> => runSql(stack.dbUrl, text);
  const heading = (name: string): Promise<void> => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
  const press = (name: string | RegExp, on: Page | Locator = page): Promise<void> => on.getByRole('button', { name, exact: true }).click();
  const row = (table: string, name: string | RegExp): Locator => page.getByRole('region', { name: table }).getByRole('row', { name });
  const signIn = async (on: Page): Promise<void> => {
    await on.goto(at());
    await on.getByLabel('Service key').fill(stack.secretKey);
    await on.getByRole('button', { name: 'Sign in' }).click();
    await on.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  };
  const until = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
    for (const end = Date.now() + 15_000; !(await isSo()); ) {
      if (Date.now() > end) throw new Error('it did not come to pass within 15 s');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const effects = async (): Promise<number> => (await sql('select from public.effects')).length;

  beforeAll(async () => {
    [receiver, collector] = [await Receiver.start(), await OtlpReceiver.start()];
    stack = await startStack({
      environment: { MAINSTAY_OUTWARD_ALLOW: '127.0.0.1', MAINSTAY_METRICS_TOKEN: metricsToken, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '200' },
    });
    await sql(`
      create table public.orders (id int primary key, status text, total int, note text);
      create table public.effects (id int generated always as identity, what text);
      create function public.tidy(days int default 1) returns text language sql as $$ insert into public.effects (what) values ('tidy ' || days) returning what $$;
      create function public.shaky() returns void language plpgsql as $$ begin raise exception 'it is broken'; end $$;
      grant all on public.orders, public.effects to service_role`);
    browser = await RealBrowser.start();
    page = await browser.open(desktop);
    page.setDefaultTimeout(20_000);
    await signIn(page);
  }, 120_000);
  afterAll(async () => {
    await browser?.stop();
    await stack?.stop();
    receiver?.stop();
    collector?.stop();
  }, 30_000);

  describe('jobs', () => {
    it('that died are seen where they died, and are all sent again', async () => {
      for (let turn = 0; turn < 3; turn += 1) await sql(`select mainstay.enqueue('public.shaky', max_attempts => 1)`);
      await page.getByRole('link', { name: 'Jobs', exact: true }).click();
      await row('Table of queues', /^functions/).getByRole('link', { name: '3', exact: true }).click();
      await page.getByRole('region', { name: 'Table of jobs' }).getByText('it is broken').nth(2).waitFor();
      await sql(`create or replace function public.shaky() returns void language sql as $$ insert into public.effects (what) values ('mended') $$`);
      await press('Retry all 3');
      await press('Send them again');
      await page.getByText('No job passes these filters').waitFor();
      await until(async () => (await effects()) === 3);
    });

    it('wait while their queue is paused, and go on when it is resumed', async () => {
      await page.goto(at('#/jobs'));
      await press('Pause: functions');
      await press('Pause it');
      await row('Table of queues', /^functions paused/).waitFor();
      await sql(`select mainstay.enqueue('public.tidy', '{"days": 7}')`);
      await page.getByRole('link', { name: 'public.tidy' }).first().click();
      await page.getByText('queued: waits for a worker').waitFor();
      expect(await page.getByRole('region', { name: 'Arguments' }).innerText()).toContain('"days": 7');
      expect(await effects()).toBe(3);
      await page.getByRole('link', { name: 'All jobs' }).click();
      await press('Resume: functions');
      await page.getByRole('link', { name: 'public.tidy' }).first().click();
      await page.getByText('done: finished').waitFor();
      expect(await page.getByRole('region', { name: 'Result' }).innerText()).toBe('"tidy 7"');
      expect(await effects()).toBe(4);
    });

    it('are held to what their queue is held to', async () => {
      await page.goto(at('#/jobs'));
      await press('Limits: functions');
      await page.getByLabel('At once', { exact: true }).fill('5');
      await press('Save');
      await row('Table of queues', /^functions 5 at once/).waitFor();
    });
  });

  describe('schedules', () => {
    it('say what they mean and when they run, before they are made', async () => {
      await page.getByRole('link', { name: 'Schedules', exact: true }).click();
      await page.getByText('Nothing happens by the clock yet').waitFor();
      await page.getByRole('link', { name: 'New schedule' }).first().click();
      await heading('New schedule');
      const preview = page.getByRole('group', { name: 'Next runs' });
      await page.getByLabel('Cron line').fill('0 25 * * *');
      await preview.getByText(/"0 25 \* \* \*" is no schedule/).waitFor();
      browser.forgive(/status of 422.*preview/);
      await page.getByLabel('Time zone').fill('Asia/Tokyo');
      await page.getByLabel('Such as').selectOption('on workdays at 9');
      await preview.getByText('At 09:00, Monday through Friday').waitFor();
      await preview.getByText(/, 09:00:00 (JST|GMT\+9)/).nth(4).waitFor();
      // What is missing is said, and what was typed stays.
      await press('Make the schedule');
      await page.getByRole('alert').getByText('Give it a name.').waitFor();
      await page.getByLabel('Name', { exact: true }).fill('tidy up');
      await page.getByLabel('Function', { exact: true }).fill('public.tidy');
      await page.getByLabel('Arguments', { exact: true }).fill('{"days": 30}');
      await press('Make the schedule');
      await heading('tidy up');
      await page.getByText('It has not run yet').waitFor();
    });

    it('run by hand, and have a history', async () => {
      await press('Run now: tidy up');
      await row('Runs', /by hand/).getByText('done', { exact: true }).waitFor();
      expect(await sql(`select what from public.effects order by id desc limit 1`)).toEqual([{ what: 'tidy 30' }]);
    });

    it('are paused, changed and deleted', async () => {
      await press('Pause: tidy up');
      await page.getByText('None while it is paused.').waitFor();
      await page.getByRole('link', { name: 'Edit' }).click();
      await page.getByLabel('Cron line').fill('30 seconds');
      await press('Save');
      await heading('tidy up');
      await page.getByRole('link', { name: 'All schedules' }).click();
      await row('Schedules', /^tidy up calls public.tidy Every 30 seconds Asia\/Tokyo paused done/).waitFor();
      await page.getByRole('link', { name: 'tidy up' }).click();
      await press('Delete');
      await press('Delete the schedule');
      await page.getByText('Nothing happens by the clock yet').waitFor();
    });
  });

  describe('webhooks', () => {
    let secret = '';

    it('are made for some rows and columns, and show their secret once', async () => {
      await page.getByRole('link', { name: 'Webhooks', exact: true }).click();
      await page.getByText('Nobody is told yet').waitFor();
      await page.getByRole('link', { name: 'New endpoint' }).first().click();
      await heading('New endpoint');
      await press('Make the endpoint');
      await page.getByRole('alert').getByText('Say where events are to be sent.').waitFor();
      await page.getByLabel('Address', { exact: true }).fill('http://10.0.0.7/hook');
      await page.getByLabel('Collection', { exact: true }).selectOption('public.orders');
      await page.getByLabel('is updated').uncheck();
      await page.getByLabel('is deleted').uncheck();
      await page.getByLabel('Field', { exact: true }).selectOption('status');
      await page.getByLabel('Condition').selectOption('eq');
      await page.getByLabel('Value', { exact: true }).fill('paid');
      await press('Filter');
      await page.getByText('Only some columns').click();
      await page.getByLabel('note', { exact: true }).uncheck();
      // Where it may not go is refused in words.
      await press('Make the endpoint');
      await page.getByRole('alert').getByText(/10\.0\.0\.7 is no public address/).first().waitFor();
      browser.forgive(/status of 400.*endpoints/);
      await page.getByLabel('Address', { exact: true }).fill(receiver.url);
      await press('Make the endpoint');
      const dialog = page.getByRole('dialog', { name: 'The endpoint’s secret' });
      secret = await dialog.locator('.copy-value').innerText();
      expect(secret).toMatch(/^whsec_/);
      await press('I have copied it', dialog);
      await heading('Endpoint');
      await page.getByText('public.orders: insert where status=eq.paid, with id, status, total').waitFor();
      expect(await page.content()).not.toContain(secret);
    });

    it('tell of what they were made for, signed', async () => {
      await sql(`insert into public.orders values (1, 'open', 10, 'secret'), (2, 'paid', 20, 'secret')`);
      await until(() => receiver.received.length === 1);
      const [{ body, headers }] = receiver.received as [(typeof receiver.received)[0]];
      expect(new Webhook(secret).verify(body, headers)).toMatchObject({ type: 'public.orders.insert' });
      expect(body).toContain('"total":20');
      expect(body).not.toContain('secret');
      await page.getByRole('region', { name: 'Table of deliveries' }).getByRole('link', { name: 'public.orders.insert' }).click();
      await heading('Delivery');
      await page.getByText('answered 200').click();
      await page.getByText('thank you').waitFor();
    });

    it('are tried, and what failed is sent again', async () => {
      receiver.forget();
      receiver.answer = (_, response) => response.writeHead(503).end('not now');
      await page.getByRole('link', { name: 'The endpoint' }).click();
      await press('Send a test');
      await heading('Delivery');
      await page.getByText('answered 503').waitFor();
      receiver.answer = (_, response) => response.end('now');
      await press('Send now');
      await page.getByText('answered 200').waitFor();
      expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    });

    it('are sent again for a stretch of time, stopped for a while, and given a new secret', async () => {
      await page.getByRole('link', { name: 'The endpoint' }).click();
      receiver.forget();
      await press('Send again…');
      await page.getByLabel('What is', { exact: true }).selectOption('done');
      await press('Send again');
      await until(() => receiver.received.length === 2);
      await press('Pause');
      await page.getByText('Nothing is sent; what happens is written down and waits.').first().waitFor();
      await press('Resume');
      await press('New secret');
      await press('Make it');
      expect(await page.getByRole('dialog', { name: 'The new secret' }).locator('.copy-value').innerText()).not.toBe(secret);
      await press('I have copied it');
    });
  });

  describe('exports', () => {
    it('make a file of the rows that one looks at', async () => {
      await page.goto(at('#/data/public/orders?where=status%3Aeq%3Apaid'));
      await page.getByRole('link', { name: 'Export', exact: true }).click();
      await heading('Exports');
      await page.getByText('status is paid').waitFor();
      await page.getByText('Only some fields').click();
      await page.getByLabel('note', { exact: true }).uncheck();
      await press('Export orders');
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download orders.csv' }).click()]);
      let text = '';
      for await (const chunk of await download.createReadStream()) text += chunk;
      expect(text).toBe('id,status,total\n2,paid,20\n');
      await press('Delete: public.orders');
      await press('Delete the file');
      await page.getByText('No file yet').waitFor();
    });
  });

  describe.each([
    ['a desktop', desktop],
    ['a phone', phone],
  ] as const)('on %s', (_what, size) => {
    it('is accessible in light and dark, and no wider than the window, on every page', async () => {
      await fetch(`${stack.url}/schedules/v1`, { method: 'POST', headers: { apikey: stack.secretKey, 'content-type': 'application/json' }, body: JSON.stringify({ name: 'nightly', cron: '0 3 * * *', time_zone: 'Europe/Berlin', sql: 'select 1' }) });
      await fetch(`${stack.url}/exports/v1/orders`, { method: 'POST', headers: { apikey: stack.secretKey } });
      const looked = await browser.open(size);
      looked.setDefaultTimeout(15_000);
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
      await visit('jobs', '#/jobs', '.table tbody a');
      await looked.getByRole('link', { name: 'public.tidy' }).first().click();
      await looked.locator('.facts').waitFor();
      await look('job');
      await visit('schedules', '#/schedules', '.table tbody a');
      await looked.getByRole('link', { name: 'nightly' }).click();
      await looked.locator('.facts').waitFor();
      await look('schedule');
      await visit('new schedule', '#/schedules/new', '.next-runs');
      await visit('webhooks', '#/webhooks', '.table tbody a');
      await looked.locator('.table tbody a').first().click();
      await looked.locator('.facts').waitFor();
      await looked.getByRole('region', { name: 'Table of deliveries' }).getByRole('link').first().click();
      await looked.locator('.tries summary').first().click();
      await look('delivery');
      await looked.getByRole('link', { name: 'The endpoint' }).click();
      await looked.getByRole('region', { name: 'Table of deliveries' }).getByRole('link').first().waitFor();
      await look('endpoint');
      await visit('new endpoint', '#/webhooks/new', '.part-form');
      await visit('exports', '#/exports?of=public.orders', '.table tbody a');
      await looked.context().close();
      expect(wrong).toEqual([]);
    }, 60_000);
  });

  it('makes no complaint: no error, nothing that its content policy refuses', () => {
    expect(browser.complaints).toEqual([]);
  });

  describe('beside the console', () => {
    it('Prometheus is told of all of it', async () => {
      const scrape = async (): Promise<string> => (await fetch(`${stack.url}/metrics`, { headers: { authorization: `Bearer ${metricsToken}` } })).text();
      await until(async () => /mainstay_jobs_ended_total\{queue="functions",outcome="done"\} [4-9]/.test(await scrape()));
      const text = await scrape();
      expect(text).toMatch(/mainstay_jobs_ended_total\{queue="functions",outcome="dead"\} 3/);
      expect(text).toMatch(/mainstay_job_run_seconds_count\{queue="functions"\} \d+/);
      expect(text).toMatch(/mainstay_processes\{kind="worker"\} 1/);
      expect(text).toMatch(/mainstay_webhook_endpoints\{state="active"\} 1/);
    });

    it('one trace leads from a request through the outbox to what the job did', async () => {
      const answer = await fetch(`${stack.url}/rest/v1/rpc/enqueue`, {
        method: 'POST',
        headers: { apikey: stack.secretKey, 'content-type': 'application/json', 'content-profile': 'mainstay', traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
        body: JSON.stringify({ function: 'public.tidy', arguments: { days: 99 } }),
      });
      expect(answer.status).toBe(200);
      const names = (): string[] => collector.spans.filter((span) => span.traceId === traceId).map(({ service, name }) => `${service}: ${name}`);
      await until(() => names().includes('mainstay-worker: job call-function') && names().some((name) => name.startsWith('mainstay-api: POST')));
      const [request, published, job] = ['POST /rest/v1/rpc/:function', 'publish functions', 'job call-function'].map((name) => collector.spans.find((span) => span.traceId === traceId && span.name === name)!);
      expect(request).toMatchObject({ parentSpanId: '00f067aa0ba902b7', service: 'mainstay-api' });
      expect(published!.traceId).toBe(traceId);
      expect(job).toMatchObject({ parentSpanId: published!.spanId, service: 'mainstay-worker' });
      expect(collector.spans.filter(({ parentSpanId }) => parentSpanId === job!.spanId).length).toBeGreaterThan(0);
      expect(JSON.stringify(collector.spans)).not.toMatch(/tidy 99|paid|sb_secret/);
    });
  });
});
