/**
 * What `Retry-After` asks for, in seconds from now; null where it says nothing that can be read. A time that is over is 0.
 * @param nowMs the present, since the header may be a date
 */
export function retryAfterSecondsOf(text: string | undefined, nowMs: number): number | null {
  if (text === undefined) return null;
  const word = text.trim();
  if (/^\d{1,9}$/.test(word)) return Number(word);
  // A date is written out; what `Date.parse` makes of other words is not meant.
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(word)) return null;
  const at = Date.parse(word);
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - nowMs) / 1000));
}
