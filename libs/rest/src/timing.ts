const stages = ['jwt', 'parse', 'plan', 'transaction', 'response'] as const;
type Stage = (typeof stages)[number];

/** How long each stage of a request took, for `Server-Timing`. */
export class Timing {
  private readonly spent = new Map<Stage, number>();

  constructor(private since: number) {}

  /** The time since the last stage ended was this one's. */
  end(stage: Stage): void {
    const now = performance.now();
    this.spent.set(stage, (this.spent.get(stage) ?? 0) + now - this.since);
    this.since = now;
  }

  /** In milliseconds, in the words of the protocol's first server. A plan that was known has cost no parsing. */
  header(): readonly [string, string] {
    return ['Server-Timing', stages.map((stage) => `${stage};dur=${(this.spent.get(stage) ?? 0).toFixed(1)}`).join(', ')];
  }
}
