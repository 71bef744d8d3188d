import type { Settings } from '@mainstay/config';

/** The settings as they are now: the database may overrule some of them while we run. */
export class LiveSettings {
  constructor(public current: Settings) {}
}
