import { defineEntity, p, type InferEntity } from '@mikro-orm/core';

/** One sign-in on one device, for as long as it is refreshed: the family to which its refresh tokens belong. */
export const AuthSession = defineEntity({
  name: 'AuthSession',
  schema: 'auth',
  tableName: 'sessions',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    createdAt: p.datetime().nullable(),
    updatedAt: p.datetime().nullable(),
    factorId: p.uuid().nullable(),
    aal: p.string().nullable(),
    /** The session is over from here on, whatever its tokens say. */
    notAfter: p.datetime().nullable(),
    userAgent: p.text().nullable(),
    ip: p.string().columnType('inet').nullable(),
    tag: p.text().nullable(),
  },
});

export type AuthSession = InferEntity<typeof AuthSession>;
