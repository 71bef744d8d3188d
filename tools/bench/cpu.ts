import { readFileSync, readdirSync } from 'node:fs';

/** Clock ticks of Linux’s /proc; 100 on every machine that this runs on. */
const ticksPerSecond = 100;

/** Seconds of processor time that a process, or a process with its children, has used. It tells more than the clock where others use the machine too. */
export function cpuSeconds(pid: number, { withChildren = false } = {}): number {
  const pids = withChildren ? [pid, ...readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((child) => statOf(child)?.parent === pid)] : [pid];
  return pids.reduce((sum, one) => sum + (statOf(one)?.ticks ?? 0), 0) / ticksPerSecond;
}

function statOf(pid: number): { parent: number; ticks: number } | null {
  try {
    // The name stands in brackets and may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}
