import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { Timestamp } from './timestamp.ts';

/** One sign-in on one device, for as long as it is refreshed: the family to which its refresh tokens belong. */
export const AuthSession = defineEntity({
  name: 'AuthSession',
  schema: 'auth',
  tableName: 'sessions',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    createdAt: p.type(Timestamp).nullable(),
    updatedAt: p.type(Timestamp).nullable(),
    factorId: p.uuid().nullable(),
    aal: p.string().nullable(),
    /** The session is over from here on, whatever its tokens say. */
    notAfter: p.type(Timestamp).nullable(),
    userAgent: p.text().nullable(),
    ip: p.string().columnType('inet').nullable(),
    tag: p.text().nullable(),
  },
});

export type AuthSession = InferEntity<typeof AuthSession>;
