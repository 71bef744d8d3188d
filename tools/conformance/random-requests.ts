import { service } from './cases.ts';
import type { Asked } from './exchange.ts';

/** One field, embed or aggregate of a `select`, as a tree that can be cut down. */
interface Item {
  readonly text: string;
  /** Of an embed; null for a field. */
  readonly items: readonly Item[] | null;
}

/** A random request before it is written out: lists that may lose any of their members and still be a request. */
export interface Draft {
  readonly method: string;
  readonly path: string;
  readonly select: readonly Item[] | null;
  readonly parameters: readonly (readonly [string, string])[];
  readonly headers: readonly (readonly [string, string])[];
  readonly rows: readonly Readonly<Record<string, unknown>>[] | null;
}

/** A source of chance that gives the same again for the same seed. */
export function makeChance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

interface Place {
  readonly fields: readonly string[];
  /** What can be embedded, by the text of the request, with the collection it gives. */
  readonly embeds: Readonly<Record<string, string>>;
}

/** What the generator knows of the fixture: true names mostly, and some that are wrong. */
const places: Readonly<Record<string, Place>> = {
  countries: { fields: ['code', 'name'], embeds: { ports: 'ports', ports_view: 'ports_view' } },
  ports: { fields: ['id', 'name', 'country_code', 'berth_count'], embeds: { ships: 'ships', countries: 'countries', country_code: 'countries', ships_view: 'ships_view', ships_kept: 'ships_view', 'voyages!from_port': 'voyages', voyages: 'voyages', ships_by_port: 'ships_by_port' } },
  ships: {
    fields: ['id', 'name', 'home_id', 'tonnage', 'is_afloat', 'built', 'tags', 'specs', 'note', 'sea', 'label', 'age', 'specs->>masts', 'specs->crew->0->>n', 'tags->0', 'note->deep->>er'],
    embeds: { ports: 'ports', home_id: 'ports', ships_home_id_fkey: 'ports', ports_view: 'ports_view', home_port: 'ports', past_voyages: 'voyages', voyages: 'voyages', anchors: 'anchors', decks: 'decks', 'captains!ship_crews': 'captains', 'captains!ship_owners': 'captains', captains: 'captains', voyages_deep: 'voyages_deep' },
  },
  captains: { fields: ['id', 'name', 'mentor_id'], embeds: { licences: 'licences', mentor_id: 'captains', 'captains!mentor_id': 'captains', captains: 'captains', voyages: 'voyages', 'ships!ship_crews': 'ships' } },
  licences: { fields: ['captain_id', 'number'], embeds: { captains: 'captains', captain_id: 'captains' } },
  anchors: { fields: ['id', 'ship_id', 'weight'], embeds: { ships: 'ships', ship_id: 'ships', ships_view: 'ships_view' } },
  voyages: { fields: ['id', 'ship_id', 'from_port', 'to_port', 'captain_id', 'sails_at', 'days', 'fare'], embeds: { ships: 'ships', captains: 'captains', from_port: 'ports', to_port: 'ports', ports: 'ports', 'ports!voyages_from_port_fkey': 'ports', cargoes: 'cargoes', voyage_cargoes: 'voyage_cargoes' } },
  cargoes: { fields: ['id', 'name', 'weight'], embeds: { voyages: 'voyages', voyage_cargoes: 'voyage_cargoes' } },
  voyage_cargoes: { fields: ['voyage_id', 'cargo_id'], embeds: { voyages: 'voyages', cargoes: 'cargoes' } },
  decks: { fields: ['ship_id', 'number', 'title'], embeds: { ships: 'ships', cabins: 'cabins' } },
  cabins: { fields: ['ship_id', 'deck', 'number', 'beds'], embeds: { decks: 'decks' } },
  ships_view: { fields: ['id', 'name', 'home_id', 'tonnage'], embeds: { ports: 'ports', ports_view: 'ports_view', anchors: 'anchors' } },
  ports_view: { fields: ['port_id', 'port_name', 'country_code'], embeds: { ships: 'ships', countries: 'countries', ships_view: 'ships_view' } },
  ships_by_port: { fields: ['home_id', 'ships'], embeds: { ports: 'ports' } },
  voyages_deep: { fields: ['vid', 'sid', 'ship_name'], embeds: { ships: 'ships', cargoes: 'cargoes', ships_view: 'ships_view' } },
  flags: { fields: ['id', 'c', 'n'], embeds: {} },
  'rpc/all_ships': { fields: ['id', 'name', 'home_id', 'tonnage'], embeds: { ports: 'ports', past_voyages: 'voyages' } },
};

/** The columns that put the rows of a place in one order. */
const keys: Readonly<Record<string, string>> = {
  countries: 'code', licences: 'captain_id', voyage_cargoes: 'voyage_id,cargo_id', decks: 'ship_id,number', cabins: 'ship_id,deck,number', ports_view: 'port_id', ships_by_port: 'home_id', voyages_deep: 'vid',
};

const writable = ['ports', 'ships', 'voyages', 'cargoes', 'captains', 'ships_view'];
const casts = ['text', 'int', 'json', 'numeric', 'varchar', 'int4', 'bigint', 'jsonb'];
const values = ['1', '2', '3', 'Fram', 'Porto', '*a*', 'null', '', '(1,2)', '{1,2}', '"x"', 'a,b', '-1', '1.5', 'true', "'", '[1,3]', 'NO', '{"masts":3}', '2026-05-01'];
const operators = ['eq', 'eq', 'eq', 'gt', 'gte', 'lt', 'lte', 'neq', 'like', 'ilike', 'match', 'imatch', 'isdistinct', 'cs', 'ov', 'cd', 'fts', 'fts(english)', 'plfts', 'wfts', 'sl', 'adj', 'eq(any)', 'like(any)', 'gt(all)', 'foo'];
const fixed = ['is.null', 'not.is.null', 'is.true', 'is.xx', 'in.(1,2)', 'in.()', 'not.in.(3)', 'in.("Fram",Porto)', 'in.1', 'in.(NO,PT)'];

/** Makes one request of the grammar. */
export function draftRequest(chance: () => number): Draft {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(chance() * list.length)]!;
  const often = (share: number): boolean => chance() < share;
  const times = <T>(most: number, make: () => T): T[] => Array.from({ length: Math.floor(chance() * (most + 1)) }, make);

  const method = pick(['GET', 'GET', 'GET', 'GET', 'GET', 'GET', 'GET', 'HEAD', 'PATCH', 'DELETE', 'POST']);
  const isRead = method === 'GET' || method === 'HEAD';
  const name = isRead ? pick(Object.keys(places)) : pick(writable);
  const paths: { path: string; place: string }[] = [];
  const condition = (): string => (often(0.25) ? pick(fixed) : `${often(0.15) ? 'not.' : ''}${pick(operators)}.${pick(values)}`);
  const field = (place: string): string => (often(0.03) ? 'nope' : pick(places[place]!.fields));

  const items = (place: string, depth: number, path: string): Item[] => [
    ...Array.from({ length: 1 + Math.floor(chance() * 3) }, () => ({ text: plainItem(place), items: null })),
    ...Object.entries(places[place]!.embeds).filter(() => depth < 3 && often(0.4 / Math.sqrt(Object.keys(places[place]!.embeds).length))).map(([embed, target]) => embedItem(embed, target, depth, path)),
  ];
  const plainItem = (place: string): string => {
    if (often(0.12)) return '*';
    if (often(0.04)) return pick(['count()', 'id.max()', 'id.count()', 'id.sum()', 'c:count()']);
    return `${often(0.12) ? pick(['x:', 'y z:', 'é:']) : ''}${field(place)}${often(0.1) ? `::${pick(casts)}` : ''}`;
  };
  const embedItem = (embed: string, target: string, depth: number, path: string): Item => {
    const alias = often(0.2) ? pick(['al', 'be']) : null;
    const spread = alias === null && often(0.08);
    const known = `${path}${alias ?? embed.split('!')[0]}`;
    paths.push({ path: known, place: target });
    const text = `${spread ? '...' : ''}${alias === null ? '' : `${alias}:`}${embed}${often(0.15) ? pick(['!inner', '!left', '!inner', '!nope']) : ''}`;
    return { text, items: often(0.05) ? [] : items(target, depth + 1, `${known}.`) };
  };
  const tree = (place: string, depth: number): string =>
    depth > 2 || often(0.7) ? `${field(place)}.${condition()}` : `${often(0.2) ? 'not.' : ''}${pick(['and', 'or'])}(${Array.from({ length: 1 + Math.floor(chance() * 3) }, () => tree(place, depth + 1)).join(',')})`;

  const select = often(0.8) ? items(name, 0, '') : null;
  const parameters: [string, string][] = [
    ...times(3, (): [string, string] => [field(name), condition()]).filter(() => often(0.6)),
    ...(paths.length > 0 && often(0.3) ? [((at) => [`${at.path}.${field(at.place)}`, condition()] as [string, string])(pick(paths))] : []),
    ...(paths.length > 0 && often(0.12) ? [[pick(paths).path, pick(['is.null', 'not.is.null'])] as [string, string]] : []),
    ...(often(0.2) ? [[pick(['or', 'and', 'not.or']), `(${[tree(name, 0), ...times(2, () => tree(name, 0))].join(',')})`] as [string, string]] : []),
    ['order', `${often(0.2) ? `${field(name)}${pick(['', '.asc', '.desc', '.desc.nullslast', '.nullsfirst'])},` : ''}${paths.length > 0 && often(0.1) ? `${pick(paths).path}(id),` : ''}${keys[name] ?? 'id'}`],
    ...(often(0.2) ? [['limit', pick(['1', '2', '100'])] as [string, string]] : []),
    ...(often(0.1) ? [['offset', pick(['1', '2', '50'])] as [string, string]] : []),
    ...(paths.length > 0 && often(0.1) ? [[`${pick(paths).path}.limit`, '1'] as [string, string]] : []),
    ...paths.map(({ path, place }): [string, string] => [`${path}.order`, keys[place] ?? 'id']),
  ];
  const headers: [string, string][] = [
    ...(often(isRead ? 0.2 : 0.8) ? [['prefer', isRead ? 'count=exact' : pick(['return=representation', 'return=representation', 'return=representation,count=exact', 'return=minimal', 'return=headers-only'])] as [string, string]] : []),
    ...(often(0.08) ? [['accept', pick(['application/vnd.pgrst.object+json', 'text/csv', 'application/vnd.pgrst.array+json;nulls=stripped'])] as [string, string]] : []),
  ];
  return { method, path: name, select, parameters, headers, rows: method === 'PATCH' || method === 'POST' ? randomRows(method, name, pick, often) : null };
}

function randomRows(method: string, name: string, pick: <T>(list: readonly T[]) => T, often: (share: number) => boolean): Readonly<Record<string, unknown>>[] {
  const fields = places[name]!.fields.filter((field) => /^\w+$/.test(field) && field !== 'label' && field !== 'age' && field !== 'id');
  const value = (): unknown => pick([1, 2, '3', 'text', null, true, [1], { a: 1 }, 1.5, '2026-05-01', '{a,b}']);
  const row = (id: number): Record<string, unknown> => ({ ...(method === 'POST' ? { id, name: `new ${id}` } : {}), ...(often(0.7) ? { [pick(fields)]: value() } : {}) });
  return method === 'PATCH' ? [row(0)] : often(0.3) ? [row(100), row(101)] : [row(100)];
}

/** Writes a draft out. */
export function askedOf({ method, path, select, parameters, headers, rows }: Draft): Asked {
  const query = [...(select === null ? [] : [['select', select.map(written).join()] as const]), ...parameters].map(([key, value]) => `${encoded(key)}=${encoded(value)}`).join('&');
  const isWrite = method !== 'GET' && method !== 'HEAD';
  return {
    method,
    path: `/${path}${query === '' ? '' : `?${query}`}`,
    headers: { ...(rows === null ? {} : { 'content-type': 'application/json' }), ...Object.fromEntries(headers) },
    body: rows === null ? null : JSON.stringify(rows.length === 1 ? rows[0] : rows),
    claims: isWrite ? service : null,
  };
}

function written({ text, items }: Item): string {
  return items === null ? text : `${text}(${items.map(written).join()})`;
}

function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll('%2C', ',').replaceAll('%3A', ':');
}

/** All drafts that are this one with one thing less. */
export function smaller(draft: Draft): Draft[] {
  const { select, parameters, headers, rows } = draft;
  return [
    ...(select === null ? [] : [{ ...draft, select: null }, ...smallerItems(select).map((less) => ({ ...draft, select: less }))]),
    ...parameters.map((_, at) => ({ ...draft, parameters: without(parameters, at) })),
    ...parameters.flatMap(([key, value], at) => smallerValues(value).map((less) => ({ ...draft, parameters: parameters.with(at, [key, less] as const) }))),
    ...headers.map((_, at) => ({ ...draft, headers: without(headers, at) })),
    ...(rows !== null && rows.length > 1 ? rows.map((_, at) => ({ ...draft, rows: without(rows, at) })) : []),
    ...(rows ?? []).flatMap((row, at) => Object.keys(row).map((key) => ({ ...draft, rows: rows!.with(at, Object.fromEntries(Object.entries(row).filter(([other]) => other !== key))) }))),
  ];
}

function smallerItems(items: readonly Item[]): Item[][] {
  return [
    ...(items.length > 1 ? items.map((_, at) => without(items, at)) : []),
    ...items.flatMap((item, at) => (item.items === null ? [] : [items.with(at, { ...item, items: [] }), ...smallerItems(item.items).map((less) => items.with(at, { ...item, items: less }))])),
  ];
}

/** One member of a logic tree less. */
function smallerValues(value: string): string[] {
  const [, inside] = /^\((.*)\)$/s.exec(value) ?? [];
  if (inside === undefined) return [];
  const parts = splitTop(inside);
  return parts.length < 2 ? [] : parts.map((_, at) => `(${without(parts, at).join()})`);
}

function splitTop(text: string): string[] {
  const parts: string[] = [''];
  let depth = 0;
  for (const letter of text) {
    if (letter === '(') depth += 1;
    if (letter === ')') depth -= 1;
    if (letter === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += letter;
  }
  return parts;
}

function without<T>(list: readonly T[], at: number): T[] {
  return list.filter((_, other) => other !== at);
}
