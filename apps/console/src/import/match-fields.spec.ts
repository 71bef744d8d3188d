import type { Field } from '../contracts.ts';
import { doubledFields, matchFields, missingFields } from './match-fields.ts';

const field = (name: string, more: Partial<Field> = {}): Field => ({
  name, type: 'text', is_nullable: true, default: null, is_primary_key: false, is_generated: false, references: null, ...more,
});

describe('columns and fields', () => {
  const fields = [field('id', { is_nullable: false }), field('flight_date'), field('total', { is_generated: true }), field('Name')];

  it('meet by name, then by letters alone', () => {
    expect(matchFields(['Name', 'Flight Date', 'ID', 'total', 'other'], fields)).toEqual(['Name', 'flight_date', 'id', null, null]);
  });

  it('meet once: the second column of the same letters stays out', () => {
    expect(matchFields(['NAME', 'Name'], fields)).toEqual([null, 'Name']);
  });

  it('that must have a value and get none are told', () => {
    expect(missingFields(['Name'], fields).map(({ name }) => name)).toEqual(['id']);
    expect(missingFields(['id'], fields)).toEqual([]);
    expect(doubledFields(['id', 'id', null, null])).toEqual(['id']);
  });
});
