import { randomUUID } from 'node:crypto';
import type { Device, OpenAccounts } from '@mainstay/persistence';
import type { Hooks } from './hooks.ts';
import { viewUser, type Viewable } from './views.ts';

/** Who wants to be a user, from where, and whom the project lets decide. */
export interface Birth {
  readonly hooks: Hooks;
  readonly device: Device;
}

/** Asks whether somebody may become a user. @throws Fault as the hook words its no */
export async function beforeUserCreated(tx: OpenAccounts, user: Viewable['user'], { hooks, device }: Birth): Promise<void> {
  if (!hooks.has('before_user_created')) return;
  const metadata = { uuid: randomUUID(), time: new Date(), name: 'before-user-created', ip_address: device.address ?? '' };
  const never = '0001-01-01T00:00:00Z';
  await hooks.ask('before_user_created', { metadata, user: { ...viewUser({ user, identities: [] }), created_at: never, updated_at: never } }, tx);
}
