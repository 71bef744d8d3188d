// Requests of one shape differ only in values that are bound. What was planned and written for one of them serves all others.
import { compile, type Compiled, type SqlStatement } from './compile.ts';
import type { Limits } from './limits.ts';
import type { Request, RestRequest } from './parse.ts';
import { parseBody } from './parse-body.ts';
import { decode, encode } from './parse-query.ts';
import type { Plan, StatementPlan } from './plan.ts';

/** A request taken apart into what its plan and SQL depend on, and values that they do not. */
export interface Shape {
  /** Everything that was sent but the values, as it was sent. */
  readonly key: string;
  /** What plain comparisons compare with: the `5` of `id=eq.5`, decoded. */
  readonly operands: readonly string[];
  /** The body, where it is JSON. */
  readonly body: string | null;
}

/** The stages that plan a request; a text given for the body takes the place of the JSON that was sent, once that was read. */
export type PlanRequest = (http: RestRequest, body?: string) => Plan;

/** What the stages before *run* make of a request. */
export interface Ready {
  readonly plan: StatementPlan;
  readonly statements: Compiled;
}

/** What all requests of one shape have in common, with a place for each value. */
export interface Template {
  readonly plan: StatementPlan;
  readonly main: SqlTemplate;
  readonly estimate: SqlTemplate | null;
  /** The canonical query, cut where the operands stand. */
  readonly canonical: readonly (string | number)[];
}

interface SqlTemplate {
  readonly text: string;
  /** A number is the place of an operand, `bodyPlace` that of the body; anything else is a value that the shape has. */
  readonly values: readonly unknown[];
}

/** The headers that the stages may read. If one reads another, the shape is not kept. */
const headerNames = ['accept', 'prefer', 'range', 'content-type', 'accept-profile', 'content-profile'] as const;
/** An operator whose operand is bound as it stands; any other may make its text part of the SQL. */
const plainOperand = /^([A-Za-z_]\w*=(?:not\.)?(?:eq|neq|gte?|lte?)\.)(.*)$/;
const bodyPlace = -1;

/**
 * Takes a request apart. Null where that is not sure to be right: such a request is planned anew each time.
 * Only the query string is looked at, and the body, which must be read in any case.
 */
export function shapeOf(http: RestRequest, limits: Limits): Shape | null {
  const { method, path, query, headers } = http;
  if (!/^\/(?:rpc\/)?\w+$/.test(path) || query.includes('\n')) return null;
  try {
    const operands: string[] = [];
    const shaped = replaceOperands(query, (operand) => {
      operands.push(decode(operand));
      return '';
    });
    const body = method === 'POST' || method === 'PATCH' || method === 'PUT' ? bodyOf(http, limits) : noBody;
    if (body === null) return null;
    const key = `${method} ${path}?${shaped}\n${body.shape}${headersKey(headers)}`;
    return { key, operands, body: body.text };
  } catch {
    // Read again by the stages, which tell of the first mistake of the request, and that may be another.
    return null;
  }
}

function headersKey(headers: RestRequest['headers']): string {
  let key = '';
  for (const name of headerNames) {
    const value = headers[name];
    // Over HTTP no header has a line break; in a batch one may, and must not pass for two.
    key += value === undefined ? '\n' : value.includes('\n') ? `\n=${JSON.stringify(value)}` : `\n=${value}`;
  }
  return key;
}

const noBody = { shape: '', text: null };

/** With `columns` the body is read in another way. */
const mayNameColumns = /(?:^|[&;])(?:columns=|[^=&;]*%)/;

/** What is said of the body beside its text: which keys it has, and whether it is one row or many. */
function bodyOf({ path, query, headers, body }: RestRequest, limits: Limits): { shape: string; text: string | null } | null {
  const type = headers['content-type'];
  if ((type !== undefined && type !== 'application/json') || body === null || mayNameColumns.test(query)) return null;
  const parsed = parseBody(body, { kind: 'json' }, { isCall: path.startsWith('/rpc/'), columns: null, limits });
  return parsed.kind === 'json' ? { shape: JSON.stringify({ ...parsed, text: '' }), text: parsed.text } : null;
}

/** The query with another text in the place of each operand. */
function replaceOperands(query: string, replacement: (operand: string) => string): string {
  if (query === '') return '';
  return query
    .split(/[&;]/)
    .map((part) => {
      const found = plainOperand.exec(part);
      return found === null ? part : found[1]! + replacement(found[2]!);
    })
    .join('&');
}

/** Stands for a value while a template is made; no request that holds it gets one. */
const mark = 'x7Qe0zVgk1';
const markOf = (place: number): string => `${mark}_${place < 0 ? 'body' : place}_`;
const marks = new RegExp(`${mark}_(\\d+)_`);

/**
 * Makes the template of a shape from one request of it and its plan: the stages go through it once more with a mark for each
 * value. Null where a mark does not come out as one whole value, where the stages looked at something that the key does not
 * hold, or where the template does not give back what they made of the request itself.
 */
export function makeTemplate(http: RestRequest, shape: Shape, plan: StatementPlan, planRequest: PlanRequest): Template | null {
  if (!isFamiliar(plan) || holdsMark(http, shape)) return null;
  const read = new Set<string>();
  const sample = planSample(http, shape, read, planRequest);
  if (sample === null || [...read].some((name) => !(headerNames as readonly string[]).includes(name))) return null;
  const { main, estimate } = compile(sample);
  const [mainSql, estimateSql] = [sqlTemplate(main), estimate === null ? null : sqlTemplate(estimate)];
  if (mainSql === null || (estimate !== null && estimateSql === null) || !everyPlace(shape).every((place) => mainSql.values.includes(place))) return null;
  const template = { plan: withoutValues(sample), main: mainSql, estimate: estimateSql, canonical: canonicalPieces(sample.request.query.canonical) };
  return gives(template, shape, { plan, statements: compile(plan) }) ? template : null;
}

/** The request with another text in the place of its JSON. */
export function withBody(request: Request, text: string | undefined): Request {
  return text === undefined || request.body?.kind !== 'json' ? request : { ...request, body: { ...request.body, text } };
}

function planSample(http: RestRequest, shape: Shape, read: Set<string>, planRequest: PlanRequest): StatementPlan | null {
  let place = 0;
  const marked = { ...http, query: replaceOperands(http.query, () => markOf(place++)), headers: watched(http.headers, read) };
  try {
    const plan = planRequest(marked, shape.body === null ? undefined : markOf(bodyPlace));
    return plan.kind === 'describe' ? null : plan;
  } catch {
    // A mark is not JSON and no number: whoever looks at it may refuse it, and then the shape has no template.
    return null;
  }
}

/** What the stages would make of the request of this shape. */
export function fillTemplate({ plan, main, estimate, canonical }: Template, shape: Shape): Ready {
  const { request } = plan;
  const query = { ...request.query, canonical: filledCanonical(canonical, shape) };
  return { plan: { ...plan, request: { ...request, query } }, statements: { main: filled(main, shape), estimate: estimate === null ? null : filled(estimate, shape) } };
}

function filled({ text, values }: SqlTemplate, { operands, body }: Shape): SqlStatement {
  return { text, values: values.map((value) => (typeof value !== 'number' ? value : value === bodyPlace ? body : operands[value])) };
}

function filledCanonical(pieces: Template['canonical'], { operands }: Shape): string {
  let text = '';
  for (const piece of pieces) text += typeof piece === 'string' ? piece : encode(operands[piece]!);
  return text;
}

function everyPlace({ operands, body }: Shape): number[] {
  return [...operands.keys(), ...(body === null ? [] : [bodyPlace])];
}

/** Null where a mark is part of a longer text. Values are texts, so that a number can be a place. */
function sqlTemplate({ text, values }: SqlStatement): SqlTemplate | null {
  if (text.includes(mark) || !values.every((value) => typeof value === 'string' || value === null)) return null;
  const places = values.map((value) => {
    if (typeof value !== 'string' || !value.includes(mark)) return value;
    const place = value === markOf(bodyPlace) ? bodyPlace : Number(marks.exec(value)?.[1]);
    return value === markOf(place) ? place : undefined;
  });
  return places.includes(undefined) ? null : { text, values: places };
}

function canonicalPieces(canonical: string): (string | number)[] {
  return canonical.split(marks).map((piece, i) => (i % 2 === 0 ? piece : Number(piece)));
}

/** Kept are only kinds of plans and answers that are known here: what is added to the dialect is not kept until it is thought of. */
function isFamiliar(plan: StatementPlan): boolean {
  const { media, shape } = plan.answer;
  const isPlain = (media.kind === 'json' || media.kind === 'object' || media.kind === 'stripped-array') && shape.kind !== 'custom';
  const isSaid = (value: unknown): boolean => !(value === null || value === undefined || value === false || (Array.isArray(value) && value.length === 0));
  return isPlain && Object.entries(plan).every(([name, value]) => familiarFields.has(name) || !isSaid(value));
}

const familiarFields = new Set([
  ...['kind', 'request', 'answer', 'legacyNames', 'access', 'collection', 'root', 'maxRows'],
  ...['write', 'body', 'columns', 'conditions', 'conflict', 'usesDefaults', 'returning', 'wantsLocation', 'routine', 'args'],
]);

function holdsMark({ query }: RestRequest, { operands, body }: Shape): boolean {
  return decode(query).includes(mark) || operands.some((operand) => operand.includes(mark)) || (body?.includes(mark) ?? false);
}

function watched(headers: RestRequest['headers'], read: Set<string>): RestRequest['headers'] {
  return new Proxy(headers, {
    get: (target, name) => {
      read.add(String(name));
      return target[String(name)];
    },
    ownKeys: (target) => {
      read.add('all of them');
      return Reflect.ownKeys(target);
    },
  });
}

function gives(template: Template, shape: Shape, made: Ready): boolean {
  const { plan, statements } = fillTemplate(template, shape);
  return plan.request.query.canonical === made.plan.request.query.canonical && JSON.stringify(statements) === JSON.stringify(made.statements);
}

/** A template's plan is for answering. Whoever would compile it again must not write SQL with marks in it. */
function withoutValues(plan: StatementPlan): StatementPlan {
  const refuse = (): never => {
    throw new Error('the plan of a known shape has no values: it cannot be compiled again');
  };
  const root = Object.defineProperty({ ...plan.root }, 'conditions', { get: refuse });
  if (plan.kind !== 'write') return { ...plan, root };
  const body = plan.body === null ? null : Object.defineProperty({ ...plan.body }, 'text', { get: refuse });
  return { ...plan, root, body, conditions: new Proxy([], { get: refuse }) };
}
