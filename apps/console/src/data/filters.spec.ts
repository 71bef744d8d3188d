import type { Field } from '../contracts.ts';
import { type Filter, filterInWords, filterParameter, operators, operatorsFor, packFilter, unpackFilter } from './filters.ts';

const field = (name: string): Field => ({ name, type: 'text', is_nullable: true, default: null, is_primary_key: false, is_generated: false, references: null });

describe('filters', () => {
  it.each([
    ['delay', 'gt', '30', ['delay', 'gt.30']],
    ['name', 'eq', 'a,b "c" & d', ['name', 'eq.a,b "c" & d']],
    ['name', 'contains', '50%_\\', ['name', 'ilike.*50\\%\\_\\\\*']],
    ['name', 'starts', 'Wi', ['name', 'ilike.Wi*']],
    ['name', 'contains', '5* (good)', ['name', 'imatch.5\\* \\(good\\)']],
    ['name', 'starts', '*', ['name', 'imatch.^\\*']],
    ['state', 'in', 'TX, New York,say "hi"', ['state', 'in.(TX,"New York","say \\"hi\\"")']],
    ['tags', 'holds', '{a}', ['tags', 'cs.{a}']],
    ['ok', 'true', '', ['ok', 'is.true']],
    ['ok', 'notnull', '', ['ok', 'not.is.null']],
    ['order', 'eq', '1', ['"order"', 'eq.1']],
    ['Flight "No"', 'eq', '1', ['"Flight \\"No\\""', 'eq.1']],
  ] as const)('%s %s %s', (name, operator, value, parameter) => {
    expect(filterParameter({ field: name, operator, value })).toEqual(parameter);
  });

  it('read as a sentence', () => {
    expect(filterInWords({ field: 'delay', operator: 'gte', value: '30' })).toBe('delay is at least 30');
    expect(filterInWords({ field: 'ok', operator: 'null', value: '' })).toBe('ok is null');
    expect(filterInWords({ field: 'name', operator: 'eq', value: '' })).toBe('name is (empty)');
  });

  it('go into the address and come back, if the field still exists', () => {
    const filter: Filter = { field: 'a:b', operator: 'eq', value: 'x:y&z=ü' };
    expect(unpackFilter(packFilter(filter), [field('a:b')])).toEqual(filter);
    expect(unpackFilter(packFilter(filter), [field('other')])).toBeNull();
    expect(unpackFilter('a:toString:1', [field('a')])).toBeNull();
  });

  it.each([
    ['bigint', 'gt'],
    ['timestamp with time zone', 'lte'],
    ['character varying(20)', 'contains'],
    ['boolean', 'true'],
    ['jsonb', 'holds'],
    ['text[]', 'holds'],
    ['uuid', 'in'],
    ['json', 'null'],
    ['public.mood', 'eq'],
  ] as const)('a field of type %s can be asked: %s', (type, operator) => {
    expect(operatorsFor(type)).toContain(operator);
    expect(operatorsFor(type).every((name) => name in operators)).toBe(true);
  });
});
