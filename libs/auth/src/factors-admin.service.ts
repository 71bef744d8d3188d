import {
  dropFactor, dropPasskey, listPasskeys, lockFactor, lowerSessions, renameFactor, type Account, type Accounts, type Device, type OpenAccounts,
} from '@mainstay/persistence';
import { methodsOfFactors } from './assurance.ts';
import { auditAdmin } from './audit.ts';
import { checkedName, namingConflicts, ownFactor } from './factors.service.ts';
import { fault } from './faults.ts';
import { parsePhone } from './parse-address.ts';
import { noSuchPasskey, viewPasskey, type PasskeyView } from './passkeys.service.ts';
import { viewFactor } from './views.ts';

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Second factors and passkeys of others, for whoever holds the service key: a person who lost them is let in again so. */
export class FactorsAdmin {
  constructor(private readonly accounts: Accounts) {}

  async factors(userId: string): Promise<object[]> {
    return ((await this.find(userId)).factors ?? []).map(viewFactor);
  }

  async updateFactor(userId: string, factorId: string, changes: { readonly friendlyName: string; readonly phone: string }, device: Device): Promise<object> {
    const account = await this.find(userId);
    const { id, type } = ownFactor({ account }, factorId);
    const friendlyName = changes.friendlyName === '' ? null : checkedName(changes.friendlyName);
    const phone = changes.phone === '' || type !== 'phone' ? null : parsePhone(changes.phone);
    return namingConflicts(changes.friendlyName, () => this.accounts.transaction(async (tx) => {
      await lockedFactor(tx, account, id);
      const updated = await renameFactor(tx, id, { friendlyName, phone });
      await auditAdmin(tx, 'factor_updated', account.user, device, { factor_id: id, factor_type: type });
      return viewFactor(updated);
    }));
  }

  async removeFactor(userId: string, factorId: string, device: Device): Promise<object> {
    const account = await this.find(userId);
    const factor = ownFactor({ account }, factorId);
    await this.accounts.transaction(async (tx) => {
      await lockedFactor(tx, account, factor.id);
      await dropFactor(tx, factor.id);
      await lowerSessions(tx, account.user.id, factor.id, methodsOfFactors[factor.type]);
      await auditAdmin(tx, 'factor_deleted', account.user, device, { factor_id: factor.id });
    });
    return viewFactor(factor);
  }

  async passkeys(userId: string): Promise<PasskeyView[]> {
    const { user } = await this.find(userId);
    return (await listPasskeys(this.accounts, user.id)).map(viewPasskey);
  }

  async removePasskey(userId: string, passkeyId: string, device: Device): Promise<void> {
    const { user } = await this.find(userId);
    if (!uuidForm.test(passkeyId)) throw noSuchPasskey();
    await this.accounts.transaction(async (tx) => {
      if (!(await dropPasskey(tx, user.id, passkeyId))) throw noSuchPasskey();
      await auditAdmin(tx, 'passkey_deleted', user, device, { passkey_id: passkeyId });
    });
  }

  private async find(userId: string): Promise<Account> {
    if (!uuidForm.test(userId)) throw fault('validation_failed', { status: 404, message: 'user_id must be an UUID' });
    const account = await this.accounts.find(userId);
    if (account === null) throw fault('user_not_found');
    return account;
  }
}

async function lockedFactor(tx: OpenAccounts, { user }: Account, factorId: string): Promise<void> {
  if ((await lockFactor(tx, user.id, factorId)) === null) throw fault('mfa_factor_not_found');
}
