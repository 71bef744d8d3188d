import { parseCollection } from './parse-collection.ts';

const field = { name: 'id', type: 'bigint', is_primary_key: true };
const parse = (body: unknown) => parseCollection(body, ['public', 'shop']);

describe('a new collection', () => {
  it('has defaults', () => {
    expect(parse({ name: 'flights', fields: [field, { name: 'Abflug-Ort', type: 'VARCHAR' }, { name: 'at', type: 'timestamp with  time zone', is_nullable: false }], access: 'service' })).toEqual({
      schema: 'public',
      name: 'flights',
      access: 'service',
      fields: [
        { name: 'id', type: 'bigint', is_nullable: false, is_primary_key: true },
        { name: 'Abflug-Ort', type: 'character varying', is_nullable: true, is_primary_key: false },
        { name: 'at', type: 'timestamp with time zone', is_nullable: false, is_primary_key: false },
      ],
    });
  });

  it.each([
    ['no object', [], 'The body must be a JSON object'],
    ['an unknown property', { nam: 'x' }, '"nam" is no property of a collection; did you mean "name"?'],
    ['a schema that is not exposed', { schema: 'auth', name: 'x', fields: [field], access: 'service' }, '"schema" must be one of the exposed schemas: public, shop'],
    ['no access', { name: 'x', fields: [field] }, '"access" must say who may read: "service", "signed_in", "everyone"'],
    ['no fields', { name: 'x', fields: [], access: 'service' }, '"fields" must be a list of 1 to 1600 fields'],
    ['a field twice', { name: 'x', fields: [field, field], access: 'service' }, 'Two fields are named "id"'],
    ['a name with SQL', { name: 'x"; drop table y; --', fields: [field], access: 'service' }, expect.stringContaining('must begin with a letter or _')],
    ['a name that ends in a blank', { name: 'x ', fields: [field], access: 'service' }, expect.stringContaining('must begin with a letter or _')],
    ['a name too long', { name: 'ä'.repeat(32), fields: [field], access: 'service' }, 'The collection’s "name" has 64 bytes; PostgreSQL’s names have at most 63'],
    ['an unknown type', { name: 'x', fields: [{ name: 'a', type: 'integr' }], access: 'service' }, '"integr" of "a" is no type for a field; did you mean "integer"?'],
    ['a type with SQL', { name: 'x', fields: [{ name: 'a', type: 'int); drop table y; --' }], access: 'service' }, '"int); drop table y; --" of "a" is no type for a field'],
    ['a type of ours', { name: 'x', fields: [{ name: 'a', type: 'auth.users' }], access: 'service' }, '"auth.users" of "a" is no type for a field'],
    ['a flag that is none', { name: 'x', fields: [{ name: 'a', type: 'int', is_nullable: 'no' }], access: 'service' }, 'a: "is_nullable" must be true or false'],
    ['a nullable key', { name: 'x', fields: [{ ...field, is_nullable: true }], access: 'service' }, '"id" is part of the primary key, so it cannot be nullable'],
    ['a field named __proto__', JSON.parse('{"name":"x","access":"service","fields":[{"__proto__":1}]}'), '"__proto__" is no property of a field'],
  ])('%s is refused', (_, body, message) => {
    expect(() => parse(body)).toThrow(expect.objectContaining({ status: 400, message }));
  });
});
