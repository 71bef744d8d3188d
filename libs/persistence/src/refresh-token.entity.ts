import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { Timestamp } from './timestamp.ts';

/** A refresh token of a session. At most one is not revoked, and each has one child at most: that is the lineage. */
export const RefreshToken = defineEntity({
  name: 'RefreshToken',
  schema: 'auth',
  tableName: 'refresh_tokens',
  properties: {
    id: p.bigint('string').primary(),
    instanceId: p.uuid().nullable(),
    /** The digest: whoever reads the table holds no token. */
    token: p.string().nullable(),
    userId: p.string().nullable(),
    revoked: p.boolean().nullable(),
    createdAt: p.type(Timestamp).nullable(),
    updatedAt: p.type(Timestamp).nullable(),
    /** The digest of the token that this one replaced. */
    parent: p.string().nullable(),
    sessionId: p.uuid().nullable(),
  },
});

export type RefreshToken = InferEntity<typeof RefreshToken>;
