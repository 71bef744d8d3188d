import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { Timestamp } from './timestamp.ts';

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
    emailConfirmedAt: p.type(Timestamp).nullable(),
    invitedAt: p.type(Timestamp).nullable(),
    confirmationToken: p.string().nullable(),
    confirmationSentAt: p.type(Timestamp).nullable(),
    recoveryToken: p.string().nullable(),
    recoverySentAt: p.type(Timestamp).nullable(),
    emailChangeTokenNew: p.string().nullable(),
    emailChange: p.string().nullable(),
    emailChangeSentAt: p.type(Timestamp).nullable(),
    lastSignInAt: p.type(Timestamp).nullable(),
    rawAppMetaData: p.json().$type<Metadata>().nullable(),
    rawUserMetaData: p.json().$type<Metadata>().nullable(),
    createdAt: p.type(Timestamp).nullable(),
    updatedAt: p.type(Timestamp).nullable().onUpdate(() => new Date()),
    phone: p.text().nullable(),
    phoneConfirmedAt: p.type(Timestamp).nullable(),
    phoneChange: p.text().nullable(),
    phoneChangeToken: p.string().nullable(),
    phoneChangeSentAt: p.type(Timestamp).nullable(),
    /** Generated: the earlier of the two confirmations. */
    confirmedAt: p.type(Timestamp).nullable().persist(false),
    emailChangeTokenCurrent: p.string().nullable(),
    emailChangeConfirmStatus: p.smallint().nullable(),
    bannedUntil: p.type(Timestamp).nullable(),
    reauthenticationToken: p.string().nullable(),
    reauthenticationSentAt: p.type(Timestamp).nullable(),
    isSsoUser: p.boolean(),
    deletedAt: p.type(Timestamp).nullable(),
    isAnonymous: p.boolean(),
  },
});

export type User = InferEntity<typeof User>;
