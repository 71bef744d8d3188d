import axe from 'axe-core';
import { chromium, type Browser, type Page } from 'playwright-core';

/** The size of a window. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

export const desktop: Size = { width: 1280, height: 860 };
/** A phone of today, held upright. */
export const phone: Size = { width: 390, height: 844 };

/** A real browser, and everything that its pages complained about. */
export class RealBrowser {
  /** Errors in the console (among them what the content policy refused) and exceptions nobody caught. */
  complaints: string[] = [];

  private constructor(private readonly browser: Browser) {}

  /** Starts the browser whose path `MAINSTAY_BROWSER` says; the set-up of these specs finds or unpacks one. */
  static async start(): Promise<RealBrowser> {
    const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];
    return new RealBrowser(await chromium.launch({ executablePath: process.env['MAINSTAY_BROWSER']!, args: ['--no-sandbox', ...quiet] }));
  }

  /** A page with a session of its own. */
  async open(size: Size): Promise<Page> {
    const context = await this.browser.newContext({ viewport: size, hasTouch: size === phone, acceptDownloads: true });
    const page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(`${message.text()} (${message.location().url})`);
    });
    page.on('pageerror', (error) => this.complaints.push(error.stack ?? error.message));
    return page;
  }

  /** Takes back the complaints that a spec provoked. */
  forgive(provoked: RegExp): void {
    this.complaints = this.complaints.filter((complaint) => !provoked.test(complaint));
  }

  stop(): Promise<void> {
    return this.browser.close();
  }
}

/**
 * What axe finds wrong on a page, a line each, in the light and in the dark, which differ in their colours alone.
 * It comes in by the debugger's door, which no content policy closes.
 */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  if (!(await page.evaluate(`'axe' in window`))) await page.evaluate(axe.source);
  await page.emulateMedia({ colorScheme: 'light' });
  const inTheLight = await faultsOf(page, {});
  await page.emulateMedia({ colorScheme: 'dark' });
  return [...inTheLight, ...(await faultsOf(page, { runOnly: ['color-contrast'] }))];
}

async function faultsOf(page: Page, options: axe.RunOptions): Promise<string[]> {
  const { violations } = (await page.evaluate(`axe.run(document, ${JSON.stringify({ ...options, resultTypes: ['violations'] })})`)) as axe.AxeResults;
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ target }) => `${id}: ${help} (${target.join(' ')})`));
}

/** By how many pixels the page is wider than the window. */
export async function overhang(page: Page): Promise<number> {
  return (await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')) as number;
}
