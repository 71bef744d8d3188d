import { defineEntity, p, type InferEntity } from '@mikro-orm/core';

/** What applications keep with an account: a JSON object. */
export type Metadata = Record<string, unknown>;

/**
 * An account, on Supabase's public table. Nearly every column may be null: rows come from migrations, seeds and
 * other systems too, and their owners must be able to sign in.
 */
export const User = defineEntity({
  name: 'User',
  schema: 'auth',
  tableName: 'users',
  properties: {
    id: p.uuid().primary(),
    instanceId: p.uuid().nullable(),
    aud: p.string().nullable(),
    role: p.string().nullable(),
    email: p.string().nullable(),
    encryptedPassword: p.string().nullable(),
    emailConfirmedAt: p.datetime().nullable(),
    invitedAt: p.datetime().nullable(),
    confirmationToken: p.string().nullable(),
    confirmationSentAt: p.datetime().nullable(),
    recoveryToken: p.string().nullable(),
    recoverySentAt: p.datetime().nullable(),
    emailChangeTokenNew: p.string().nullable(),
    emailChange: p.string().nullable(),
    emailChangeSentAt: p.datetime().nullable(),
    lastSignInAt: p.datetime().nullable(),
    rawAppMetaData: p.json().$type<Metadata>().nullable(),
    rawUserMetaData: p.json().$type<Metadata>().nullable(),
    createdAt: p.datetime().nullable(),
    updatedAt: p.datetime().nullable().onUpdate(() => new Date()),
    phone: p.text().nullable(),
    phoneConfirmedAt: p.datetime().nullable(),
    phoneChange: p.text().nullable(),
    phoneChangeToken: p.string().nullable(),
    phoneChangeSentAt: p.datetime().nullable(),
    /** Generated: the earlier of the two confirmations. */
    confirmedAt: p.datetime().nullable().persist(false),
    emailChangeTokenCurrent: p.string().nullable(),
    emailChangeConfirmStatus: p.smallint().nullable(),
    bannedUntil: p.datetime().nullable(),
    reauthenticationToken: p.string().nullable(),
    reauthenticationSentAt: p.datetime().nullable(),
    isSsoUser: p.boolean(),
    deletedAt: p.datetime().nullable(),
    isAnonymous: p.boolean(),
  },
});

export type User = InferEntity<typeof User>;
