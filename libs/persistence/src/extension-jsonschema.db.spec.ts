import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { Ajv, type Options } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';

let db: TestDatabase;
beforeAll(async () => {
  db = await makeTestDatabase();
  await db.admin.rows('create extension pg_jsonschema with schema extensions');
});
afterAll(() => db.close());

const draft7 = 'http://json-schema.org/draft-07/schema#';
const draft2019 = 'https://json-schema.org/draft/2019-09/schema';

/** What the function says of one instance. */
async function matches(schema: unknown, instance: unknown): Promise<boolean> {
  const [row] = await db.admin.rows<{ json: boolean; jsonb: boolean }>('select extensions.json_matches_schema($1::text::json, $2::text::json) as json, extensions.jsonb_matches_schema($1::text::json, $2::text::jsonb) as jsonb', [JSON.stringify(schema), JSON.stringify(instance)]);
  expect(row!.json).toBe(row!.jsonb);
  return row!.jsonb;
}

/** Of many: the schema is a constant of the statement, and so compiled once. */
async function matchesEach(schema: unknown, instances: readonly unknown[]): Promise<boolean[]> {
  const rows = await db.admin.rows<{ is: boolean }>('select extensions.jsonb_matches_schema($1::text::json, i::jsonb) as is from unnest($2::text[]) with ordinality as t(i, place) order by place', [JSON.stringify(schema), instances.map((i) => JSON.stringify(i))]);
  return rows.map(({ is }) => is);
}

const options: Options = { strict: false, logger: false, validateSchema: true };
const second = { 7: new Ajv(options), 2019: new Ajv2019(options), 2020: new Ajv2020({ ...options, validateFormats: false }) };
addFormats.default(second[7]);

/** The second opinion, on many instances of one schema. */
function ajvSaysOfEach(schema: unknown, instances: readonly unknown[]): boolean[] {
  const uri = (schema as { $schema?: string })?.$schema;
  const ajv = uri === draft7 ? second[7] : uri === draft2019 ? second[2019] : second[2020];
  ajv.removeSchema();
  const check = ajv.compile(schema as object);
  return instances.map((instance) => check(instance) === true);
}

const values = [null, true, false, 0, 1, 1.5, -3, 10, 1e20, '', 'a', 'abc', 'a1', '😀😀', 'ab\ncd', [], [1], [1, 2, 3], [1, 1.0], ['a', 'a'], [[1], [1]], [null, 'x', 2], {}, { a: 1 }, { a: 'x' }, { a: 1, b: 2 }, { b: 2, c: [1] }, { foo: 'bar', a: null }, { ab1: 1, x_y: 'z' }, [{ a: 1 }, { a: 1 }], { a: { a: { a: 1 } } }, { tree: [{ tree: [] }] }];

describe('every keyword, compared with ajv over many values', () => {
  it.each<[string, unknown]>([
    ['true', true],
    ['false', false],
    ['nothing', {}],
    ...['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'].map((type): [string, unknown] => [`type ${type}`, { type }]),
    ['types', { type: ['integer', 'null'] }],
    ['enum', { enum: [1, 'a', null, [1], { a: 1 }] }],
    ['const', { const: { a: 1 } }],
    ['const of a number', { const: 1.0 }],
    ['multipleOf', { multipleOf: 0.5 }],
    ['maximum', { maximum: 1 }],
    ['minimum', { minimum: 1 }],
    ['exclusive bounds', { exclusiveMaximum: 10, exclusiveMinimum: 0 }],
    ['lengths by characters', { minLength: 2, maxLength: 2 }],
    ['pattern', { pattern: '^[a-z]\\d?$' }],
    ['items', { items: { type: 'integer' } }],
    ['prefixItems', { prefixItems: [{ type: 'integer' }, { type: 'string' }], items: false }],
    ['prefixItems and items', { prefixItems: [{ type: 'integer' }], items: { type: 'integer' } }],
    ['contains', { contains: { type: 'integer' } }],
    ['contains between', { contains: { type: 'integer' }, minContains: 2, maxContains: 2 }],
    ['contains none', { contains: { type: 'integer' }, minContains: 0 }],
    ['item counts', { minItems: 1, maxItems: 2 }],
    ['uniqueItems', { uniqueItems: true }],
    ['uniqueItems off', { uniqueItems: false }],
    ['properties', { properties: { a: { type: 'integer' }, b: true } }],
    ['patternProperties', { patternProperties: { '^[ab]': { type: 'integer' } } }],
    ['additionalProperties', { properties: { a: true }, patternProperties: { '\\d$': true }, additionalProperties: false }],
    ['additionalProperties as a schema', { additionalProperties: { type: 'integer' } }],
    ['propertyNames', { propertyNames: { maxLength: 1 } }],
    ['required', { required: ['a', 'b'] }],
    ['property counts', { minProperties: 1, maxProperties: 1 }],
    ['dependentRequired', { dependentRequired: { a: ['b'], foo: ['a'] } }],
    ['dependentSchemas', { dependentSchemas: { a: { properties: { b: { const: 2 } }, required: ['b'] } } }],
    ['dependencies', { dependencies: { a: ['b'], b: { required: ['c'] } } }],
    ['allOf', { allOf: [{ type: 'object' }, { required: ['a'] }] }],
    ['anyOf', { anyOf: [{ type: 'string' }, { minimum: 1 }] }],
    ['oneOf', { oneOf: [{ type: 'integer' }, { minimum: 2 }] }],
    ['not', { not: { type: ['integer', 'object'] } }],
    ['if, then, else', { if: { type: 'object' }, then: { required: ['a'] }, else: { type: 'string' } }],
    ['then alone', { then: false }],
    ['if alone', { if: { type: 'object' } }],
    ['a reference', { $ref: '#/$defs/n', $defs: { n: { type: 'integer' } } }],
    ['a reference with siblings', { $ref: '#/$defs/n', minimum: 1, $defs: { n: { type: 'integer' } } }],
    ['a pointer with escapes', { $ref: '#/$defs/a~1b%25~0', $defs: { 'a/b%~': { type: 'object' } } }],
    ['a pointer into an array', { anyOf: [{ type: 'string' }, { not: { $ref: '#/anyOf/0' }, type: 'object' }] }],
    ['recursion', { type: ['object', 'integer'], additionalProperties: { $ref: '#' } }],
    ['a tree', { properties: { tree: { type: 'array', items: { $ref: '#' } } }, additionalProperties: false }],
    ['an anchor', { $ref: '#n', $defs: { x: { $anchor: 'n', type: 'integer' } } }],
    ['an identifier', { $id: 'https://example.com/a', $ref: 'b', $defs: { x: { $id: 'b', type: 'integer' } } }],
    ['an identifier, and a pointer in it', { $id: 'https://example.com/a/', properties: { a: { $ref: '/c/b#/$defs/y' } }, $defs: { x: { $id: '/c/b', $defs: { y: { type: 'integer' } } } } }],
    ['an identifier that is a name', { $ref: 'urn:x:y', $defs: { x: { $id: 'urn:x:y', type: 'integer' } } }],
    ['$dynamicRef', { $dynamicAnchor: 'node', type: ['object', 'integer'], additionalProperties: { $dynamicRef: '#node' } }],
    ['unevaluatedProperties', { properties: { a: true }, unevaluatedProperties: false }],
    ['unevaluatedProperties through others', { allOf: [{ properties: { a: true } }], anyOf: [{ properties: { b: { const: 2 } }, required: ['b'] }, true], if: { required: ['foo'] }, then: { properties: { foo: true } }, unevaluatedProperties: false }],
    ['unevaluatedProperties as a schema', { properties: { a: true }, unevaluatedProperties: { type: 'integer' } }],
    ['unevaluatedProperties through a reference', { $ref: '#/$defs/n', unevaluatedProperties: false, $defs: { n: { properties: { a: true } } } }],
    ['unevaluatedProperties, not looked at through not', { not: { not: { properties: { a: true } } }, unevaluatedProperties: false }],
    ['unevaluatedItems', { prefixItems: [true], unevaluatedItems: false }],
    ['unevaluatedItems through others', { allOf: [{ prefixItems: [true] }], unevaluatedItems: { type: 'integer' } }],
    ['remarks', { title: 't', description: 'd', default: 1, examples: [1], deprecated: true, readOnly: true, writeOnly: false, $comment: 'c', contentEncoding: 'base64', contentMediaType: 'text/plain', format: 'email', 'x-mine': 1 }],
    ['draft 7', { $schema: draft7, items: [{ type: 'integer' }], additionalItems: { type: 'string' } }],
    ['draft 7, items of one kind', { $schema: draft7, items: { type: 'integer' }, additionalItems: false }],
    ['draft 7, contains', { $schema: draft7, contains: { const: 1 }, dependencies: { a: ['b'] } }],
    ['draft 7, an identifier as an anchor', { $schema: draft7, definitions: { n: { $id: '#n', type: 'integer' } }, properties: { a: { $ref: '#n' } } }],
    ['2019-09', { $schema: draft2019, items: [{ type: 'integer' }], unevaluatedItems: false, dependentRequired: { a: ['b'] } }],
    ['2019-09, $recursiveRef', { $schema: draft2019, type: ['object', 'integer'], additionalProperties: { $recursiveRef: '#' } }],
  ])('%s', async (_, schema) => {
    const said = await matchesEach(schema, values);
    expect(said.map((is, i) => [values[i], is])).toEqual(ajvSaysOfEach(schema, values).map((is, i) => [values[i], is]));
  });
});

/** By the specification, where ajv goes another way. */
describe('where ajv differs', () => {
  it.each<[string, unknown, unknown, boolean]>([
    ['an item that contains has looked at is evaluated', { contains: { type: 'integer' }, unevaluatedItems: false }, [1, 2], true],
    ['and one that it has not is not', { contains: { type: 'integer' }, unevaluatedItems: false }, [1, 'a'], false],
    ['a branch that does not hold evaluates nothing', { anyOf: [{ prefixItems: [{ const: 1 }, true] }, { maxItems: 2 }], unevaluatedItems: { type: 'integer' } }, ['a', 'a'], false],
    ['one that holds does', { anyOf: [{ prefixItems: [{ const: 1 }, true] }, { maxItems: 2 }], unevaluatedItems: { type: 'integer' } }, [1, 'a'], true],
    ['in 2019-09 contains evaluates nothing', { $schema: draft2019, contains: { type: 'integer' }, unevaluatedItems: false }, [1], false],
    ['beside a reference of draft 7 nothing counts', { $schema: draft7, definitions: { n: { type: 'integer' } }, $ref: '#/definitions/n', minimum: 5 }, 1, true],
  ])('%s', async (_, schema, instance, is) => expect(await matches(schema, instance)).toBe(is));
});

describe('patterns, compared with JavaScript', () => {
  const texts = ['', 'a', 'b', 'ab', 'aab', '1', 'a1', 'A', '_', '-', ' ', '\n', 'a\nb', '\u00a0', 'é', '😀', '٣', '[', ']', '{', 'a{2}', 'a.b', 'a/b', '\\', '^', '$', 'foo bar', 'foobar', 'abab', '\t', ':', 'a-b', '2024-01-31', 'x\u2028y', 'ſ', '&&'];
  it.each([
    '^a', 'b$', '^a*b$', '^(a|b)+$', '^.$', '^[^a]$', '\\d', '^\\D+$', '^\\w+$', '^\\W$', '\\s', '^\\S+$', '^[\\d-]+$', '^[\\w.-]+$', '[\\s]', '^[a-z0-9_-]+$', '^\\d{4}-\\d{2}-\\d{2}$', 'a{2}', '^a{1,}b', '^(?:ab){2}$', '^(?=a)', '^(?!a)', '(?<=o)b', '(?<!o)b', '\\bbar\\b',
    '\\Bbar', '^\\u00e9$', '^\\u{1F600}$', '^\\ud83d\\ude00$', '^\\x61$', '^(?<name>a)b$', '^(a)(b)\\1\\2$', '^a+?b', '[[]', '[\\]]', '[\\[\\]]', '[{}]', '[:a]', '[^[:]', '^[a\\-b]+$', '[$^]', '^\\$$', '\\/', '\\\\', '^\\[', '\\t', '[\\b]|a', '^[.]$', 'a|', '^$', '[&&]', '^[\\u0061-\\u0062]$', '[(]|[)*+?]', '^\\^',
  ])('%s', async (pattern) => {
    const real = new RegExp(pattern, 'u');
    const said = await matchesEach({ pattern }, texts);
    expect(said.map((is, i) => [texts[i], is])).toEqual(texts.map((text) => [text, real.test(text)]));
  });

  it.each([
    ['\\p{L}', '0A000'],
    ['^[^\\S]$', '0A000'],
    ['[]', '0A000'],
    ['\\0', '0A000'],
    ['(', '22023'],
    ['a)', '22023'],
    ['[a', '22023'],
    ['*a', '22023'],
    ['a**', '22023'],
    ['\\y', '22023'],
    ['(?i)a', '22023'],
    ['a{', '22023'],
    ['a{300}', '2201B'],
  ])('%s is refused', (pattern, code) => expect(matches({ pattern }, 'a')).rejects.toMatchObject({ code }));
});

describe('formats', () => {
  const cases: [string, string[]][] = [
    ['date', ['2024-02-29', '2023-02-29', '2024-13-01', '2024-00-10', '2024-04-31', '24-01-01', '1900-02-29', '2000-02-29', 'x']],
    ['time', ['10:00:00Z', '10:00:00+01:00', '24:00:00Z', '10:60:00Z', '23:59:60Z', '22:59:60Z', '10:00:00', '10:00:00.123Z', '01:29:60+01:30']],
    ['date-time', ['2024-01-31T10:00:00Z', '2024-01-31t10:00:00.5+02:00', '2024-02-30T10:00:00Z', '2024-01-31T10:00:00', 'x']],
    ['email', ['a@b.c', 'a.b@example.com', 'a@', '@b.c', 'a b@c.d', 'a..b@c.d', 'a+b@c.d', 'x']],
    ['hostname', ['example.com', '-a.com', 'a-.com', 'a', 'a_b.com', `${'a'.repeat(64)}.com`, 'xn--a.com']],
    ['ipv4', ['1.2.3.4', '256.1.1.1', '1.2.3', '0.0.0.0', '1.2.3.4.5']],
    ['ipv6', ['::1', '::', '1:2:3:4:5:6:7:8', '1::8', '1:2:3:4:5:6:7', '12345::', '::1::', ':1', '::ffff:1.2.3.4', '::ffff:1.2.3.256', '1:2:3:4:5:6:7:8:9', 'g::']],
    ['uri', ['http://example.com/a?b#c', 'urn:x:y', '/a', 'http://a b', 'a', 'http://x/%zz', 'mailto:a@b.c']],
    ['uri-reference', ['/a', '#x', 'a b', 'http://x/', '\\a']],
    ['json-pointer', ['', '/a/b', '/a~0~1', 'a', '/a~2']],
    ['relative-json-pointer', ['0', '1/a', '0#', '-1', '01', '/a']],
    ['regex', ['^a$', '(', '[a', 'a{1,2}']],
    ['uri-template', ['/a/{b}', '/a/{b', '{}', '{?x,y}']],
  ];

  it.each(cases)('%s is asserted in draft 7, as ajv does', async (format, texts) => {
    const schema = { $schema: draft7, format };
    expect((await matchesEach(schema, texts)).map((is, i) => [texts[i], is])).toEqual(ajvSaysOfEach(schema, texts).map((is, i) => [texts[i], is]));
  });

  it('is a remark in later drafts, and unknown ones are refused in earlier', async () => {
    expect(await matches({ format: 'email' }, 'x')).toBe(true);
    expect(await matches({ $schema: draft7, format: 'idn-email' }, 'ü@müller.de')).toBe(true);
    expect(await matches({ $schema: draft7, format: 'iri' }, 'http://müller.de/ü')).toBe(true);
    await expect(matches({ $schema: draft7, format: 'iban' }, 'x')).rejects.toMatchObject({ code: '0A000', message: 'jsonschema: unknown format "iban" at "/"' });
  });
});

describe('random schemas and values', () => {
  const name = fc.constantFrom('a', 'b', 'ab');
  const scalar = fc.oneof(fc.constantFrom<unknown>(null, true, 1, 2, 2.5, 'a', 'ab', ''), fc.integer({ min: -3, max: 4 }));
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({ value: fc.oneof({ maxDepth: 3, withCrossShrink: true }, scalar, fc.array(tie('value'), { maxLength: 3 }), fc.dictionary(name, tie('value'), { maxKeys: 3, noNullPrototype: true })) }));
  const count = fc.integer({ min: 0, max: 3 });
  const { node } = fc.letrec<{ node: unknown; object: object }>((tie) => {
    const some = fc.array(tie('node'), { minLength: 1, maxLength: 3 });
    const byName = fc.dictionary(name, tie('node'), { minKeys: 1, maxKeys: 2, noNullPrototype: true });
    return {
      node: fc.oneof({ maxDepth: 4 }, fc.boolean(), fc.record({ type: fc.constantFrom('integer', 'number', 'string', 'array', 'object', 'null') }), fc.constant({ $ref: '#/$defs/n' }), tie('object')),
      object: fc.record(
        {
          type: fc.subarray(['integer', 'string', 'array', 'object', 'boolean'], { minLength: 1 }), enum: fc.array(value, { minLength: 1, maxLength: 3 }), const: value, minimum: fc.integer({ min: -2, max: 3 }), exclusiveMaximum: fc.integer({ min: -2, max: 3 }), multipleOf: fc.constantFrom(1, 2, 0.5),
          minLength: count, maxLength: count, pattern: fc.constantFrom('^a', 'b$', 'a.'), minItems: count, maxItems: count, uniqueItems: fc.boolean(), prefixItems: some, items: tie('node'), contains: tie('node'), minContains: count, maxContains: count,
          properties: byName, patternProperties: fc.dictionary(fc.constantFrom('^a', 'b'), tie('node'), { minKeys: 1, noNullPrototype: true }), additionalProperties: tie('node'), propertyNames: tie('node'), required: fc.uniqueArray(name, { maxLength: 2 }), minProperties: count, maxProperties: count,
          dependentRequired: fc.dictionary(name, fc.uniqueArray(name), { noNullPrototype: true }), dependentSchemas: byName, allOf: some, anyOf: some, oneOf: some, not: tie('node'), if: tie('node'), then: tie('node'), else: tie('node'), unevaluatedProperties: tie('node'),
        },
        { requiredKeys: [] },
      ).map((keys) => Object.fromEntries(Object.entries(keys).filter((_, i, all) => (i * 7) % all.length < 4))),
    };
  });

  it('agree with ajv', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(node, node, fc.array(value, { minLength: 6, maxLength: 6 })), { minLength: 15, maxLength: 15 }), async (cases) => {
        for (const [part, n, instances] of cases) {
          const schema = { allOf: [part], $defs: { n: refless(n) } };
          const [said, expected] = [await matchesEach(schema, instances), ajvSaysOfEach(schema, instances)];
          expect([schema, instances, said]).toEqual([schema, instances, expected]);
        }
      }),
      { numRuns: 3 },
    );
  });

  /** A definition that leads to itself would not end. */
  function refless(schema: unknown): unknown {
    return JSON.parse(JSON.stringify(schema), (_, sub: unknown) => (typeof sub === 'object' && sub !== null && '$ref' in sub ? true : sub));
  }
});

describe('numbers that JavaScript cannot hold', () => {
  const check = async (schema: string, instance: string): Promise<boolean> => (await db.admin.rows<{ is: boolean }>('select extensions.json_matches_schema($1::text::json, $2::text::json) as is', [schema, instance]))[0]!.is;
  it.each([
    ['{"multipleOf": 0.01}', '19.99', true],
    ['{"multipleOf": 0.0001}', '0.00751', false],
    ['{"maximum": 9007199254740993}', '9007199254740994', false],
    ['{"const": 9007199254740993}', '9007199254740992', false],
    ['{"type": "integer"}', '1.0', true],
    ['{"type": "integer"}', '1e300', true],
    ['{"enum": [1.00]}', '1', true],
    ['{"uniqueItems": true}', '[1, 1.0]', false],
  ])('%s of %s: %s', async (schema, instance, is) => expect(await check(schema, instance)).toBe(is));
});

describe('what is refused', () => {
  it.each<[string, unknown, string, RegExp]>([
    ['an unknown keyword', { typ: 'string' }, '0A000', /unknown keyword "typ" at "\/"/],
    ['one deep inside', { properties: { a: { items: { minimumm: 1 } } } }, '0A000', /unknown keyword "minimumm" at "\/properties\/a\/items"/],
    ['one of a later draft', { $schema: draft7, dependentRequired: {} }, '0A000', /unknown keyword "dependentRequired"/],
    ['one of an earlier draft', { items: true, additionalItems: false }, '0A000', /unknown keyword "additionalItems"/],
    ['another document', { $ref: 'https://example.com/other' }, '0A000', /leads to no schema/],
    ['a pointer to nothing', { $ref: '#/$defs/x' }, '0A000', /leads to no schema/],
    ['a pointer to no schema', { properties: { type: true }, $ref: '#/properties' }, '0A000', /leads to no schema/],
    ['an unknown draft', { $schema: 'https://example.com/draft' }, '0A000', /unknown \$schema/],
    ['a type that is none', { type: 'strin' }, '22023', /no valid schema/],
    ['a count below zero', { minLength: -1 }, '22023', /no valid schema/],
    ['items as a list, in 2020-12', { items: [true] }, '22023', /no valid schema/],
    ['a list that is none', { required: 'a' }, '22023', /no valid schema/],
    ['a schema that is none', { properties: { a: 1 } }, '22023', /no valid schema/],
    ['a number', 5, '22023', /no valid schema/],
  ])('%s', (_, schema, code, message) => expect(matches(schema, { a: 1 })).rejects.toMatchObject({ code, message: expect.stringMatching(message) }));

  it('a reference that leads back to itself, and a value without end, with words instead of a crash', async () => {
    await expect(matches({ $ref: '#' }, 1)).rejects.toMatchObject({ code: '54001', message: expect.stringContaining('more than 300 deep') });
    const deep = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}1${']'.repeat(levels)}`);
    await expect(matches({ items: { $ref: '#' } }, deep(200))).rejects.toMatchObject({ code: '54001' });
    expect(await matches({ items: { $ref: '#' } }, deep(140))).toBe(true);
  });
});

describe('the other functions', () => {
  it.each<[unknown, boolean]>([
    [{ type: 'object' }, true],
    [true, true],
    [{ type: 'strin' }, false],
    [{ pattern: '(' }, false],
    [{ $schema: draft7, items: [true] }, true],
    [{ items: [true] }, false],
    [{ $schema: 'http://json-schema.org/draft-04/schema#', exclusiveMinimum: true, minimum: 1 }, true],
    [{ exclusiveMinimum: true }, false],
    [[], false],
  ])('jsonschema_is_valid(%j): %s', async (schema, isValid) => expect(await db.admin.rows('select extensions.jsonschema_is_valid($1::text::json) as is', [JSON.stringify(schema)])).toEqual([{ is: isValid }]));

  it('jsonschema_validation_errors names each', async () => {
    const errors = async (schema: unknown, instance: unknown): Promise<unknown> => (await db.admin.rows<{ errors: unknown }>('select extensions.jsonschema_validation_errors($1::text::json, $2::text::json) as errors', [JSON.stringify(schema), JSON.stringify(instance)]))[0]!.errors;
    expect(await errors({ maxLength: 4 }, '123456789')).toEqual(['"123456789" is longer than 4 characters']);
    expect(await errors({ maxLength: 4 }, '1')).toEqual([]);
    expect(await errors({ properties: { a: { type: 'string' }, b: { minimum: 3 } }, required: ['c'], additionalProperties: false }, { a: 1, b: 2, d: 3 })).toEqual(['"c" is a required property', '1 is not of type "string"', '2 is less than the minimum of 3', `Additional properties are not allowed ('d' was unexpected)`]);
  });

  it('null gives null, and all of them are immutable, strict and parallel safe', async () => {
    expect(await db.admin.rows('select extensions.json_matches_schema(null, null) as a, extensions.jsonschema_is_valid(null) as b, extensions.jsonschema_validation_errors(null, null) as c')).toEqual([{ a: null, b: null, c: null }]);
    expect(await db.admin.rows(`select distinct provolatile, proisstrict, proparallel from pg_proc where proname in ('json_matches_schema', 'jsonb_matches_schema', 'jsonschema_is_valid', 'jsonschema_validation_errors')`)).toEqual([{ provolatile: 'i', proisstrict: true, proparallel: 's' }]);
  });

  it('draft 4 has bounds of its own', async () => {
    const schema = { $schema: 'http://json-schema.org/draft-04/schema#', id: 'http://x/', minimum: 1, exclusiveMinimum: true };
    expect([await matches(schema, 1), await matches(schema, 2)]).toEqual([false, true]);
  });
});

describe('a CHECK constraint', () => {
  const schema = JSON.stringify({ type: 'object', properties: { tags: { type: 'array', items: { type: 'string', maxLength: 16 } } } });

  it('holds for whoever inserts, under any search path', async () => {
    await db.admin.rows(`create table public.customers (id bigint generated always as identity primary key, metadata json, check (extensions.json_matches_schema('${schema}', metadata))); grant insert on public.customers to anon`);
    const insert = (text: string): Promise<unknown> => db.admin.transaction({ role: 'anon', settings: { search_path: 'public' } }, (tx) => tx.rows('insert into public.customers (metadata) values ($1::text::json)', [text]));
    await insert('{"tags": ["vip", "darkmode-ui"]}');
    await expect(insert('{"tags": [1, 3]}')).rejects.toMatchObject({ code: '23514', message: expect.stringContaining('customers_metadata_check') });
  });

  it('compiles its schema once and not for each row', async () => {
    await db.admin.rows(`create table public.many (x jsonb check (extensions.jsonb_matches_schema('${schema}', x)))`);
    const began = performance.now();
    await db.admin.rows(`insert into public.many select '{"tags": ["a", "b"]}' from generate_series(1, 1000)`);
    expect(performance.now() - began).toBeLessThan(3000);
  });
});
