import { fault, hasGroups, type Compiled, type RestOptions, type StatementPlan } from '@mainstay/dialect';
import { isService, type Caller } from '@mainstay/domain';
import type { Result, Statement } from '@mainstay/persistence';

/** How long the answer to one and the same question holds: a table does not grow beyond all bounds within a minute. */
const rememberedMs = 60_000;
const mostRemembered = 500;

/** Asks what an aggregate would cost before it is run, since anybody may ask for one over everything. The service may always. */
export class CostGuard {
  private readonly cheap = new Map<string, number>();

  /** Refuses what would cost too much; `explain` runs a statement as the caller. @throws Fault PGRSTX21. */
  async check(plan: StatementPlan, { main }: Compiled, caller: Caller, { aggregateCostLimit: limit = null }: RestOptions, explain: (statement: Statement) => Promise<Result>): Promise<void> {
    if (limit === null || isService(caller) || !isGuarded(plan)) return;
    // The same text under another role is another plan: policies are part of it.
    const key = JSON.stringify([caller.role, main.text, main.values]);
    if (this.isCheap(key)) return;
    const { rows } = await explain({ text: `explain (format json) ${main.text}`, values: main.values });
    const cost = costOf(rows[0]?.[0] ?? '[]');
    if (cost > limit) {
      throw fault('PGRSTX21', {
        details: `The planner puts it at ${Math.round(cost)}, and ${limit} is allowed (MAINSTAY_AGGREGATE_COST_LIMIT).`,
        hint: 'Narrow it by filters on indexed columns, or ask with the service key.',
      });
    }
    this.remember(key);
  }

  private isCheap(key: string): boolean {
    return (this.cheap.get(key) ?? 0) > performance.now();
  }

  private remember(key: string): void {
    this.cheap.delete(key);
    this.cheap.set(key, performance.now() + rememberedMs);
    if (this.cheap.size > mostRemembered) this.cheap.delete(this.cheap.keys().next().value!);
  }
}

function isGuarded(plan: StatementPlan): boolean {
  return plan.kind !== 'write' && plan.answer.media.kind !== 'plan' && hasGroups(plan.root);
}

function costOf(explained: string): number {
  return (JSON.parse(explained) as { Plan?: { 'Total Cost'?: number } }[])[0]?.Plan?.['Total Cost'] ?? 0;
}
