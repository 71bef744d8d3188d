import { randomUUID } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import { isService, type Caller } from '@mainstay/domain';
import { OutwardRefusal, type Outward } from '@mainstay/outward';
import {
  addEndpoint, changeEndpoint, countDeliveries, deliveryStates, dropEndpoint, findDelivery, findEndpoint, listDeliveries, listEndpoints, ownSessionOf, putTestEvent, rebuildEndpoint, redeliver, redeliverAll,
  subscribe, wakeFeeder, withIdempotency,
  type Database, type DeliveryFilters, type DeliveryId, type DeliveryState, type EndpointDraft, type KeptAnswer, type KeptEndpoint, type KeyedRequest, type Sealing, type Transaction,
} from '@mainstay/persistence';
import { compileSubscription } from './compile-subscription.ts';
import { newSecret, openHeaders, openSecrets, rotated, sealHeaders, sealSecrets, webhookSealing, type EndpointSecret } from './endpoint-secrets.ts';
import { likeOf, parseEndpoint, starred, type EndpointInput, type EventInput } from './parse-endpoint.ts';
import { makeRetryPlan, mostAttempts } from './retry-plan.ts';
import { showAttempt, showDelivery, showEndpoint, type ShownDelivery, type ShownDeliveryInFull, type ShownEndpoint } from './show-webhooks.ts';
import { webhookFault } from './webhook-faults.ts';
import { writeBody } from './write-body.ts';

/** The filters of a list of deliveries as they stand in a query. */
export interface DeliveryQuery {
  readonly state?: string;
  readonly event?: string;
  readonly endpoint?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: string;
  readonly before?: string;
}

export type WebhookSettings = Pick<Settings, 'secret' | 'webhookRetries' | 'webhookOverlapHours'>;
type Answer = Promise<KeptAnswer & { readonly isReplayed: boolean }>;

const endOfTime = new Date('9999-01-01T00:00:00Z');
const defaultLimit = 50;
const mostAtOnce = 500;

/** Endpoints and their deliveries, as whoever holds the service key has them. */
export class WebhooksService {
  private readonly sealing: Sealing;
  private readonly maxAttempts: number;

  constructor(
    private readonly database: Database,
    private readonly settings: WebhookSettings,
    private readonly outward: Pick<Outward, 'check'>,
  ) {
    this.sealing = webhookSealing(settings.secret ?? '');
    this.maxAttempts = mostAttempts(makeRetryPlan(settings.webhookRetries));
  }

  /** Makes an endpoint and the triggers that it needs. The answer alone shows its secret. */
  create(caller: Caller, body: unknown, keyed: KeyedRequest | null): Answer {
    return this.answer(caller, keyed, 201, true, async (tx) => {
      const input = parseEndpoint(body);
      const { url, events } = input;
      if (url === undefined) throw webhookFault('endpoint_not_valid', { message: 'An endpoint needs a "url"' });
      if (events === undefined) throw webhookFault('endpoint_not_valid', { message: 'An endpoint needs "events"', hint: 'Such as [{"table":"orders","operations":["insert"]}, "job.dead"].' });
      const id = randomUUID();
      const secret = newSecret(new Date());
      await addEndpoint(tx, this.draftOf(id, { ...input, url }, null, [secret]));
      await this.subscribe(tx, id, events);
      return { ...(await this.mustShow(tx, id)), secret: secret.secret };
    });
  }

  list(caller: Caller, query: Pick<DeliveryQuery, 'limit' | 'before'>): Promise<ShownEndpoint[]> {
    const limit = parseLimit(query.limit);
    if (query.before !== undefined && !isUuid(query.before)) throw parameterFault(`"before" must be the id of an endpoint, not "${query.before}"`);
    return this.asService(caller, async (tx) => (await listEndpoints(tx, limit, query.before ?? null)).map((kept) => this.show(kept)));
  }

  find(caller: Caller, id: string): Promise<ShownEndpoint> {
    return this.asService(caller, (tx) => this.mustShow(tx, id));
  }

  /** Changes what is said and leaves the rest. What was written down already is sent as it was, to where it goes now. */
  change(caller: Caller, id: string, body: unknown): Promise<ShownEndpoint> {
    return this.asService(caller, async (tx) => {
      const kept = await mustFind(tx, id);
      const input = parseEndpoint(body);
      await changeEndpoint(tx, this.draftOf(id, { ...input, url: input.url ?? kept.url }, kept, this.secretsOf(kept)));
      if (input.events !== undefined) await this.subscribe(tx, id, input.events);
      else if (kept.state === 'disabled') await rebuildEndpoint(tx, id);
      await wakeFeeder(tx);
      return this.mustShow(tx, id);
    });
  }

  /** Nothing more is sent to it, not even what waits. */
  remove(caller: Caller, id: string): Promise<void> {
    return this.asService(caller, async (tx) => {
      await mustFind(tx, id);
      await dropEndpoint(tx, id);
    });
  }

  /** A new secret; the one before signs beside it for some hours. */
  rotateSecret(caller: Caller, id: string, keyed: KeyedRequest | null): Answer {
    return this.answer(caller, keyed, 200, true, async (tx) => {
      const kept = await mustFind(tx, id);
      const secrets = rotated(this.secretsOf(kept), this.settings.webhookOverlapHours, new Date());
      await changeEndpoint(tx, { ...keptDraft(kept), secrets: sealSecrets(this.sealing, id, secrets) });
      return { ...(await this.mustShow(tx, id)), secret: secrets[0]!.secret };
    });
  }

  /** What happens from now on is written down and waits. */
  pause(caller: Caller, id: string, keyed: KeyedRequest | null): Answer {
    return this.setPaused(caller, id, true, keyed);
  }

  /** What waits is sent; an endpoint that was disabled begins anew. */
  resume(caller: Caller, id: string, keyed: KeyedRequest | null): Answer {
    return this.setPaused(caller, id, false, keyed);
  }

  private setPaused(caller: Caller, id: string, isPaused: boolean, keyed: KeyedRequest | null): Answer {
    return this.answer(caller, keyed, 200, false, async (tx) => {
      const kept = await mustFind(tx, id);
      await changeEndpoint(tx, { ...keptDraft(kept), isPaused });
      if (kept.state === 'disabled') await rebuildEndpoint(tx, id);
      await wakeFeeder(tx);
      return this.mustShow(tx, id);
    });
  }

  /** Sends it an event of type `webhook.test`, as any other would be. */
  test(caller: Caller, id: string, keyed: KeyedRequest | null): Answer {
    return this.answer(caller, keyed, 202, false, async (tx) => {
      const kept = await mustFind(tx, id);
      if (kept.state === 'disabled') throw webhookFault('endpoint_is_disabled', { details: kept.reason, hint: 'Resume it first.' });
      const delivery = await putTestEvent(tx, kept.no, { message: 'This is a test of your endpoint', endpoint_id: id });
      return this.mustShowDelivery(tx, delivery);
    });
  }

  /** The newest first. */
  deliveries(caller: Caller, query: DeliveryQuery): Promise<ShownDelivery[]> {
    return this.asService(caller, async (tx) => {
      const filters = parseDeliveryQuery(query);
      if (filters.endpointId !== undefined) await mustFind(tx, filters.endpointId);
      return (await listDeliveries(tx, filters)).map((kept) => showDelivery(kept, this.maxAttempts));
    });
  }

  countDeliveries(caller: Caller, query: DeliveryQuery): Promise<Record<DeliveryState, number>> {
    return this.asService(caller, (tx) => countDeliveries(tx, parseDeliveryQuery(query)));
  }

  delivery(caller: Caller, id: string): Promise<ShownDeliveryInFull> {
    return this.asService(caller, (tx) => this.mustShowDelivery(tx, deliveryIdOf(id)));
  }

  /** Sends one again, under the same id and with its tries anew; one that waits, at once. */
  redeliver(caller: Caller, id: string, keyed: KeyedRequest | null): Answer {
    return this.answer(caller, keyed, 202, false, async (tx) => {
      const delivery = deliveryIdOf(id);
      if (!(await redeliver(tx, delivery))) throw webhookFault('delivery_not_found', { details: id });
      await wakeFeeder(tx);
      return this.mustShowDelivery(tx, delivery);
    });
  }

  /** Sends again what happened in a time: what is dead, or what is asked for. */
  redeliverRange(caller: Caller, id: string, body: unknown, keyed: KeyedRequest | null): Answer {
    return this.answer(caller, keyed, 202, false, async (tx) => {
      const { no } = await mustFind(tx, id);
      const count = await redeliverAll(tx, no, parseRange(body));
      await wakeFeeder(tx);
      return { count };
    });
  }

  private async subscribe(tx: Transaction, id: string, events: readonly EventInput[]): Promise<void> {
    const drafts = [];
    for (const event of events) drafts.push(await compileSubscription(tx, event));
    const [broken] = await subscribe(tx, id, drafts);
    if (broken !== undefined) throw webhookFault('filter_not_valid', { message: broken.broken!.message });
  }

  private draftOf(id: string, input: EndpointInput & { readonly url: string }, kept: KeptEndpoint | null, secrets: readonly EndpointSecret[]): EndpointDraft {
    try {
      this.outward.check(input.url);
    } catch (error) {
      if (error instanceof OutwardRefusal) throw webhookFault('endpoint_url_refused', { message: error.message, details: error.code, hint: error.hint, cause: error });
      throw error;
    }
    return {
      id,
      url: input.url,
      description: input.description === undefined ? (kept?.description ?? null) : input.description,
      headers: input.headers === undefined ? (kept?.headers ?? null) : sealHeaders(this.sealing, id, this.filledIn(input.headers, kept)),
      secrets: kept?.secrets ?? sealSecrets(this.sealing, id, secrets),
      isPaused: input.isPaused ?? kept?.state === 'paused',
      rate: input.rate === undefined ? (kept?.rate ?? null) : input.rate,
    };
  }

  /** A starred value is what an answer showed instead of the one that is kept. */
  private filledIn(headers: Readonly<Record<string, string>>, kept: KeptEndpoint | null): Record<string, string> {
    const known = kept === null ? {} : (openHeaders(this.sealing, kept.id, kept.headers) ?? {});
    return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value === starred ? (known[name] ?? value) : value]));
  }

  private secretsOf(kept: KeptEndpoint): readonly EndpointSecret[] {
    const secrets = openSecrets(this.sealing, kept.id, kept.secrets);
    if (secrets === null) throw webhookFault('secret_not_readable', { hint: 'Make the endpoint anew, or give the api the MAINSTAY_SECRET it had.' });
    return secrets;
  }

  private show(kept: KeptEndpoint): ShownEndpoint {
    return showEndpoint(kept, openHeaders(this.sealing, kept.id, kept.headers) ?? {}, openSecrets(this.sealing, kept.id, kept.secrets) ?? [], new Date());
  }

  private async mustShow(tx: Transaction, id: string): Promise<ShownEndpoint> {
    return this.show(await mustFind(tx, id));
  }

  private async mustShowDelivery(tx: Transaction, id: DeliveryId): Promise<ShownDeliveryInFull> {
    const found = await findDelivery(tx, id);
    if (found === null) throw webhookFault('delivery_not_found', { details: `${id.eventId}-${id.endpointNo}` });
    return { ...showDelivery(found, this.maxAttempts), body: writeBody(found.parts), log: found.log.map(showAttempt) };
  }

  /** Does a change, once for each `Idempotency-Key`. An answer with a secret in it is kept sealed. */
  private answer(caller: Caller, keyed: KeyedRequest | null, status: number, isSecret: boolean, work: (tx: Transaction) => Promise<unknown>): Answer {
    return this.asService(caller, async (tx) => {
      const make = async (): Promise<KeptAnswer> => ({ status, headers: {}, body: JSON.stringify(await work(tx)) });
      if (keyed === null) return { ...(await make()), isReplayed: false };
      if (!isSecret) return withIdempotency(tx, keyed, make);
      const row = `answer to ${keyed.key}`;
      const kept = await withIdempotency(tx, keyed, async () => {
        const made = await make();
        return { ...made, body: this.sealing.seal(row, made.body!) };
      });
      return { ...kept, body: this.sealing.open(row, kept.body!) };
    });
  }

  private async asService<T>(caller: Caller, work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (!isService(caller)) throw webhookFault('webhooks_need_service');
    return this.database.transaction(ownSessionOf(caller), work);
  }
}

function keptDraft({ id, url, description, headers, secrets, state, rate }: KeptEndpoint): EndpointDraft {
  return { id, url, description, headers, secrets, isPaused: state === 'paused', rate };
}

async function mustFind(tx: Transaction, id: string): Promise<KeptEndpoint> {
  const kept = isUuid(id) ? await findEndpoint(tx, id) : null;
  if (kept === null) throw webhookFault('endpoint_not_found', { details: id });
  return kept;
}

function parseDeliveryQuery({ state, event, endpoint, since, until, limit, before }: DeliveryQuery): DeliveryFilters {
  if (state !== undefined && !deliveryStates.includes(state as DeliveryState)) throw parameterFault(`"${state}" is no state of a delivery`, `States: ${deliveryStates.join(', ')}`);
  if (endpoint !== undefined && !isUuid(endpoint)) throw parameterFault(`"endpoint" must be the id of an endpoint, not "${endpoint}"`);
  if (event?.includes('\0')) throw parameterFault('"event" must be a type of event, such as public.orders.insert or public.orders.*');
  return {
    state: state as DeliveryState | undefined,
    event: event === undefined ? undefined : likeOf(event),
    endpointId: endpoint,
    since: momentOf('since', since),
    until: momentOf('until', until),
    before: before === undefined ? undefined : deliveryIdOf(before, 'before'),
    limit: parseLimit(limit),
  };
}

function parseRange(body: unknown): { since: Date; until: Date; state: DeliveryState } {
  const { since, until, state = 'dead' } = (body ?? {}) as Record<string, unknown>;
  if (typeof since !== 'string') throw parameterFault('"since" must be said: a time such as 2026-01-31T12:00:00Z');
  if (!deliveryStates.includes(state as DeliveryState)) throw parameterFault(`${JSON.stringify(state)} is no state of a delivery`, `States: ${deliveryStates.join(', ')}`);
  return { since: momentOf('since', since)!, until: momentOf('until', until) ?? endOfTime, state: state as DeliveryState };
}

function momentOf(name: string, value: unknown): Date | undefined {
  if (value === undefined) return undefined;
  const moment = typeof value === 'string' && /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/.test(value) ? new Date(value) : null;
  if (moment === null || Number.isNaN(moment.getTime())) throw parameterFault(`"${name}" must be a time such as 2026-01-31T12:00:00Z, not ${JSON.stringify(value)}`);
  return moment;
}

function deliveryIdOf(id: string, parameter: string | null = null): DeliveryId {
  const [, eventId, endpointNo] = /^(\d{1,18})-(\d{1,9})$/.exec(id) ?? [];
  if (eventId !== undefined) return { eventId, endpointNo: Number(endpointNo) };
  throw parameter === null ? webhookFault('delivery_not_found', { details: id }) : parameterFault(`"${parameter}" must be the id of a delivery, not "${id}"`);
}

function parseLimit(text: string | undefined): number {
  if (text === undefined) return defaultLimit;
  const limit = Number(text);
  if (!/^\d+$/.test(text) || limit < 1 || limit > mostAtOnce) throw parameterFault(`"limit" must be a whole number from 1 to ${mostAtOnce}, not "${text}"`);
  return limit;
}

function parameterFault(message: string, hint: string | null = null): Error {
  return webhookFault('webhook_filter_not_valid', { message, hint });
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text);
}
