import { startTestServers, type TestServers } from '@mainstay/testing';

/** Jest calls this once per project; the first call starts the servers of the whole run. */
export default async function serversUp(): Promise<void> {
  const run = globalThis as { mainstayTestServers?: Promise<TestServers> };
  run.mainstayTestServers ??= startTestServers();
  await run.mainstayTestServers;
}
