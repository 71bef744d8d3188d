import type { Transaction } from './statement.ts';

type Runner = Pick<Transaction, 'rows'>;

/** Whose account an identity at a provider is. */
export async function findIdentityOwner(tx: Runner, provider: string, providerId: string): Promise<string | null> {
  const [found] = await tx.rows<{ userId: string }>('select user_id as "userId" from auth.identities where provider = $1 and provider_id = $2', [provider, providerId]);
  return found?.userId ?? null;
}

/** Who has this address, as the account's own or as one that another provider has verified. */
export async function listOwnersOfEmail(tx: Runner, email: string): Promise<string[]> {
  const found = await tx.rows<{ id: string }>(
    `select u.id from auth.users u where lower(u.email) = $1 and u.is_sso_user = false and u.deleted_at is null
     union
     select i.user_id from auth.identities i join auth.users u on u.id = i.user_id
     where i.email = $1 and i.identity_data ->> 'email_verified' = 'true' and i.provider not like 'sso:%' and u.is_sso_user = false and u.deleted_at is null`,
    [email],
  );
  return found.map(({ id }) => id);
}

/** Whether any account signs in with this address. */
export async function isEmailTaken(tx: Runner, email: string): Promise<boolean> {
  const taken = await tx.rows('select 1 from auth.users where lower(email) = $1 and is_sso_user = false limit 1', [email]);
  return taken.length > 0;
}

export async function dropIdentity(tx: Runner, id: string): Promise<void> {
  await tx.rows('delete from auth.identities where id = $1::uuid', [id]);
}

/** Deletes every way of signing in but one. */
export async function dropOtherIdentities(tx: Runner, userId: string, keptId: string): Promise<void> {
  await tx.rows('delete from auth.identities where user_id = $1::uuid and id <> $2::uuid', [userId, keptId]);
}
