import { join } from 'node:path';
import { findRoot } from './root.ts';

/** Our extensions in plain SQL, as they lie in the checkout. */
export function extensionsFolder(): string {
  return join(findRoot(), 'libs', 'embedded', 'extensions');
}
