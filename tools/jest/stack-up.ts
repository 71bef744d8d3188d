import { build } from '../build.mjs';
import { findBrowser } from './find-browser.mjs';
import serversUp from './servers-up.ts';

/** What journeys need beside the servers: the built apps, and a browser, whose path specs read in `MAINSTAY_BROWSER`. */
export default async function stackUp(): Promise<void> {
  process.env['MAINSTAY_BROWSER'] = findBrowser();
  await Promise.all([build(), serversUp()]);
}
