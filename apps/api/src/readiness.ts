import type { PartHealth } from '@mainstay/persistence';

export interface ReadinessReport {
  readonly status: 'ok' | 'not ready';
  readonly parts: Readonly<Record<string, PartHealth>>;
}

/** Asks one part how it is; a throw means that it is down. */
export type Probe = () => Promise<PartHealth>;

/** A part that does not answer in this time is down: a balancer must not wait for a hanging database. */
const probeTimeoutMs = 2000;

/** Whether this process can do its work, part by part. */
export class Readiness {
  constructor(private readonly probes: Readonly<Record<string, Probe>>) {}

  async report(): Promise<ReadinessReport> {
    const entries = await Promise.all(Object.entries(this.probes).map(async ([name, probe]) => [name, await ask(probe)] as const));
    const parts = Object.fromEntries(entries);
    return { status: entries.every(([, { state }]) => state === 'ok') ? 'ok' : 'not ready', parts };
  }
}

async function ask(probe: Probe): Promise<PartHealth> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<PartHealth>((resolve) => {
    timer = setTimeout(() => resolve({ state: 'down', note: `no answer within ${probeTimeoutMs / 1000} s` }), probeTimeoutMs);
  });
  try {
    return await Promise.race([probe(), late]);
  } catch (error) {
    return { state: 'down', note: (error as Error).message };
  } finally {
    clearTimeout(timer);
  }
}
