import type { Answered, Asked } from './exchange.ts';

/** A difference that is meant: it changed between PostgREST 12 and 16, or ours is better on purpose. */
export interface Known {
  readonly what: string;
  readonly why: string;
  isIt(difference: Difference): boolean;
}

/** Two answers that are not the same. */
export interface Difference {
  readonly asked: Asked;
  readonly theirs: Answered;
  readonly ours: Answered;
  /** What differs: `status`, `body` or headers by name. */
  readonly parts: readonly string[];
}

const codeOf = (answer: Answered): string => String(fieldOf(answer, 'code') ?? '');
const messageOf = (answer: Answered): string => String(fieldOf(answer, 'message') ?? '');
const isSqlError = (code: string): boolean => /^[0-9A-Z]{5}$/.test(code);

function fieldOf({ json }: Answered, name: string): unknown {
  return typeof json === 'object' && json !== null ? (json as Record<string, unknown>)[name] : undefined;
}

function only(parts: readonly string[], ...allowed: readonly string[]): boolean {
  return parts.every((part) => allowed.includes(part));
}

function query(asked: Asked): string {
  try {
    return decodeURIComponent(asked.path.replaceAll('+', ' '));
  } catch {
    return asked.path;
  }
}

/** The refusal with its codes: theirs, ours. */
function codes(theirs: string, ours: string): (difference: Difference) => boolean {
  return (difference) => codeOf(difference.theirs) === theirs && codeOf(difference.ours) === ours;
}

const changed = 'Changed after 12.';
const sinceThen = 'New after 12.';

/** Every difference that is known. The first that fits names it. */
export const knownDifferences: readonly Known[] = [
  { what: '`406` instead of `415` for a media type that cannot be given', why: changed, isIt: ({ theirs, ours, parts }) => theirs.status === 415 && ours.status === 406 && only(parts, 'status') },
  { what: 'the words of PGRST116', why: `${changed} 12 also sent two content types.`, isIt: (difference) => codes('PGRST116', 'PGRST116')(difference) && only(difference.parts, 'body', 'content-type') && fieldOf(difference.theirs, 'details') === fieldOf(difference.ours, 'details') },
  { what: 'two content types on a HEAD that is not one object', why: 'A fault of 12.', isIt: ({ asked, theirs, parts }) => asked.method === 'HEAD' && theirs.status === 406 && only(parts, 'content-type') },
  { what: 'PGRST205 for an unknown table', why: `${sinceThen} 12 let PostgreSQL tell (42P01), or looked at relationships or keys first.`, isIt: ({ theirs, ours }) => codeOf(ours) === 'PGRST205' && ['42P01', 'PGRST200', 'PGRST105', ''].includes(codeOf(theirs)) && theirs.status >= 400 },
  { what: 'PGRST125 for an unknown path', why: sinceThen, isIt: ({ theirs, ours }) => codeOf(ours) === 'PGRST125' && theirs.status === 404 },
  { what: 'the words of PGRST204', why: changed, isIt: (difference) => codes('PGRST204', 'PGRST204')(difference) && only(difference.parts, 'body') },
  { what: 'the words of PGRST106', why: changed, isIt: (difference) => codes('PGRST106', 'PGRST106')(difference) && only(difference.parts, 'body') },
  { what: 'the words of PGRST121', why: changed, isIt: (difference) => codes('PGRST121', 'PGRST121')(difference) && only(difference.parts, 'body') },
  { what: 'the hint of PGRST202', why: `${changed} Names are now compared more strictly.`, isIt: (difference) => codes('PGRST202', 'PGRST202')(difference) && only(difference.parts, 'body') && messageOf(difference.theirs) === messageOf(difference.ours) },
  { what: 'the hint of PGRST200', why: `${changed} Names are now compared more strictly.`, isIt: (difference) => codes('PGRST200', 'PGRST200')(difference) && only(difference.parts, 'body') && messageOf(difference.theirs) === messageOf(difference.ours) && fieldOf(difference.theirs, 'details') === fieldOf(difference.ours, 'details') },
  { what: 'Content-Location of text beyond ASCII, and of an empty parameter', why: '12 encoded UTF-8 twice, and kept parameters without a name.', isIt: ({ asked, parts }) => only(parts, 'content-location') && (/%[89A-F]|[^\x20-\x7e]/i.test(asked.path) || /[?&](&|$|=)/.test(asked.path)) },
  { what: 'keys of an embed stand in the order that was asked for', why: 'PostgREST builds embeds as JSONB, which sorts keys and drops double ones; ours keeps the order (adr/0005). The values are the same.', isIt: ({ asked, theirs, ours, parts }) => only(parts, 'body', 'content-location') && theirs.status < 300 && /select=.*\(/.test(query(asked)) && sameValues(theirs.json, ours.json) },
  { what: 'application/geo+json without PostGIS is 406', why: '12 let PostgreSQL find out (42883).', isIt: ({ asked, ours }) => asked.headers['accept'] === 'application/geo+json' && ours.status === 406 },
  { what: 'a media handler for whole rows does not hear where columns were selected', why: '12 tried and failed in PostgreSQL (42846).', isIt: (difference) => codes('42846', 'PGRST107')(difference) },
  { what: '`is.not_null`, and the words about `is`', why: sinceThen, isIt: ({ asked, theirs }) => /is\./i.test(query(asked)) && codeOf(theirs) === 'PGRST100' && /trilean|not_null/.test(theirs.text + query(asked)) },
  { what: 'the words about a bad alias', why: changed, isIt: (difference) => codes('PGRST100', 'PGRST100')(difference) && /"expecting \\":\\" or|expecting ":" or/.test(String(fieldOf(difference.theirs, 'details'))) },
  { what: '`max-affected`', why: sinceThen, isIt: ({ asked, theirs }) => /max-affected/.test(asked.headers['prefer'] ?? '') && codeOf(theirs) === 'PGRST122' },
  { what: '`max-affected` in Preference-Applied', why: sinceThen, isIt: ({ asked, parts }) => /max-affected/.test(asked.headers['prefer'] ?? '') && only(parts, 'preference-applied') },
  { what: 'text search on text and JSON columns', why: `${sinceThen} Columns that are no tsvector are made one.`, isIt: ({ asked, theirs }) => /(fts|phfts|wfts)/.test(query(asked)) && (codeOf(theirs) === '42883' || /tsquery|tsvector/.test(theirs.text)) },
  { what: 'order by a column of an embed that was not selected', why: 'Ours orders by the related row, not by what was shown of it.', isIt: ({ asked, theirs, ours }) => /order=[^&]*\(/.test(query(asked)) && codeOf(theirs) === '42703' && ours.status < 300 },
  { what: 'a token without `exp`', why: 'Refused by this edge, since such a token never ends.', isIt: ({ ours }) => codeOf(ours) === 'PGRST303' && /'exp' claim is missing/.test(messageOf(ours)) },
  { what: 'the words about bad tokens, and PGRST303 for their claims', why: changed, isIt: ({ theirs, ours }) => codeOf(theirs) === 'PGRST301' && /^PGRST30[13]$/.test(codeOf(ours)) },
  { what: 'an empty token is refused', why: changed, isIt: ({ asked, ours }) => /^Bearer ?$/.test(asked.headers['authorization'] ?? '') && codeOf(ours) === 'PGRST301' },
  { what: '401 for a role that does not exist', why: changed, isIt: (difference) => codes('22023', '22023')(difference) && difference.ours.status === 401 },
  { what: 'OPTIONS of a function with parameters', why: '12 looked for one without.', isIt: ({ asked, theirs }) => asked.method === 'OPTIONS' && codeOf(theirs) === 'PGRST202' },
  { what: 'a partition has no path of its own', why: changed, isIt: ({ asked, ours }) => /^\/logs_[ab]/.test(asked.path) && codeOf(ours) === 'PGRST205' },
  { what: 'a Location where 12 sent none', why: '12 lost it for names that need quotes.', isIt: ({ asked, theirs, parts }) => only(parts, 'location') && theirs.headers['location'] === undefined && /^\/%/.test(asked.path) },
  { what: 'a warning for the name of an embed that has an alias', why: sinceThen, isIt: ({ ours, parts }) => only(parts, 'warning') && ours.headers['warning'] !== undefined },
  { what: 'PGRST120 for an operator on an embed', why: sinceThen, isIt: ({ ours }) => codeOf(ours) === 'PGRST120' },
  { what: 'an empty spread', why: 'A syntax error in 12.', isIt: ({ asked, theirs }) => /\.\.\..*\(\)/.test(query(asked)) && codeOf(theirs) === '42601' },
  { what: 'spread of many rows', why: sinceThen, isIt: ({ theirs, ours }) => codeOf(theirs) === 'PGRST119' && codeOf(ours) !== 'PGRST119' },
  { what: 'limits on updates and deletes', why: 'Removed after 12: `limit` means nothing on PATCH and DELETE.', isIt: ({ asked }) => /^(PATCH|DELETE)$/.test(asked.method) && /[?&](limit|offset)=/.test(asked.path) },
  { what: 'CSV whose lines differ in length', why: 'Refused; 12 fills up.', isIt: (difference) => codeOf(difference.ours) === 'PGRST102' && difference.asked.headers['content-type'] === 'text/csv' },
  { what: 'a status that HTTP does not have', why: 'SQL may ask for 999, ours answers 500.', isIt: ({ asked }) => /PT999/.test(asked.path) },
  { what: 'a serialisation failure that never ends', why: '12 repeats it for ever.', isIt: ({ asked }) => /fails_as\?code=40001/.test(asked.path) },
  { what: 'the status of 42P17, 21000, 53400 and 54000', why: `${changed} (54000: 400 and not 500, since the request was too much.)`, isIt: ({ asked, parts }) => /fails_as\?code=(42P17|21000|53400|54000)/.test(asked.path) && only(parts, 'status', 'retry-after') },
  { what: 'an error of class 08 or 53 raised by SQL itself', why: 'Ours cannot tell it from the database being away, and says so.', isIt: ({ asked, theirs, ours }) => /fails_as\?code=(08|53)/.test(asked.path) && theirs.status === ours.status },
  { what: 'a zone that does not exist', why: `${changed} PostgreSQL tells.`, isIt: ({ asked, ours }) => /timezone=Mars/.test(asked.headers['prefer'] ?? '') && codeOf(ours) === '22023' },
  { what: 'the columns of a Location stand by name', why: changed, isIt: ({ theirs, ours, parts }) => only(parts, 'location') && sortedQuery(theirs.headers['location']) === sortedQuery(ours.headers['location']) },
  { what: 'text behind a complete parameter is refused', why: '12 ignores it, and so answers something else than was asked.', isIt: ({ theirs, ours }) => theirs.status < 300 && codeOf(ours) === 'PGRST100' && / expecting .*end of input/.test(String(fieldOf(ours, 'details'))) },
  { what: 'the order of the rows that a write returns', why: `${sinceThen} 12 took no notice of \`order\` on a write.`, isIt: ({ asked, theirs, ours, parts }) => /^(POST|PATCH|DELETE)$/.test(asked.method) && /order=/.test(asked.path) && only(parts, 'body') && sameRows(theirs.json, ours.json) },
  { what: 'an order on a write that fits no grouping', why: `${sinceThen} 12 took no notice of \`order\` on a write.`, isIt: ({ asked, ours }) => /^(POST|PATCH|DELETE)$/.test(asked.method) && /order=/.test(asked.path) && codeOf(ours) === '42803' },
  { what: 'an update that sets nothing', why: 'Ours asks PostgreSQL nothing, so a filter that does not fit its column is not noticed.', isIt: ({ asked, theirs, ours }) => asked.method === 'PATCH' && asked.body === '{}' && isSqlError(codeOf(theirs)) && ours.status < 300 },
  { what: 'an embed that holds nothing but empty embeds', why: 'Changed in 12.2.2: it is left out as an empty one is.', isIt: ({ asked, theirs, ours, parts }) => /\(\)/.test(query(asked)) && only(parts, 'body') && theirs.status < 300 && ours.status < 300 },
  { what: 'which of several errors is told', why: 'A request may be wrong in several ways; the order of checks is not defined.', isIt: ({ theirs, ours }) => /^PGRST(108|200|201|118|120)$/.test(codeOf(ours)) && /^PGRST(108|200|201|118|120)$/.test(codeOf(theirs)) && codeOf(theirs) !== codeOf(ours) },
  { what: 'JSON as an argument in the query', why: `${changed} 12 made a JSON text of it.`, isIt: ({ asked, parts }) => asked.path.startsWith('/rpc/echo_types?') && only(parts, 'body') },
  { what: 'two embeds that 12 could not tell apart', why: '12 gave both one name in SQL.', isIt: ({ theirs, ours }) => codeOf(theirs) === '42712' && ours.status < 300 },
  { what: 'a filter or order by a column of a function’s rows that is not selected', why: `${changed} 12 did not find it.`, isIt: ({ asked, theirs }) => asked.path.startsWith('/rpc/') && codeOf(theirs) === '42703' && /^column ships\.\w+ does not exist$/.test(messageOf(theirs)) },
  { what: 'the header of a function’s CSV', why: 'Ours is that of what was selected; PostgREST takes what the function gave.', isIt: ({ asked, parts, theirs, ours }) => asked.path.startsWith('/rpc/') && asked.headers['accept'] === 'text/csv' && only(parts, 'body') && theirs.status === ours.status },
  { what: '`and` and `or` of a write', why: 'PostgREST asks them again of the rows that were written, and so hides what no longer fits or was inserted; ours choose what is changed.', isIt: ({ asked, ours }) => /^(POST|PATCH|PUT)$/.test(asked.method) && /[?&](not\.)?(and|or)=/.test(query(asked)) && ours.status < 300 },
  { what: 'a filter of an empty embed that does not fit its column', why: 'Nothing depends on such an embed, so ours does not ask PostgreSQL for it.', isIt: ({ asked, theirs, ours }) => /\(\)/.test(query(asked)) && isSqlError(codeOf(theirs)) && ours.status < 300 },
  { what: 'a name that is looked for in one embed or the other', why: 'Of two embeds that a path may mean, ours takes the one of that key.', isIt: ({ theirs, ours }) => codeOf(theirs) === 'PGRST108' && isSqlError(codeOf(ours)) },
  { what: 'unequal keys and an embed that may mean several', why: 'Both are wrong; ours must know the embeds to tell which keys are columns.', isIt: ({ theirs, ours }) => codeOf(theirs) === 'PGRST102' && codeOf(ours) === 'PGRST201' },
  { what: 'the total where rows are grouped', why: 'Ours counts the groups, which are the rows of the answer; PostgREST what they were made of.', isIt: ({ asked, theirs, ours, parts }) => /count=exact/.test(asked.headers['prefer'] ?? '') && /(count|sum|avg|max|min)\(\)/.test(query(asked)) && only(parts, 'status', 'content-range') && theirs.status < 300 && ours.status < 300 },
  { what: 'which of several embeds that are missing is told', why: 'The order is not defined.', isIt: (difference) => codes('PGRST108', 'PGRST108')(difference) && only(difference.parts, 'body') },
  { what: 'an order or limit of something not embedded, on a write that returns nothing', why: 'Refused as on a read; 12 did not look.', isIt: ({ asked, ours, theirs }) => /^(POST|PATCH|DELETE|PUT)$/.test(asked.method) && codeOf(ours) === 'PGRST108' && codeOf(theirs) !== 'PGRST108' },
  { what: 'the words about a query that cannot be read', why: `${changed} Code, status and place are the same.`, isIt: (difference) => codes('PGRST100', 'PGRST100')(difference) && only(difference.parts, 'body') && messageOf(difference.theirs) === messageOf(difference.ours) },
  { what: 'a verb that HTTP has not', why: 'The router of our edge knows no path for it: 404 instead of 405.', isIt: ({ asked, ours }) => asked.method === 'PURGE' && ours.status === 404 },
  { what: 'the description at the root', why: `${changed} Whole numbers are \`int32\` and \`int64\`, filters have no format, a volatile function no GET, one-to-one keys are told, single objects are no preference any more; versions and hosts are the servers' own. All else is the same.`, isIt: ({ asked, theirs, ours, parts }) => asked.path === '/' && only(parts, 'body') && isSameDescription(theirs.json, ours.json) },
  { what: 'a function’s rows in an order by what was not selected', why: '12 could not.', isIt: ({ asked, theirs, ours }) => asked.path.startsWith('/rpc/') && /order=/.test(asked.path) && (codeOf(theirs) === '42703' || asked.method === 'HEAD') && theirs.status === 400 && ours.status < 300 },
  { what: 'a HEAD does not make the body', why: 'What would fail in it is not noticed.', isIt: ({ asked, theirs, ours }) => asked.method === 'HEAD' && theirs.status === 400 && ours.status < 300 },
  { what: 'the status of a HEAD with two errors', why: 'PostgreSQL tells the one that it meets first; the two statements are not the same.', isIt: ({ asked, theirs, ours }) => asked.method === 'HEAD' && theirs.status >= 400 && ours.status >= 400 },
  { what: 'an order by an embed on a write', why: `${sinceThen} 12 took no notice of \`order\` on a write.`, isIt: ({ asked, ours }) => /^(POST|PATCH|DELETE)$/.test(asked.method) && /order=/.test(asked.path) && codeOf(ours) === 'PGRST118' },
  { what: 'limits of a request', why: 'So many embeds, filters or levels are refused on purpose.', isIt: ({ ours }) => codeOf(ours) === 'PGRST100' && fieldOf(ours, 'details') === 'This is a limit of the server.' },
  { what: 'groups beside an embed of nothing', why: '12 puts the embed into the grouping although it shows nothing.', isIt: ({ asked, theirs, ours }) => codeOf(theirs) === '42803' && ours.status < 300 && /\(\)/.test(query(asked)) },
  { what: 'an embed without a name of its own below two of one name', why: '12 finds the first of them only.', isIt: ({ theirs, ours }) => codeOf(theirs) === 'PGRST108' && ours.status < 300 },
  { what: 'another error of PostgreSQL', why: 'Where one request has two errors, PostgreSQL tells the one that it meets first; the two statements are not the same.', isIt: ({ theirs, ours }) => theirs.status >= 400 && ours.status >= 400 && isSqlError(codeOf(theirs)) && isSqlError(codeOf(ours)) },
];

/** The same values, whatever the order of keys. */
function sameValues(a: unknown, b: unknown): boolean {
  return JSON.stringify(ordered(a)) === JSON.stringify(ordered(b));
}

/** The same rows in any order. */
function sameRows(a: unknown, b: unknown): boolean {
  const rows = (value: unknown): unknown => (Array.isArray(value) ? value.map((row) => JSON.stringify(ordered(row))).sort() : value);
  return JSON.stringify(rows(a)) === JSON.stringify(rows(b));
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, ordered(item)]));
}

/** The two documents without what is known to differ. */
function isSameDescription(theirs: unknown, ours: unknown): boolean {
  return JSON.stringify(ordered(comparable(theirs))) === JSON.stringify(ordered(comparable(ours)));
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- documents are looked into at any depth
type Document = { [name: string]: any };

function comparable(document: unknown): unknown {
  const { info, host: _host, basePath: _basePath, externalDocs: _docs, paths, parameters, definitions, ...rest } = structuredClone(document) as Document;
  const volatile = new Set(['sets_headers', 'sets_type', 'bad_headers', 'bad_status', 'writes', 'nothing', 'slow', 'fails', 'fails_plainly', 'fails_hinted', 'fails_as', 'fails_by_json', 'fails_by_bad_json'].map((name) => `/rpc/${name}`));
  for (const path of volatile) delete paths[path]?.get;
  // The foreign key of a one-to-one relationship is told since 13.
  for (const [name, column] of [['anchors', 'ship_id'], ['licences', 'captain_id']] as const) delete definitions[name]?.properties[column].description;
  for (const parameter of Object.values<Document>(parameters)) if (parameter['in'] === 'query') delete parameter['format'];
  delete parameters.preferParams;
  const text = JSON.stringify({ ...rest, paths, parameters, definitions, info: { ...info, version: '' } });
  return JSON.parse(text.replaceAll('"format":"int64"', '"format":"bigint"').replaceAll('"format":"int32"', '"format":"integer"').replaceAll('"format":"smallint"', '"format":"integer"'));
}

function sortedQuery(location: string | undefined): string {
  return (location ?? '').split(/[?&]/).sort().join('&');
}
