import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { Timestamp } from './timestamp.ts';
import type { Metadata } from './user.entity.ts';

/** A way by which an account signs in: its e-mail address here, later also accounts at other providers. */
export const Identity = defineEntity({
  name: 'Identity',
  schema: 'auth',
  tableName: 'identities',
  properties: {
    id: p.uuid().primary(),
    /** The id at the provider; for `email` and `phone` the user's own id. */
    providerId: p.text(),
    userId: p.uuid(),
    identityData: p.json().$type<Metadata>(),
    provider: p.text(),
    lastSignInAt: p.type(Timestamp).nullable(),
    createdAt: p.type(Timestamp).nullable(),
    updatedAt: p.type(Timestamp).nullable().onUpdate(() => new Date()),
    /** Generated from `identityData`. */
    email: p.text().nullable().persist(false),
  },
});

export type Identity = InferEntity<typeof Identity>;
