import type { DescribedCollection, DescribedColumn, DescribedFunction, DescribedParameter, Description, TypeName } from './description.ts';
import { columnText, headingOf, keysOf, type ApiTerms } from './openapi2.ts';
import { findCollection, type Collection, type SchemaCache } from './schema-cache.ts';

type Json = { [name: string]: unknown };

/** Names that mean something of their own in a query; a column of such a name is no parameter here. */
const reserved = new Set(['select', 'order', 'limit', 'offset', 'columns', 'on_conflict', 'and', 'or']);

/**
 * The OpenAPI 3.1 document of a schema: rows, what may be inserted and updated, and functions, each with its types, so that
 * clients can be generated from it. Names that a document may not hold are written in other letters; paths are encoded.
 */
export function openapi31(description: Description, cache: SchemaCache, terms: Pick<ApiTerms, 'url' | 'version'> & { readonly isDefaultSchema: boolean }): Json {
  const names = new Names();
  const collections = description.collections.map((collection) => ({ collection, id: names.of(collection.name), known: findCollection(cache, { schema: description.schema, name: collection.name }) }));
  const house: House = { description, cache, profile: terms.isDefaultSchema ? null : description.schema, ids: new Map(collections.map(({ collection, id }) => [collection.name, id])) };
  const { first, rest } = headingOf(description.comment);
  const functions = [...Map.groupBy(description.functions.filter(({ fieldOf }) => fieldOf === null), ({ name }) => name)];
  return {
    openapi: '3.1.0',
    info: {
      title: first ?? `The data API of schema ${description.schema}`,
      description: rest ?? 'Tables, views and functions over HTTP, in the dialect of PostgREST.',
      version: terms.version,
      license: { name: 'As the operator of this API says', identifier: 'LicenseRef-operator' },
    },
    servers: [{ url: terms.url }],
    security: [{ apikey: [], bearer: [] }, { apikey: [] }],
    tags: [...collections.map(({ collection }) => ({ name: collection.name, description: collection.comment ?? (collection.isView ? 'A view.' : 'A table.') })), ...(functions.length === 0 ? [] : [{ name: 'functions', description: 'Functions of the database.' }])],
    paths: Object.fromEntries([
      ...collections.map(({ collection, id, known }) => [`/${encodeURIComponent(collection.name)}`, collectionPath(collection, id, known, house)]),
      ...functions.map(([name, overloads]) => [`/rpc/${encodeURIComponent(name)}`, functionPath(name, overloads, names, house)]),
    ]),
    components: {
      securitySchemes: {
        apikey: { type: 'apiKey', in: 'header', name: 'apikey', description: 'A key of the project.' },
        bearer: { type: 'http', scheme: 'bearer', description: 'The access token of who is signed in.' },
      },
      schemas: Object.fromEntries([...collections.flatMap(({ collection, id, known }) => collectionSchemas(collection, id, known, house)), ['Error', errorSchema]]),
      ...(collections.length + functions.length === 0 ? {} : { responses: { Refused: { description: 'The request was refused.', content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } } } }),
    },
  };
}

/** What every part of the document is written with. */
interface House {
  readonly description: Description;
  readonly cache: SchemaCache;
  /** The schema, where requests must name it. */
  readonly profile: string | null;
  readonly ids: ReadonlyMap<string, string>;
}

/** Gives every name letters that an identifier may have, and no two the same. */
class Names {
  private readonly taken = new Set<string>(['error']);

  of(name: string): string {
    const plain = name.replaceAll(/[^A-Za-z0-9_]/g, '_');
    let id = plain;
    for (let number = 2; ['', '_insert', '_update'].some((end) => this.taken.has(id.toLowerCase() + end)); number += 1) id = `${plain}_${number}`;
    for (const end of ['', '_insert', '_update']) this.taken.add(id.toLowerCase() + end);
    return id;
  }
}

const errorSchema = {
  type: 'object',
  required: ['code', 'message', 'details', 'hint'],
  properties: {
    code: { type: 'string' },
    message: { type: 'string' },
    details: { description: 'Text, or a list where several things were meant.' },
    hint: { type: ['string', 'null'] },
  },
};

const refused = { '4XX': { $ref: '#/components/responses/Refused' } };

function collectionSchemas(collection: DescribedCollection, id: string, known: Collection | undefined, house: House): [string, Json][] {
  const row = (which: 'row' | 'insert' | 'update'): Json => {
    const columns = which === 'row' ? collection.columns : collection.columns.filter(({ isGenerated, isUpdatable }) => !isGenerated && isUpdatable);
    const required = columns.filter((column) => (which === 'row' ? !column.isNullable : which === 'insert' && !column.isNullable && !column.hasDefault && !collection.isView)).map(({ name }) => name);
    return {
      type: 'object',
      ...(collection.comment === null || which !== 'row' ? {} : { description: collection.comment }),
      ...(required.length === 0 ? {} : { required }),
      properties: Object.fromEntries(columns.map((column) => [column.name, columnSchema(column, collection.name, house)])),
    };
  };
  return [[id, row('row')], ...(known?.isInsertable ? [[`${id}_insert`, row('insert')] as [string, Json]] : []), ...(known?.isUpdatable ? [[`${id}_update`, row('update')] as [string, Json]] : [])];
}

function columnSchema(column: DescribedColumn, collection: string, { description, cache }: House): Json {
  const text = columnText(column.comment, keysOf(column.name, description.schema, collection, cache));
  const schema = column.values.length > 0 && !column.type.isList ? { type: 'string', enum: column.values } : typeSchema(column.type, description);
  return { ...(column.isNullable ? orNull(schema) : schema), ...(column.maxLength === null || column.type.isList ? {} : { maxLength: column.maxLength }), ...(text === null ? {} : { description: text }) };
}

function orNull(schema: Json): Json {
  const { type, enum: values } = schema;
  if (type === undefined) return schema;
  return { ...schema, type: [type, 'null'], ...(Array.isArray(values) ? { enum: [...(values as unknown[]), null] } : {}) };
}

const scalars: Readonly<Record<string, Json>> = {
  bool: { type: 'boolean' },
  int2: { type: 'integer', format: 'int32' },
  int4: { type: 'integer', format: 'int32' },
  int8: { type: 'integer', format: 'int64' },
  oid: { type: 'integer', format: 'int64' },
  float4: { type: 'number', format: 'float' },
  float8: { type: 'number', format: 'double' },
  numeric: { type: 'number' },
  json: {},
  jsonb: {},
  date: { type: 'string', format: 'date' },
  timestamptz: { type: 'string', format: 'date-time' },
  uuid: { type: 'string', format: 'uuid' },
};

function typeSchema({ schema, name, isList }: TypeName, description: Description): Json {
  if (isList) return { type: 'array', items: typeSchema({ schema, name, isList: false }, description) };
  if (schema === 'pg_catalog') return Object.hasOwn(scalars, name) ? scalars[name]! : name === 'record' ? { type: 'object' } : { type: 'string' };
  if (schema !== description.schema) return { type: 'string' };
  const values = description.enums.find((one) => one.name === name)?.values;
  if (values !== undefined) return { type: 'string', enum: values };
  const fields = description.composites.find((one) => one.name === name)?.fields;
  return fields === undefined ? { type: 'string' } : { type: 'object', properties: Object.fromEntries(fields.map((field) => [field.name, orNull(typeSchema(field.type, description))])) };
}

const query = (name: string, description: string, schema: Json = { type: 'string' }): Json => ({ name, in: 'query', description, schema });
const windowParameters = [query('order', 'Columns to sort by, such as `name.desc.nullslast`.'), query('limit', 'Most rows to give.', { type: 'integer', minimum: 0 }), query('offset', 'Rows to leave out at the start.', { type: 'integer', minimum: 0 })];
const select = query('select', 'Columns, and related rows in parentheses.');

function prefer(description: string): Json {
  return { name: 'Prefer', in: 'header', description, schema: { type: 'string' } };
}

function profileOf({ profile }: House, isWrite: boolean): Json[] {
  return profile === null ? [] : [{ name: isWrite ? 'Content-Profile' : 'Accept-Profile', in: 'header', required: true, description: 'The schema that is meant.', schema: { type: 'string', const: profile } }];
}

function collectionPath({ name, comment, columns }: DescribedCollection, id: string, known: Collection | undefined, house: House): Json {
  const about = { tags: [name], ...(headingOf(comment).rest === null ? {} : { description: headingOf(comment).rest }) };
  const filters = columns.filter((column) => !reserved.has(column.name)).map((column) => query(column.name, `A condition on \`${column.name}\`, such as \`eq.1\` or \`in.(1,2)\`.`));
  const rows = { type: 'array', items: { $ref: `#/components/schemas/${id}` } };
  const written = { content: { 'application/json': { schema: rows } } };
  const returns = prefer('`return=representation` gives the rows back; `return=headers-only`, `count=exact`, …');
  const body = (which: 'insert' | 'update'): Json => {
    const schema = { $ref: `#/components/schemas/${id}_${which}` };
    return { required: true, content: { 'application/json': { schema: which === 'update' ? schema : { anyOf: [schema, { type: 'array', items: schema }] } } } };
  };
  return {
    get: {
      operationId: `list_${id}`,
      summary: `Read rows of ${name}`,
      ...about,
      parameters: [...profileOf(house, false), ...filters, select, ...windowParameters, prefer('`count=exact`, `count=planned` or `count=estimated` tell the total in `Content-Range`.')],
      responses: { 200: { description: 'The rows.', ...written }, 206: { description: 'A page of the rows.', ...written }, ...refused },
    },
    ...(known?.isInsertable
      ? {
          post: {
            operationId: `insert_${id}`,
            summary: `Insert rows into ${name}`,
            ...about,
            parameters: [...profileOf(house, true), select, query('columns', 'The columns to write.'), query('on_conflict', 'The columns of a unique key, for an upsert.'), prefer('`resolution=merge-duplicates` or `ignore-duplicates`, `return=representation`, `missing=default`, …')],
            requestBody: body('insert'),
            responses: { 200: { description: 'The rows were there and were updated.', ...written }, 201: { description: 'Inserted.', ...written }, ...refused },
          },
        }
      : {}),
    ...(known?.isUpdatable
      ? {
          patch: {
            operationId: `update_${id}`,
            summary: `Update rows of ${name}`,
            ...about,
            parameters: [...profileOf(house, true), ...filters, select, query('columns', 'The columns to write.'), returns],
            requestBody: body('update'),
            responses: { 200: { description: 'The updated rows.', ...written }, 204: { description: 'Updated.' }, ...refused },
          },
        }
      : {}),
    ...(known?.isDeletable
      ? {
          delete: {
            operationId: `delete_${id}`,
            summary: `Delete rows of ${name}`,
            ...about,
            parameters: [...profileOf(house, true), ...filters, select, returns],
            responses: { 200: { description: 'The deleted rows.', ...written }, 204: { description: 'Deleted.' }, ...refused },
          },
        }
      : {}),
  };
}

function functionPath(name: string, overloads: readonly DescribedFunction[], names: Names, house: House): Json {
  const id = names.of(`call_${name}`);
  const { first, rest } = headingOf(overloads.find(({ comment }) => comment !== null)?.comment ?? null);
  const about = { summary: first ?? `Call ${name}`, ...(rest === null ? {} : { description: rest }), tags: ['functions'] };
  const responses = { ...resultOf(overloads, house), ...refused };
  const isRows = overloads.some(({ returns }) => returns.isSet && (returns.collection !== null || returns.columns !== null));
  const readable = overloads.find(({ volatility, parameters }) => volatility !== 'volatile' && parameters.every((parameter) => parameter.name !== ''));
  return {
    post: { operationId: id, ...about, parameters: [...profileOf(house, true), ...(isRows ? [select, ...windowParameters] : []), prefer('`count=exact`, `max-affected=N`, …')], requestBody: argumentsOf(overloads, house), responses },
    ...(readable === undefined
      ? {}
      : { get: { operationId: `${id}_by_query`, ...about, parameters: [...profileOf(house, false), ...readable.parameters.filter((parameter) => !isRows || !reserved.has(parameter.name)).map((parameter) => inQuery(parameter, house)), ...(isRows ? [select, ...windowParameters] : [])], responses } }),
  };
}

/** In a query JSON is text and a list is written `{a,b}`; the name of a variadic one is repeated. */
function inQuery({ name, type, isRequired, isVariadic }: DescribedParameter, { description }: House): Json {
  const schema = typeSchema(type, description);
  const isPlain = schema['type'] !== undefined && schema['type'] !== 'array' && schema['type'] !== 'object';
  return { name, in: 'query', required: isRequired, schema: isVariadic ? schema : isPlain ? schema : { type: 'string' } };
}

function argumentsOf(overloads: readonly DescribedFunction[], { description }: House): Json {
  const whole = overloads.find(({ parameters }) => parameters.length === 1 && parameters[0]!.name === '');
  const named = overloads.filter((overload) => overload !== whole).map(({ parameters }) => {
    const required = parameters.filter(({ isRequired, isVariadic }) => isRequired && !isVariadic).map((parameter) => parameter.name);
    return { type: 'object', ...(required.length === 0 ? {} : { required }), properties: Object.fromEntries(parameters.map((parameter) => [parameter.name, orNull(typeSchema(parameter.type, description))])) };
  });
  const types: Readonly<Record<string, [string, Json]>> = { json: ['application/json', {}], jsonb: ['application/json', {}], text: ['text/plain', { type: 'string' }], xml: ['text/xml', { type: 'string' }], bytea: ['application/octet-stream', {}] };
  const [mediaType, schema] = whole === undefined ? ['', {}] : types[whole.parameters[0]!.type.name]!;
  const inJson = named.length === 0 ? {} : { 'application/json': { schema: named.length === 1 ? named[0]! : { anyOf: named } } };
  return { required: named.every((one) => one.required !== undefined) && named.length > 0, content: { ...(whole === undefined ? {} : { [mediaType]: { schema } }), ...inJson } };
}

function resultOf(overloads: readonly DescribedFunction[], house: House): Json {
  const [{ returns }] = overloads as [DescribedFunction];
  if (overloads.every((overload) => overload.returns.isVoid)) return { 204: { description: 'Done.' } };
  const one = rowSchema(returns, house);
  return { 200: { description: 'The result.', content: { 'application/json': { schema: overloads.length > 1 ? {} : returns.isSet ? { type: 'array', items: one } : one } } } };
}

function rowSchema({ type, collection, columns }: DescribedFunction['returns'], { description, ids }: House): Json {
  if (columns !== null) return { type: 'object', properties: Object.fromEntries(columns.map((column) => [column.name, orNull(typeSchema(column.type, description))])) };
  const id = collection === null || collection.schema !== description.schema ? undefined : ids.get(collection.name);
  return id === undefined ? orNull(typeSchema(type, description)) : { $ref: `#/components/schemas/${id}` };
}
