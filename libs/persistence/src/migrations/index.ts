import { schemas } from './0001-schemas.ts';
import { accounts } from './0002-auth.ts';
import { storage } from './0003-storage.ts';
import { realtime } from './0004-realtime.ts';
import { schemaWatch } from './0005-schema-watch.ts';
import { processes } from './0006-processes.ts';
import { jobTables } from './0010-jobs.ts';
import { importTables } from './0020-imports.ts';
import { collectionMaker } from './0021-collections.ts';
import { keptReplies } from './0030-kept-replies.ts';
import { messageTables } from './0040-messages.ts';
import { attemptCounters } from './0041-attempts.ts';
import { factorTables } from './0042-factors.ts';
import { oauthTables } from './0044-oauth.ts';
import { keyTables } from './0046-keys.ts';
import { refreshAtOnce } from './0047-refresh.ts';
import { lanes } from './0050-lanes.ts';
import { ownJobs } from './0051-own-jobs.ts';
import { figures } from './0068-figures.ts';
import { webhookTables } from './0058-webhooks.ts';
import { watches } from './0059-watches.ts';
import { announcements } from './0060-announcements.ts';
import { net } from './0056-net.ts';
import { scheduleTables } from './0061-schedules.ts';
import { scheduleFunctions } from './0062-schedule-functions.ts';
import type { HouseMigration } from './house-migration.ts';

/** Every step in the order of its number. */
export const houseMigrations: readonly HouseMigration[] = [schemas, accounts, storage, realtime, schemaWatch, processes, jobTables, importTables, collectionMaker, keptReplies, messageTables, attemptCounters, factorTables, oauthTables, keyTables, refreshAtOnce, lanes, ownJobs, net, webhookTables, watches, announcements, scheduleTables, scheduleFunctions, figures];
