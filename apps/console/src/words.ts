const numbers = new Intl.NumberFormat('en');

/** `200000` → `200,000`. */
export function count(value: number): string {
  return numbers.format(Math.round(value));
}

/** `1 row`, `200,000 rows`; the plural may be given where an s is not enough. */
export function some(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${Math.round(value) === 1 ? one : many}`;
}

/** `12.4 MB`, in units of 1,000 as file managers show them. */
export function bytes(value: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = value < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  const scaled = value / 1000 ** power;
  return `${power > 0 && scaled < 100 ? scaled.toFixed(1) : count(scaled)} ${units[power]}`;
}

/** A span of time in at most two units: `8 seconds`, `2 minutes 10 seconds`, `3 hours`. */
export function duration(seconds: number): string {
  if (seconds < 1) return 'less than a second';
  const whole = Math.round(seconds);
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), 'day'],
    [Math.floor((whole % 86_400) / 3600), 'hour'],
    [Math.floor((whole % 3600) / 60), 'minute'],
    [whole % 60, 'second'],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => some(value, unit))
    .join(' ');
}

/** The time that is left, rounded so that it does not flicker from one second to the next. */
export function remaining(seconds: number): string {
  if (seconds < 5) return 'a few seconds left';
  if (seconds < 60) return `about ${Math.ceil(seconds / 5) * 5} seconds left`;
  if (seconds < 5400) return `about ${some(Math.round(seconds / 60), 'minute')} left`;
  return `about ${some(Math.round(seconds / 3600), 'hour')} left`;
}

/** How long ago a moment was: `just now`, `4 minutes ago`, `yesterday`, else its date. */
export function ago(time: string, now: number): string {
  const seconds = (now - Date.parse(time)) / 1000;
  if (seconds < 45) return 'just now';
  if (seconds < 3570) return `${some(Math.max(1, seconds / 60), 'minute')} ago`;
  if (seconds < 84_600) return `${some(seconds / 3600, 'hour')} ago`;
  if (seconds < 172_800) return 'yesterday';
  return new Intl.DateTimeFormat('en', { dateStyle: 'medium' }).format(new Date(time));
}

/** How far a moment is ahead: `now`, `in 4 minutes`, `tomorrow`, `in 5 days`, else its date. */
export function ahead(time: string, now: number): string {
  const seconds = (Date.parse(time) - now) / 1000;
  if (seconds < 1) return 'now';
  if (seconds < 60) return `in ${some(seconds, 'second')}`;
  if (seconds < 3570) return `in ${some(Math.max(1, seconds / 60), 'minute')}`;
  if (seconds < 84_600) return `in ${some(seconds / 3600, 'hour')}`;
  if (seconds < 172_800) return 'tomorrow';
  if (seconds < 40 * 86_400) return `in ${some(seconds / 86_400, 'day')}`;
  return `on ${new Intl.DateTimeFormat('en', { dateStyle: 'medium' }).format(new Date(time))}`;
}

/** A moment for a title or a detail, to the second, in the reader's time zone. */
export function moment(time: string): string {
  return new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(time));
}

/** What a job does: the function that it calls, else its kind. */
export function jobInWords({ kind, function: name }: { readonly kind: string; readonly function: string | null }): string {
  return name ?? kindInWords(kind);
}

/** `import-rows` → `Import rows`: job kinds are verbs and nouns already. */
export function kindInWords(kind: string): string {
  const words = kind.replaceAll('-', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
