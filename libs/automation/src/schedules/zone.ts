/** A time zone's rules, asked of the runtime's own copy of the IANA database. Instants and local times are milliseconds: a local time as if it were UTC. */
export class Zone {
  private readonly format: Intl.DateTimeFormat;

  /** @throws RangeError when there is no such zone */
  constructor(name: string) {
    this.format = new Intl.DateTimeFormat('en-US', {
      timeZone: name, calendar: 'iso8601', numberingSystem: 'latn', hourCycle: 'h23',
      year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric', era: 'short',
    });
  }

  /** What the clocks of the zone show at an instant. */
  localOf(instant: number): number {
    const parts = new Map(this.format.formatToParts(instant).map(({ type, value }) => [type, value]));
    const [year, month, day, hour, minute, second] = (['year', 'month', 'day', 'hour', 'minute', 'second'] as const).map((type) => Number(parts.get(type)));
    return Date.UTC(year!, month! - 1, day, hour, minute, second);
  }

  /**
   * The instants at which the clocks show a local time: one, or two where they are put back over it; none where they are put
   * forward over it.
   */
  instantsOf(local: number): number[] {
    const candidates = new Set([this.offsetAt(local + aroundMs), this.offsetAt(local - aroundMs)].map((offset) => local - offset));
    return [...candidates].filter((instant) => this.localOf(instant) === local).sort((a, b) => a - b);
  }

  /** Where the clocks are put forward over a local time: the instant from which they show a later one. */
  endOfGap(local: number): number {
    return this.changeBetween(local - aroundMs, local + aroundMs)!;
  }

  /** The first instant after `from`, up to `to`, at which the clocks are changed; null when they are not. Sees at most one change. */
  changeBetween(from: number, to: number): number | null {
    const before = this.offsetAt(from);
    if (this.offsetAt(to) === before) return null;
    let [low, high] = [Math.floor(from / 1000), Math.ceil(to / 1000)];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.offsetAt(middle * 1000) === before) low = middle;
      else high = middle;
    }
    return high * 1000;
  }

  private offsetAt(instant: number): number {
    const second = Math.floor(instant / 1000) * 1000;
    return this.localOf(second) - second;
  }
}

/** More than any zone is away from UTC, and than any change of its clocks: one has left out a whole day. */
const aroundMs = 26 * 3_600_000;

/** Whether the runtime knows a zone of this name; offsets such as "+02:00" are none. */
export function isZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Zone(name);
    return true;
  } catch {
    return false;
  }
}
