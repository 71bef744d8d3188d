export { ConnectionLost, DatabaseError, isConnectionError, isDatabaseError, PoolTimeout } from './database-faults.ts';
export { Database, type DatabaseOptions } from './database.ts';
export { actingAs, asHouse, enqueue, type ActingAs, type EnqueueTerms } from './enqueue.ts';
export { Listener, type Subscription } from './listen.ts';
export { connectionOf, loginPassword, logins, makeDatabase, makeListener, type Login } from './logins.ts';
export { prepareDatabase } from './bootstrap.ts';
export { claimSettings, openSession, ownSessionOf, sessionOf } from './session.ts';
export type { Result, Session, Statement, Transaction } from './statement.ts';
