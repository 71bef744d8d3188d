import type { TestServers } from '@mainstay/testing';

export default async function serversDown(): Promise<void> {
  const run = globalThis as { mainstayTestServers?: Promise<TestServers> };
  const servers = await run.mainstayTestServers;
  delete run.mainstayTestServers;
  await servers?.stop();
}
