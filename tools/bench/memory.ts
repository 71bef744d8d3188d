import { setTimeout as sleep } from 'node:timers/promises';
import { residentMiB } from './resident-memory.ts';
import type { BenchStack, Section } from './stack.ts';

/** Resident memory of api and worker when nobody asks for anything. */
export async function benchMemory({ pids }: BenchStack, settleSeconds = 20): Promise<Section> {
  await sleep(settleSeconds * 1000);
  const [api, worker] = [residentMiB(pids.api)!, residentMiB(pids.worker)!];
  return {
    title: 'Memory at rest',
    about: `Resident memory ${settleSeconds} s after the start, before the first request. The aim is 350 MB for both together.`,
    head: ['Process', 'MiB'],
    rows: [
      ['api', api.toFixed(0)],
      ['worker', worker.toFixed(0)],
      ['both', (api + worker).toFixed(0)],
    ],
  };
}
