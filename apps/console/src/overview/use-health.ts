import type { Health } from '../contracts.ts';
import { useLive } from '../live.ts';

/** How the house is doing, in one look. */
export interface HealthNow {
  readonly health: Health | null;
  /** Nobody answered the last time. */
  readonly isAway: boolean;
  readonly mood: 'well' | 'unwell' | 'away' | 'unknown';
  readonly sentence: string;
}

/** Asks every few seconds which parts are well. */
export function useHealth(): HealthNow {
  const { value } = useLive('health', askHealth, ({ health }) => (health === null ? 1500 : 5000));
  if (value === null) return { health: null, isAway: false, mood: 'unknown', sentence: 'Asking…' };
  const { health } = value;
  if (health === null) return { health, isAway: true, mood: 'away', sentence: 'No answer' };
  const parts = Object.values(health.parts);
  const down = parts.filter(({ state }) => state !== 'ok').length;
  if (down === 0) return { health, isAway: false, mood: 'well', sentence: 'All is well' };
  return { health, isAway: false, mood: 'unwell', sentence: `${down} of ${parts.length} parts ${down === 1 ? 'is' : 'are'} down` };
}

/** `/health/ready` says 503 with the same body when a part is down; any other body is somebody else's, such as a proxy's. */
async function askHealth(signal: AbortSignal): Promise<{ health: Health | null }> {
  try {
    const response = await fetch('/health/ready', { signal, cache: 'no-store' });
    const health = (await response.json()) as Partial<Health>;
    return { health: typeof health.parts === 'object' ? (health as Health) : null };
  } catch (_noAnswer) {
    return { health: null };
  }
}
