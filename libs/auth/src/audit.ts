import { writeAudit, type Device, type OpenAccounts, type User } from '@mainstay/persistence';

/** Whoever acts for the administration: the service key has no name. */
export const administration = { id: '00000000-0000-0000-0000-000000000000', username: 'service_role' };

/** Writes what a user did into the audit log, in the transaction in which it happened. */
export async function audit(tx: OpenAccounts, action: string, user: User, device: Device | null, traits?: Readonly<Record<string, unknown>>): Promise<void> {
  const name = user.rawUserMetaData?.['full_name'] ?? user.rawUserMetaData?.['name'];
  const username = user.email === null || user.email === undefined || user.email === '' ? (user.phone ?? '') : user.email;
  await writeAudit(tx, {
    action,
    actor: { id: user.id, username, name: typeof name === 'string' ? name.slice(0, 200) : null, isSso: user.isSsoUser },
    ...(traits === undefined ? {} : { traits }),
    address: device?.address ?? null,
  });
}

/** Writes what the administration did to a user. */
export async function auditAdmin(tx: OpenAccounts, action: string, user: User, device: Device | null, traits: Readonly<Record<string, unknown>> = {}): Promise<void> {
  await writeAudit(tx, { action, actor: administration, traits: { user_id: user.id, user_email: user.email ?? '', user_phone: user.phone ?? '', ...traits }, address: device?.address ?? null });
}
