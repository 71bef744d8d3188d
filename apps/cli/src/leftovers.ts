import { readFileSync } from 'node:fs';
import { killHard } from './part.ts';
import { readRunFile, type Home } from './home.ts';

const patienceMs = 3000;

/**
 * Ends what a killed supervisor left running. Its children end by themselves when the channel to it breaks; one that does not
 * within three seconds is killed. PostgreSQL is not among them: its own start stops an orphan in order.
 */
export async function endLeftovers(home: Home): Promise<void> {
  const pids = Object.entries(readRunFile(home)?.pids ?? {}).filter(([part]) => part !== 'postgres' && part !== 'supervisor');
  const alive = (): [string, number][] => pids.filter(([, pid]) => isOurs(pid));
  const deadline = performance.now() + patienceMs;
  while (alive().length > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
  for (const [, pid] of alive()) killHard(pid);
}

/** A pid is given again after its process has gone: only a process that runs our code is ours. */
function isOurs(pid: number): boolean {
  try {
    return /dist\/apps\/(api|worker)\/main\.js|valkey-process/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  } catch {
    return false;
  }
}
