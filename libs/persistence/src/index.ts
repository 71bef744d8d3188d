export { Accounts, type Account, type Device, type OpenAccounts, type SessionFacts, type TokenInFamily } from './accounts.ts';
export type { AuthSession } from './auth-session.entity.ts';
export { quoteName, quoteText } from './administrator.ts';
export { callFunction, describeCall, FunctionThrew, type CallText, type FunctionCall } from './call-function.ts';
export { callRoutine, type RoutineCall } from './call-routine.ts';
export { createCollection, listCollections, type Access, type Collection, type CollectionDraft, type FieldDraft } from './collections.ts';
export { countCustomProviders, deleteCustomProvider, findCustomProvider, listCustomProviders, saveCustomProvider, type CustomProvider, type CustomProviderDraft } from './custom-providers.ts';
export { ConnectionLost, DatabaseError, isConnectionError, isDatabaseError, PoolTimeout } from './database-faults.ts';
export { Database, openDatabases, type DatabaseOptions, type RunTerms } from './database.ts';
export { actingAs, asHouse, enqueue, type ActingAs, type EnqueueTerms } from './enqueue.ts';
export { idempotencyFaults, isKeyUsed, recallAnswer, withIdempotency, type KeptAnswer, type KeyedRequest } from './idempotency.ts';
export { keepReply, recallReply, type KeptReply } from './kept-replies.ts';
export {
  asEngine, assertLease, asWorker, claim, complete, completeWith, endedChannel, fail, handBack, jobRunFault, jobRunFaults, LeaseLost, reapExpired, refuseGone, releaseFollowers, releaseStranded, renew, saveProgress,
  type ClaimedJob, type Completion, type Failure, type JobError, type Lease, type ReapedJob, type Standing,
} from './jobs.ts';
export type { Identity } from './identity.entity.ts';
export { importUsers, type ImportedTable, type ImportedUsers, type UserImport } from './import-users.ts';
export { Listener, type Subscription } from './listen.ts';
export { connectionOf, loginPassword, logins, makeCommandsDatabase, makeDatabase, makeListener, type Login } from './logins.ts';
export { prepareDatabase } from './bootstrap.ts';
export { readSqlExtensions, type SqlExtensions } from './missing-extensions.ts';
export {
  claimNetRequests, dropNetRequest, freeNetRequests, isNetOurs, netChannel, returnNetRequests, sayNetAsleep, settleNetRequests, sweepNetAnswers, type NetAnswer, type NetRequest,
} from './net-requests.ts';
export { countRunning, keyFingerprint, RegisteredProcess, type ProcessKind } from './processes.ts';
export { readProjectConfig, readProjectNotes } from './project-config.ts';
export { ProjectFault } from './project-fault.ts';
export { findPendingFiles, migrateProject, migrationStates, type MigrationState, type PendingFiles, type ProjectOptions } from './project-migrations.ts';
export {
  addSigningSecret, enqueueRequest, findRequest, keepRequestAnswer, listSigningSecrets, lockSigningSecrets, sweepRequests, type AskedRequest, type KeptRequest, type KeptSecret, type RequestAnswer,
} from './requests.ts';
export { Sealing } from './sealing.ts';
export { claimSettings, openSession, ownSessionOf, sessionOf } from './session.ts';
export type { CopyPiece, LineFormat, LinePage, Result, ResultColumn, Session, Statement, Transaction } from './statement.ts';
export { findTarget, listTargets, rowSecurityBinds, workerMayBecome, type Target, type TargetField } from './find-target.ts';
export {
  addChunk, advanceImport, beginImport, bytesWaiting, chunkAt, discardUpload, findImport, listImports, listRejects, openImport, replaceRejects, sealImport, showBytesRead, sweepImports,
  type Advance, type Chunk, type KeptChunk, type NewChunk, type ImportDraft, type ImportFormat, type ImportMode, type ImportState, type ImportTerms, type KeptImport, type Reject,
} from './imports.ts';
export {
  addExportChunk, beginAttempt, createExport, deleteExport, exportBytesKept, exportChunkBytes, findExport, findExportFile, listExports, openExport, readExportFile, sealExport, sweepExports,
  type ExportChunk, type ExportDraft, type ExportFile, type ExportFormat, type ExportSearch, type ExportTerms, type KeptExport,
} from './exports.ts';
export { backlogs, longestWaits, outboxChannel, promoteDue, sayAsleep, takeTurn, unclaimed, type Backlog, type Lane, type Publication, type Turn } from './outbox.ts';
export {
  cancelChannel, cancelJob, countJobs, enqueueFunction, findJob, listJobs, retryJob, retryJobs, sweepJobs, type AskedCall, type JobFilters, type JobSearch, type OwnJob,
} from './own-jobs.ts';
export { deleteQueue, listQueues, putQueue, type Queue, type QueueTerms } from './queues.ts';
export { tryLock } from './try-lock.ts';
export { listProcessReports, reportWorker, workerHealth, type PartHealth, type ProcessLoad, type RunningProcess, type WorkerReport } from './worker-health.ts';
export { addTallies, outcomes, readQueueFigures, readRoomFigures, readTallies, type QueueFigures, type QueueTally, type RoomFigure, type TalliedOutcome } from './queue-figures.ts';
export type { Metadata, User } from './user.entity.ts';
export { Gathered } from './gathered.ts';
export { returnAttempts, sweepAccounts, takeAttempts, type Bucket } from './attempts.ts';
export { auditScopes, listAudit, writeAudit, type AuditEntry, type AuditSearch, type KeptAuditEntry } from './audit.ts';
export { userSortFields, type UserSearch } from './find-users.ts';
export { beginFlow, endFlow, keepFlowCode, lockFlow, lockFlowByCode, lockNewestFlow, type FlowDraft, type FlowState } from './flow-states.ts';
export {
  deleteMessages, findMessage, findQueuedMessage, listMessages, markSent, sweepMessages, writeMessage, type Channel, type KeptMessage, type MessageDraft, type MessageFilters,
} from './messages.ts';
export { findToken, keepToken, listTokensTo, spendToken, type OneTimeToken, type TokenType } from './one-time-tokens.ts';
export {
  addApiKey, addSigningKey, countApiKeys, keysChannel, listApiKeys, listKeyDigests, listSigningKeys, lockSigningKeys, revokeApiKey, revokeSettingKey, roleStanding, setSigningState,
  type ApiKey, type ApiKeyDraft, type KeptSigningKey, type SigningKeyState,
} from './keys.ts';
export { listMethods, listSessions, sessionStanding, type KeptSession, type SessionStanding } from './sessions.ts';
export {
  addChallenge, addFactor, countRecoveryCodes, dropFactor, dropUnverifiedFactors, endLowSessions, keepRecoveryCodes, listFactorCredentials, listFactors, lockChallenge, lockFactor, lowerSessions, raiseSession,
  renameFactor, sealFactor, spendChallenge, spendRecoveryCode, takeStep, verifyFactor, type Factor, type FactorChallenge, type FactorDraft, type FactorType, type FactorWithSecret,
} from './factors.ts';
export {
  addPasskey, beginPasskey, dropPasskey, findPasskey, listPasskeys, lockPasskey, renamePasskey, takePasskeyChallenge, usePasskey, type Passkey, type PasskeyChallenge, type PasskeyCredential, type PasskeyDraft,
} from './passkeys.ts';
export { dropIdentity, dropOtherIdentities, findIdentityOwner, isEmailTaken, listOwnersOfEmail } from './identities.ts';
export { beginOutwardFlow, referrerOf, takeOutwardFlow, type OutwardFlow } from './outward-flows.ts';
export {
  approveAuthorization, beginAuthorization, claimAuthorization, consentedScopes, deleteOAuthClient, endAuthorization, endClientSessions, findOAuthClient, giveSessionToClient, keepConsent, listGrants,
  listOAuthClients, lockAuthorization, lockAuthorizationByCode, revokeConsent, saveOAuthClient, scopesOfSession, type AuthMethod, type OAuthAuthorization, type OAuthClient, type OAuthGrant,
} from './oauth-server.ts';
export {
  addEndpoint, buildWatches, changeEndpoint, countedAtMost, dropEndpoint, findEndpoint, findWatchable, listEndpoints, listWatchable, rebuildEndpoint, subscribe, tryPattern, watchedOperations,
  type EndpointDraft, type KeptEndpoint, type KeptSubscription, type RowsDraft, type SubscriptionDraft, type WatchableTable, type WatchedOperation,
} from './webhook-endpoints.ts';
export {
  countDeliveries, deliveryStates, findDelivery, listDeliveries, putTestEvent, redeliver, redeliverAll, wakeFeeder,
  type DeliveryFilters, type DeliveryId, type DeliveryState, type EventParts, type KeptAttempt, type KeptDelivery,
} from './webhook-deliveries.ts';
export {
  asDeliverer, eventsChannel, feedEndpoints, findEndpointAtWork, hasFeed, mendWatches, rebuildWatchesOf, sayFeederAsleep, settleDeliveries, settleHealth, sweepWebhooks, takeBreaks, takeDue,
  type BreakerTerms, type BrokenSubscription, type DueDelivery, type EndpointAtWork, type Fed, type Health, type Room, type Settled,
} from './webhook-work.ts';
export { CronTables, type CronJob, type CronRunEnd } from './cron-tables.ts';
export { canBeTakenBack, CommandSession, type CommandTerms } from './command-session.ts';
export type { CommandAnswer, CommandError } from './command-text.ts';
export {
  addSkippedSlot, addWaitingSlot, asOnlyClock, countOpenSlots, findCommandSlot, followCronJobs, lookAhead, markSlot, saveTrouble, saveTurn, sayRunEnded, schedulesChannel,
  settleSlots, startSlot, startWaitingSlots, sweepSlots, takeDueSchedules, type CommandSlot, type DueSchedule, type MissedPolicy, type OverlapPolicy,
} from './schedules.ts';
export {
  deleteSchedule, findRun, findSchedule, hasSchedule, listRuns, listSchedules, putSchedule, runScheduleNow,
  type OwnSchedule, type ScheduleDraft, type ScheduleFilters, type ScheduleRun, type ScheduleTarget,
} from './own-schedules.ts';
export { parseVaultLines, Vault, vaultKeyOf, vaultLines, vaultNote, type Rotation, type VaultKeyring, type VaultKeys, type VaultUse } from './vault.ts';
