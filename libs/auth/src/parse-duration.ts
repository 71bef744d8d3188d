import { fault } from './faults.ts';

const unitMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, 'µs': 1e-3, 'μs': 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go keeps durations in 63 bits of nanoseconds: some 292 years. */
const longestMs = 2 ** 63 / 1e6;

/**
 * Reads a duration as Go writes it, such as `24h`, `1h30m` or `1.5h`, in milliseconds; null for `none`.
 * @throws Fault `validation_failed` in Go's own words.
 */
export function parseBanDuration(text: string): number | null {
  if (text === 'none') return null;
  const refuse = (why: string) => fault('validation_failed', { message: `invalid format for ban duration: time: ${why}` });
  const [, sign, rest] = /^([+-]?)(.*)$/s.exec(text)!;
  if (rest === '0') return 0;
  const pieces = [...rest!.matchAll(/(\d+\.?\d*|\.\d+)([^\d.]*)/g)];
  if (pieces.length === 0 || pieces.map(([whole]) => whole).join('') !== rest) throw refuse(`invalid duration "${text}"`);
  let ms = 0;
  for (const [, number, unit] of pieces) {
    if (unit === '') throw refuse(`missing unit in duration "${text}"`);
    if (!Object.hasOwn(unitMs, unit!)) throw refuse(`unknown unit "${unit}" in duration "${text}"`);
    ms += Number(number) * unitMs[unit!]!;
  }
  if (!(ms < longestMs)) throw refuse(`invalid duration "${text}"`);
  return sign === '-' ? -ms : ms;
}
