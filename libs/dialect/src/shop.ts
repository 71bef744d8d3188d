import { defaultLimits } from './limits.ts';
import type { RestOptions } from './options.ts';
import type { RestRequest } from './parse.ts';
import { makeSchemaCache, type Catalogue } from './read-catalogue.ts';
import type { Column, Routine } from './schema-cache.ts';

/** A small shop as the catalogue would describe it: what the specs of this library ask about. */
const catalogue: Catalogue = {
  collections: [
    collection(1, 'customers', { id: 'integer', name: 'text', referrer_id: 'integer' }),
    collection(2, 'orders', { id: 'integer', customer_id: 'integer', total: 'numeric(10,2)', note: 'jsonb', placed_at: 'timestamp with time zone', words: 'tsvector' }, { placed_at: 'now()' }),
    collection(3, 'products', { id: 'integer', name: 'text', tags: 'text[]' }),
    collection(4, 'order_products', { order_id: 'integer', product_id: 'integer' }),
    collection(5, 'invoices', { order_id: 'integer', paid_by: 'integer', sent_to: 'integer' }),
    { ...collection(6, 'paid_orders', { id: 'integer', buyer: 'integer' }), isView: true, isInsertable: false },
  ],
  relations: [
    relation(1, 'customers', ['id', 'name', 'referrer_id']),
    relation(2, 'orders', ['id', 'customer_id', 'total', 'note', 'placed_at', 'words']),
    relation(3, 'products', ['id', 'name', 'tags']),
    relation(4, 'order_products', ['order_id', 'product_id']),
    relation(5, 'invoices', ['order_id', 'paid_by', 'sent_to']),
    relation(6, 'paid_orders', ['id', 'buyer']),
  ],
  keys: [
    { kind: 'p', constraint: 'customers_pkey', relation: 1, columns: [1], target: null, targetColumns: null },
    { kind: 'p', constraint: 'orders_pkey', relation: 2, columns: [1], target: null, targetColumns: null },
    { kind: 'p', constraint: 'products_pkey', relation: 3, columns: [1], target: null, targetColumns: null },
    { kind: 'p', constraint: 'order_products_pkey', relation: 4, columns: [1, 2], target: null, targetColumns: null },
    { kind: 'p', constraint: 'invoices_pkey', relation: 5, columns: [1], target: null, targetColumns: null },
    { kind: 'f', constraint: 'customers_referrer', relation: 1, columns: [3], target: 1, targetColumns: [1] },
    { kind: 'f', constraint: 'orders_customer', relation: 2, columns: [2], target: 1, targetColumns: [1] },
    { kind: 'f', constraint: 'order_products_order', relation: 4, columns: [1], target: 2, targetColumns: [1] },
    { kind: 'f', constraint: 'order_products_product', relation: 4, columns: [2], target: 3, targetColumns: [1] },
    { kind: 'f', constraint: 'invoices_order', relation: 5, columns: [1], target: 2, targetColumns: [1] },
    { kind: 'f', constraint: 'invoices_paid_by', relation: 5, columns: [2], target: 1, targetColumns: [1] },
    { kind: 'f', constraint: 'invoices_sent_to', relation: 5, columns: [3], target: 1, targetColumns: [1] },
  ],
  views: [{ relation: 6, rule: '({QUERY :commandType 1 :rtable ({RTE :relid 2}) :targetList ({TARGETENTRY :expr {VAR :varno 1} :resno 1 :resname id :resorigtbl 2 :resorigcol 1 :resjunk false} {TARGETENTRY :expr {VAR :varno 1} :resno 2 :resname buyer :resorigtbl 2 :resorigcol 2 :resjunk false}) :override 0})' }],
  computed: [{ function: { schema: 'shop', name: 'latest_order' }, origin: { schema: 'shop', name: 'customers' }, target: { schema: 'shop', name: 'orders' }, isSingle: true, isSelf: false }],
  routines: [
    routine('add', [['a', 'integer', true], ['b', 'integer', false]], { name: 'int4' }),
    routine('search', [['term', 'text', true]], { schema: 'shop', name: 'orders', isSet: true, isComposite: true }),
    routine('take_json', [['', 'json', true]], { name: 'json' }),
    { ...routine('reset', [], { name: 'void', isVoid: true }), volatility: 'volatile' },
    { ...routine('sum_all', [['v', 'integer[]', true]], { name: 'int4' }), isVariadic: true, parameters: [{ name: 'v', type: 'integer[]', readType: 'integer[]', isRequired: true, isVariadic: true }] },
    routine('twice', [['n', 'integer', true]], { name: 'int4' }),
    routine('twice', [['n', 'text', true]], { name: 'text' }),
  ],
  casts: [],
  mediaHandlers: [],
  types: ['int4', 'text', 'numeric', 'Mood'],
  roles: [],
};

export const shop = makeSchemaCache(catalogue, ['shop']);

export const shopOptions: RestOptions = {
  schemas: ['shop'],
  extraSearchPath: ['public'],
  maxRows: null,
  areAggregatesAllowed: true,
  arePlansAllowed: true,
  preRequest: null,
  transactionEnd: 'commit',
  limits: defaultLimits,
};

/** A request as the edge would hand it in. */
export function ask(line: string, more: { headers?: Record<string, string>; body?: string } = {}): RestRequest {
  const [method, target] = line.includes(' ') ? (line.split(/ (.*)/s) as [string, string]) : ['GET', line];
  const question = target.indexOf('?');
  return {
    method,
    path: question === -1 ? target : target.slice(0, question),
    query: question === -1 ? '' : target.slice(question + 1),
    headers: more.headers ?? {},
    body: more.body === undefined ? null : new TextEncoder().encode(more.body),
  };
}

function collection(relation: number, name: string, types: Record<string, string>, defaults: Record<string, string> = {}): Catalogue['collections'][number] {
  const columns: Column[] = Object.entries(types).map(([column, type]) => ({ name: column, type, baseType: type.replace(/\(.*/, ''), default: defaults[column] ?? null }));
  return { relation, schema: 'shop', name, isView: false, isInsertable: true, isUpdatable: true, isDeletable: true, columns };
}

function relation(number: number, name: string, columns: string[]): Catalogue['relations'][number] {
  return { relation: number, schema: 'shop', name, columns: Object.fromEntries(columns.map((column, i) => [String(i + 1), column])) };
}

function routine(name: string, parameters: [name: string, type: string, isRequired: boolean][], returns: Partial<Routine['returns']>): Routine {
  return {
    schema: 'shop',
    name,
    parameters: parameters.map(([parameter, type, isRequired]) => ({ name: parameter, type, readType: type, isRequired, isVariadic: false })),
    returns: { schema: 'pg_catalog', name: '', isSet: false, isComposite: false, isVoid: false, ...returns },
    volatility: 'stable',
    isVariadic: false,
    isolation: null,
    settings: {},
  };
}
