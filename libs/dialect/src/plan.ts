import { fault } from './faults.ts';
import { findRoutine } from './find-routine.ts';
import { negotiate, type Answer } from './negotiate.ts';
import type { RestOptions } from './options.ts';
import type { Action, Request } from './parse.ts';
import { unequalKeys, type Body } from './parse-body.ts';
import type { Filter } from './parse-filter.ts';
import { parseHaving } from './parse-having.ts';
import type { Query } from './parse-query.ts';
import { planMatching } from './plan-matching.ts';
import { planNested, type Level } from './plan-nested.ts';
import { planKeyset, refuseKeyset, type Keyset } from './plan-keyset.ts';
import { conditionOf, planRead, type ReadTree } from './plan-read.ts';
import type { Condition, GroupCondition, Node, Output, WriteColumn } from './plan-types.ts';
import type { Preferences } from './preferences.ts';
import { castKey, findCollection, keyOf, namesIn, returnsScalar, type Collection, type Isolation, type Parameter, type QualifiedName, type Routine, type SchemaCache } from './schema-cache.ts';
import { mostSimilar } from './similar.ts';
import { everything } from './window.ts';

interface Common {
  readonly request: Request;
  readonly answer: Answer;
  readonly legacyNames: ReadTree['legacyNames'];
  readonly access: Access;
}

/** What the transaction must be like. */
export interface Access {
  readonly isReadOnly: boolean;
  /** Of the function called; null leaves it to the role. */
  readonly isolation: Isolation | null;
  readonly settings: Readonly<Record<string, string>>;
  /** The outcome must be seen before the commit, since it may have to be undone. */
  readonly mustWatch: boolean;
  readonly mustRollBack: boolean;
}

export interface ReadPlan extends Common {
  readonly kind: 'read';
  readonly collection: Collection;
  readonly root: Node;
  readonly maxRows: number | null;
  readonly keyset: Keyset | null;
}

export interface WritePlan extends Common {
  readonly kind: 'write';
  readonly write: 'insert' | 'update' | 'put' | 'delete';
  readonly collection: Collection;
  readonly root: Node;
  readonly body: Extract<Body, { kind: 'json' }> | null;
  readonly columns: readonly WriteColumn[];
  readonly conditions: readonly Condition[];
  readonly conflict: { readonly columns: readonly string[]; readonly resolution: 'merge' | 'ignore' } | null;
  /** Keys that are absent take the column's default. */
  readonly usesDefaults: boolean;
  readonly returning: Returning;
  readonly wantsLocation: boolean;
  /** The body holds children: it is stored level by level. */
  readonly nested: Level | null;
  /** Each element of the body is for the row that has its values in these columns; null where all rows take the same. */
  readonly matching: readonly string[] | null;
}

/** The columns that a write or a call must hand on for the answer to be made of them. */
export type Returning = { readonly hasStar: boolean; readonly names: readonly string[] } | null;

/** How a function gets its arguments. */
export type Arguments =
  | { readonly kind: 'none' }
  | { readonly kind: 'direct'; readonly values: readonly { readonly parameter: Parameter; readonly values: readonly string[] }[] }
  | { readonly kind: 'json'; readonly parameters: readonly Parameter[]; readonly body: Extract<Body, { kind: 'json' }> }
  | { readonly kind: 'whole'; readonly parameter: Parameter; readonly text: string };

export interface CallPlan extends Common {
  readonly kind: 'call';
  readonly routine: Routine;
  readonly args: Arguments;
  readonly root: Node;
  readonly returning: Returning;
  readonly maxRows: number | null;
}

/** OPTIONS: answered from the schema cache. */
export interface DescribePlan {
  readonly kind: 'describe';
  readonly allow: readonly string[];
}

export type StatementPlan = ReadPlan | WritePlan | CallPlan;
export type Plan = StatementPlan | DescribePlan;

/**
 * Looks up every name of a request and decides what is to be done.
 * @throws Fault for names that are unknown or ambiguous, and for what does not go together.
 */
export function makePlan(request: Request, cache: SchemaCache, options: RestOptions): Plan {
  const { action } = request;
  switch (action.kind) {
    case 'read':
      return checked(planCollectionRead(request, action, cache, options));
    case 'insert':
    case 'update':
    case 'put':
    case 'delete':
      return checked(planWrite(request, action, cache, options));
    case 'call':
      return checked(planCall(request, action, cache, options));
    case 'describe':
      return { kind: 'describe', allow: allowedMethods(request, action, cache, options) };
    case 'root':
      throw fault('PGRST126');
  }
}

function checked<P extends StatementPlan>(plan: P): P {
  const { handling, unknown, maxAffected } = plan.request.preferences;
  if (handling !== 'strict') return plan;
  if (unknown.length > 0) throw fault('PGRST122', { details: `Invalid preferences: ${unknown.join(', ')}` });
  if (maxAffected !== null && plan.kind === 'call' && !plan.routine.returns.isSet) throw fault('PGRST128');
  return plan;
}

function planCollectionRead(request: Request, { collection: name, isHead }: Extract<Action, { kind: 'read' }>, cache: SchemaCache, options: RestOptions): ReadPlan {
  const collection = collectionOf(cache, { schema: request.schema, name });
  const { query, window } = request;
  const { root: planned, legacyNames } = planRead(cache, {
    origin: collection,
    source: { kind: 'collection', name: collection },
    select: query.select,
    filters: query.filters,
    logic: query.logic,
    having: query.having,
    orders: query.orders,
    windows: query.windows,
    window,
    maxRows: options.maxRows,
    areAggregatesAllowed: options.areAggregatesAllowed,
  });
  const { root, keyset } = planKeyset(request, collection, planned);
  const answer = answerOf(request, collection, root, cache, options);
  return {
    kind: 'read',
    request,
    collection,
    root,
    legacyNames,
    answer: isHead ? withoutBody(answer) : answer,
    maxRows: options.maxRows,
    keyset,
    access: { isReadOnly: true, isolation: null, settings: {}, mustWatch: false, mustRollBack: false },
  };
}

function planWrite(request: Request, action: Extract<Action, { kind: 'insert' | 'update' | 'put' | 'delete' }>, cache: SchemaCache, options: RestOptions): WritePlan {
  const collection = collectionOf(cache, { schema: request.schema, name: action.collection });
  const { query, preferences } = request;
  const { root, legacyNames } = planRead(cache, {
    origin: collection,
    source: { kind: 'rows' },
    select: query.select,
    // Filters of the collection itself chose the rows to write; they do not choose again among those written.
    filters: query.filters.filter(({ path }) => path.length > 0),
    logic: query.logic.filter(({ path }) => path.length > 0),
    having: query.having,
    orders: query.orders,
    windows: query.windows,
    window: everything,
    maxRows: null,
    areAggregatesAllowed: options.areAggregatesAllowed,
  });
  const kind = action.kind;
  if (kind === 'put') checkPut(request, collection);
  const answer = answerOf(request, collection, root, cache, options);
  const wantsRows = preferences.return === 'representation';
  const wantsLocation = kind === 'insert' && preferences.return === 'headers-only';
  const nested = kind === 'insert' ? planNested(request.body, collection, cache, options) : null;
  if (nested === null) refuseUneven(request.body);
  else checkNested(request, answer);
  const matching = kind === 'update' ? planMatching(request, collection) : null;
  return {
    kind: 'write',
    write: kind,
    request,
    collection,
    root,
    legacyNames,
    answer: wantsRows ? answer : withoutBody(answer),
    body: request.body?.kind === 'json' ? request.body : null,
    columns: kind === 'delete' ? [] : writeColumns(request, collection, cache, nested !== null),
    conditions: rootConditions(request, collection, cache),
    conflict: conflictOf(request, kind, collection),
    usesDefaults: preferences.missing === 'default' && kind !== 'put',
    returning: wantsRows || wantsLocation ? returningOf(root, collection.primaryKey) : null,
    wantsLocation,
    nested,
    matching,
    access: { isReadOnly: false, isolation: null, settings: {}, mustWatch: nested !== null || matching !== null || mayBeUndone(kind, preferences, answer), mustRollBack: rollsBack(preferences, options) },
  };
}

/** Keys that are not in every row may only be those of children. */
function refuseUneven(body: Body | null): void {
  if (body?.kind === 'json' && body.uneven !== undefined) throw unequalKeys();
}

/** Of a row that was passed over it is not known whether children of the body are its own. */
function checkNested({ preferences }: Request, { media }: Answer): void {
  if (preferences.resolution === 'ignore-duplicates') throw fault('PGRSTX30', { message: 'Rows with children cannot be inserted with resolution=ignore-duplicates' });
  if (media.kind === 'plan') throw fault('PGRSTX30', { message: 'Rows with children are inserted by several statements, which have no plan together' });
}

/** What a result can still turn into a refusal: a single object was asked for, or only so many rows may be touched. */
function mayBeUndone(kind: WritePlan['write'], preferences: Preferences, { media }: Answer): boolean {
  return kind === 'put' || media.kind === 'object' || (preferences.handling === 'strict' && preferences.maxAffected !== null);
}

function rollsBack({ tx }: Preferences, { transactionEnd }: RestOptions): boolean {
  return tx === 'rollback' || (transactionEnd === 'rollback' && tx !== 'commit');
}

/** PUT names one row by its whole key, each column by `eq`. */
function checkPut({ query }: Request, { primaryKey }: Collection): void {
  const isEq = ({ isNegated, operation }: Filter): boolean => !isNegated && operation.kind === 'quantified' && operation.operator === 'eq' && operation.quantifier === null;
  const ofRoot = query.filters.filter(({ path }) => path.length === 0);
  const isKey = primaryKey.length > 0 && query.filterKeys.size === primaryKey.length && primaryKey.every((column) => query.filterKeys.has(column));
  if (query.logic.length > 0 || !isKey || !ofRoot.every(({ what }) => isEq(what))) throw fault('PGRST105');
}

function rootConditions({ query, action }: Request, collection: Collection, cache: SchemaCache): Condition[] {
  if (action.kind === 'insert') return [];
  const trees = [...query.filters, ...query.logic].filter(({ path }) => path.length === 0).map(({ what }) => what);
  return trees.map((tree) => conditionOf(cache, collection, tree));
}

function writeColumns({ body }: Request, collection: Collection, cache: SchemaCache, hasChildren: boolean): WriteColumn[] {
  const keys = body?.kind === 'json' ? body.keys : [];
  const names = hasChildren ? keys.filter((key) => collection.columns.has(key)) : keys;
  return names.map((name) => {
    const column = collection.columns.get(name);
    if (column === undefined) throw fault('PGRST204', { message: `Could not find the '${name}' column of '${collection.name}' in the schema cache` });
    return { ...column, parser: cache.casts.get(castKey('json', column.type)) ?? null };
  });
}

function conflictOf({ query, preferences }: Request, kind: WritePlan['write'], { primaryKey }: Collection): WritePlan['conflict'] {
  if (kind === 'put') return { columns: primaryKey, resolution: 'merge' };
  if (kind !== 'insert' || preferences.resolution === null) return null;
  const columns = query.onConflict ?? primaryKey;
  if (columns.length === 0) return null;
  return { columns, resolution: preferences.resolution === 'merge-duplicates' ? 'merge' : 'ignore' };
}

function planCall(request: Request, { function: name, method }: Extract<Action, { kind: 'call' }>, cache: SchemaCache, options: RestOptions): CallPlan {
  refuseKeyset(request);
  const isPost = method === 'POST';
  const { body } = request;
  const query = havingOfArguments(request.query, cache.routines.get(keyOf(request.schema, name)) ?? [], options);
  const given = isPost ? (body?.kind === 'form' ? body.pairs : []) : query.args;
  const keys = new Set(body?.kind === 'json' && isPost ? body.keys : given.map(([key]) => key));
  const routine = findRoutine(cache, { name: { schema: request.schema, name }, keys, isPost, contentType: request.contentType });
  const origin = rowsOf(routine, cache);
  const { root, legacyNames } = planRead(cache, {
    origin,
    source: { kind: 'rows' },
    select: query.select,
    filters: query.filters,
    logic: query.logic,
    having: query.having,
    orders: query.orders,
    windows: query.windows,
    window: request.window,
    maxRows: options.maxRows,
    areAggregatesAllowed: options.areAggregatesAllowed,
  });
  const answer = answerOf(request, routine, root, cache, options, origin);
  const isReadOnly = !isPost || routine.volatility !== 'volatile';
  const watched = answer.media.kind === 'object' || (request.preferences.handling === 'strict' && request.preferences.maxAffected !== null);
  return {
    kind: 'call',
    request,
    routine,
    args: argumentsOf(routine, keys, given, body),
    root,
    legacyNames,
    returning: returnsScalar(routine) ? null : callReturning(root),
    answer: method === 'HEAD' ? withoutBody(answer) : answer,
    maxRows: options.maxRows,
    access: { isReadOnly, isolation: routine.isolation, settings: routine.settings, mustWatch: watched && !isReadOnly, mustRollBack: !isReadOnly && rollsBack(request.preferences, options) },
  };
}

/** In a call by GET `having=(…)` came as an argument; it is one only where a function has a parameter of that name. */
function havingOfArguments(query: Query, routines: readonly Routine[], { limits }: RestOptions): Query {
  const isHaving = ([key, text]: readonly [string, string]): boolean => key === 'having' && text.startsWith('(');
  if (!query.args.some(isHaving) || routines.some(({ parameters }) => parameters.some(({ name }) => name === 'having'))) return query;
  const having = query.args.filter(isHaving).map(([, text]) => ({ path: [], what: { having: parseHaving(text, limits), text } }));
  return { ...query, args: query.args.filter((argument) => !isHaving(argument)), having: [...query.having, ...having] };
}

/** The collection whose rows a function gives, so that others can be embedded in them. */
function rowsOf({ schema, name, returns }: Routine, cache: SchemaCache): QualifiedName {
  if (!returns.isComposite) return { schema, name };
  const ofType = { schema: returns.schema, name: returns.name };
  return findCollection(cache, ofType) === undefined ? { schema, name: returns.name } : ofType;
}

function argumentsOf(routine: Routine, keys: ReadonlySet<string>, given: readonly (readonly [string, string])[], body: Body | null): Arguments {
  const [first] = routine.parameters;
  if (routine.parameters.length === 1 && first!.name === '') return { kind: 'whole', parameter: first!, text: body?.kind === 'raw' || body?.kind === 'json' ? body.text : '' };
  const parameters = routine.parameters.filter(({ name }) => keys.has(name));
  if (parameters.length === 0) return { kind: 'none' };
  if (body?.kind === 'json') return { kind: 'json', parameters, body };
  const valuesOf = (name: string): string[] => given.filter(([key]) => key === name).map(([, value]) => value);
  return { kind: 'direct', values: parameters.map((parameter) => ({ parameter, values: valuesOf(parameter.name) })) };
}

function answerOf(request: Request, target: QualifiedName, root: Node, cache: SchemaCache, options: RestOptions, rowType = target): Answer {
  const isWholeRow = root.outputs.length === 1 && root.embeds.length === 0 && request.query.select.length === 1 && isStar(request);
  const terms = { cache, accepts: request.accepts, isWholeRow, arePlansAllowed: options.arePlansAllowed };
  const handled = cache.mediaHandlers.some((handler) => handler.target?.schema === target.schema && handler.target.name === target.name);
  return negotiate({ ...terms, target: handled ? target : rowType });
}

function isStar({ query }: Request): boolean {
  const [item] = query.select;
  return item?.kind === 'field' && item.field.name === '*' && item.aggregate === null;
}

function withoutBody({ media, shape }: Answer): Answer {
  return { media, shape: media.kind === 'plan' ? shape : { kind: 'nothing' } };
}

/** With `*` everything is there, computed columns too: they are functions of the row. Else exactly what is given, joined on or ordered by. */
function returningOf(root: Node, primaryKey: readonly string[]): Returning {
  const needed = neededNames(root);
  if (needed.has('*')) return { hasStar: true, names: [] };
  return { hasStar: false, names: [...new Set([...needed, ...primaryKey])] };
}

function callReturning(root: Node): Returning {
  const returning = returningOf(root, []);
  return returning !== null && !returning.hasStar && returning.names.length === 0 ? { hasStar: true, names: [] } : returning;
}

function neededNames(root: Node): Set<string> {
  const names = new Set<string>();
  const ofOutput = (output: Output): void => {
    if (output.kind === 'star') names.add('*');
    else if (output.kind === 'value') names.add(output.column.name);
  };
  const ofCondition = (condition: Condition): void => {
    if (condition.kind === 'logic') condition.conditions.forEach(ofCondition);
    else if (condition.kind === 'filter') names.add(condition.column.name);
  };
  const ofGroup = (condition: GroupCondition): void => {
    if (condition.kind === 'logic') condition.conditions.forEach(ofGroup);
    else names.add(condition.measure.column.name);
  };
  root.outputs.forEach(ofOutput);
  root.conditions.forEach(ofCondition);
  root.having.forEach(ofGroup);
  for (const { column, embed, output } of root.order) if (embed === null && output === null) names.add(column.name);
  for (const { node, relationship } of root.embeds) {
    // A function takes the whole row.
    if (relationship.kind === 'computed') names.add('*');
    for (const [column] of [...node.join!.columns, ...(node.join!.junction?.parentColumns ?? [])]) names.add(column);
  }
  return names;
}

function collectionOf(cache: SchemaCache, name: QualifiedName): Collection {
  const collection = findCollection(cache, name);
  if (collection !== undefined) return collection;
  const meant = mostSimilar(name.name, namesIn(cache.collections.keys(), name.schema), 0.75);
  throw fault('PGRST205', {
    message: `Could not find the table '${name.schema}.${name.name}' in the schema cache`,
    hint: meant === null ? null : `Perhaps you meant the table '${name.schema}.${meant}'`,
  });
}

function allowedMethods(request: Request, action: Extract<Action, { kind: 'describe' }>, cache: SchemaCache, options: RestOptions): string[] {
  if (action.of === 'root') {
    if (options.description?.mode === 'disabled') throw fault('PGRST126');
    return ['OPTIONS', 'GET', 'HEAD'];
  }
  if (action.of === 'collection') return collectionMethods(collectionOf(cache, { schema: request.schema, name: action.name }));
  // OPTIONS takes no arguments, so it is about the overload that needs none.
  const { volatility } = findRoutine(cache, { name: { schema: request.schema, name: action.name }, keys: new Set(), isPost: false, contentType: { kind: 'json' } });
  return volatility === 'volatile' ? ['OPTIONS', 'POST'] : ['OPTIONS', 'GET', 'HEAD', 'POST'];
}

function collectionMethods({ isInsertable, isUpdatable, isDeletable, primaryKey }: Collection): string[] {
  const canPut = isInsertable && isUpdatable && primaryKey.length > 0;
  return ['OPTIONS', 'GET', 'HEAD', ...(isInsertable ? ['POST'] : []), ...(canPut ? ['PUT'] : []), ...(isUpdatable ? ['PATCH'] : []), ...(isDeletable ? ['DELETE'] : [])];
}

