import type { Commands, ExportMaker, FunctionCaller, ImportsService, RequestSender, WebhookWork } from '@mainstay/automation';
import type { Handlers } from '@mainstay/queue';
import type { PostOffice } from './post-office.ts';
import type { Upkeep } from './upkeep.ts';

/** What the handlers call upon. */
export interface Rooms {
  readonly imports: ImportsService;
  readonly exports: Pick<ExportMaker, 'run'>;
  readonly functions: Pick<FunctionCaller, 'run'>;
  readonly commands: Pick<Commands, 'run'>;
  readonly requests: Pick<RequestSender, 'send'>;
  readonly webhooks: Pick<WebhookWork, 'deliver'>;
  readonly post: PostOffice;
  readonly upkeep: Upkeep;
}

/** Every job of the house, on one page: a missing or an extra one does not compile. */
export const handlers = (rooms: Rooms): Handlers => ({
  'import-rows': ({ importId }, run) => rooms.imports.run(importId, run),
  'export-rows': ({ exportId }, run) => rooms.exports.run(exportId, run),
  'send-message': ({ messageId }, run) => rooms.post.send(messageId, run),
  'call-function': (call, run) => rooms.functions.run(call, run),
  'send-request': ({ requestId }, run) => rooms.requests.send(requestId, run),
  'run-command': ({ slotId }, run) => rooms.commands.run(slotId, run),
  'deliver-events': ({ endpointId }, run) => rooms.webhooks.deliver(endpointId, run),
  'sweep-over': () => rooms.upkeep.sweep(),
  ping: () => Promise.resolve(null),
});
