import { fillTemplate, makeTemplate, shapeOf, type Compiled, type Limits, type Plan, type PlanRequest, type RestRequest, type Template } from '@mainstay/dialect';
import { LRUCache } from 'lru-cache';

/** How many shapes are remembered, and the longest one: together some tens of megabytes if all were made to cost as much as they can. */
const mostShapes = 1000;
const longestKey = 4000;

/** What is known of a shape that has no template: it came once so far, or none can be made. */
type Known = Template | 'seen once' | 'unfit';

/** A plan, and its statements if they are written already. */
export interface Planned {
  readonly plan: Plan;
  readonly statements: Compiled | null;
}

/** Remembers what was planned and written for requests of one shape. Most texts never come again, so the second one makes the template. */
export class PlanCache {
  private readonly known = new LRUCache<string, Known>({ max: mostShapes });
  private hits = 0;
  private misses = 0;

  /** Plans a request. `context` names everything beside the request that `planRequest` depends on: the schema's version, the caller's role. */
  plan(http: RestRequest, context: string, limits: Limits, planRequest: PlanRequest): Planned {
    const shape = shapeOf(http, limits);
    if (shape === null || shape.key.length > longestKey) {
      this.misses += 1;
      return { plan: planRequest(http), statements: null };
    }
    const key = `${context} ${shape.key}`;
    const known = this.known.get(key);
    if (typeof known === 'object') {
      this.hits += 1;
      return fillTemplate(known, shape);
    }
    this.misses += 1;
    const plan = planRequest(http);
    if (known === undefined) this.known.set(key, 'seen once');
    else if (known === 'seen once') this.known.set(key, (plan.kind === 'describe' ? null : makeTemplate(http, shape, plan, planRequest)) ?? 'unfit');
    return { plan, statements: null };
  }
  /** How often a plan was known, how often not, and how many shapes are remembered. */
  figures(): { readonly hits: number; readonly misses: number; readonly entries: number } {
    return { hits: this.hits, misses: this.misses, entries: this.known.size };
  }
}
