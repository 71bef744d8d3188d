import type { Collection, Field } from '../contracts.ts';
import { parseRange, readView, rowsPath, turnOrder, type View, writeView } from './view.ts';
import { whoMayRead } from './who-may-read.ts';

const field = (name: string, more: Partial<Field> = {}): Field => ({
  name, type: 'bigint', is_nullable: true, default: null, is_primary_key: false, is_generated: false, references: null, ...more,
});
const flights: Collection = {
  schema: 'public', name: 'flights', kind: 'table', row_estimate: 0, has_row_security: true, policies: [],
  fields: [field('id', { is_primary_key: true, is_nullable: false }), field('delay'), field('Dep Time')],
};
const view: View = { filters: [], order: null, page: 0, pageSize: 50, count: 'estimated' };
const asked = (more: Partial<View>) => Object.fromEntries(new URL(rowsPath(flights, { ...view, ...more }), 'http://x').searchParams);

describe('a view of rows', () => {
  it('asks every field as text, in the order of the key', () => {
    expect(asked({})).toEqual({ select: 'id::text,delay::text,"Dep Time"::text', limit: '50', offset: '0', order: 'id' });
  });

  it.each([
    [{ field: 'delay', isDescending: false }, 'delay.asc,id'],
    [{ field: 'delay', isDescending: true }, 'delay.desc.nullslast,id'],
    [{ field: 'id', isDescending: true }, 'id.desc'],
    [{ field: 'Dep Time', isDescending: false }, '"Dep Time".asc,id'],
  ])('ordered by %j', (order, text) => expect(asked({ order })['order']).toBe(text));

  it('pages and filters', () => {
    expect(asked({ page: 3, pageSize: 25, filters: [{ field: 'delay', operator: 'gt', value: '30' }] })).toMatchObject({ limit: '25', offset: '75', delay: 'gt.30' });
  });

  it('is its address', () => {
    const whole: View = {
      filters: [{ field: 'delay', operator: 'gt', value: '30' }, { field: 'delay', operator: 'lt', value: '60' }],
      order: { field: 'Dep Time', isDescending: true }, page: 4, pageSize: 100, count: 'exact',
    };
    expect(readView(new URLSearchParams(writeView(whole)), flights.fields)).toEqual(whole);
    expect(writeView(view)).toBe('');
    expect(readView(new URLSearchParams('order=nothing:desc&page=-3&size=7'), flights.fields)).toEqual(view);
  });

  it('turns its order up, down and off', () => {
    const up = turnOrder(null, 'delay');
    const down = turnOrder(up, 'delay');
    expect([up, down, turnOrder(down, 'delay'), turnOrder(down, 'id')]).toEqual([
      { field: 'delay', isDescending: false }, { field: 'delay', isDescending: true }, null, { field: 'id', isDescending: false },
    ]);
  });

  it.each([
    ['0-49/200000', { first: 0, total: 200_000 }],
    ['0-49/*', { first: 0, total: null }],
    ['*/0', { first: null, total: 0 }],
    [null, { first: null, total: null }],
  ])('range %s', (header, range) => expect(parseRange(header)).toEqual(range));
});

describe('who may read', () => {
  const policy = (command: string, ...roles: string[]) => ({ name: 'p', command, roles });
  it.each([
    [{ policies: [] }, 'Service key only'],
    [{ policies: [policy('SELECT', 'authenticated')] }, 'Signed-in users'],
    [{ policies: [policy('ALL', 'public')] }, 'Everyone'],
    [{ policies: [policy('INSERT', 'anon')] }, 'Service key only'],
    [{ policies: [policy('SELECT', 'auditor')] }, 'auditor'],
    [{ has_row_security: false }, 'No row security'],
    [{ kind: 'view' }, 'As its source'],
  ])('%j: %s', (more, label) => expect(whoMayRead({ ...flights, ...more }).label).toBe(label));
});
