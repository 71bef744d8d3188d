import type { Collection, Field } from '../contracts.ts';
import type { Column, Description, Reading } from './describe-sample.ts';
import type { FieldType } from './guess-types.ts';
import { conflictKey, newPlanProblems, planNew, planTargets, targetProblems, toNewCollection } from './plan.ts';

const column = (header: string, name: string, type: FieldType): Column => ({ header, name, type, cells: [] });
const file: Description = { columns: [column('ID', 'id', 'bigint'), column('Note', 'note', 'text')], rowCount: 2, key: 0, oddRows: 0 };
const field = (name: string, more: Partial<Field> = {}): Field => ({
  name, type: 'text', is_nullable: true, default: null, is_primary_key: false, is_generated: false, references: null, ...more,
});
const notes: Collection = {
  schema: 'public', name: 'notes', kind: 'table', row_estimate: 0, has_row_security: true, policies: [],
  fields: [field('id', { type: 'bigint', is_primary_key: true, is_nullable: false }), field('note', { type: 'date' }), field('by', { is_nullable: false })],
};
const csv: Reading = { format: 'csv', delimiter: ',', hasHeader: true, nullText: '' };
const ndjson: Reading = { ...csv, format: 'ndjson' };

describe('a new collection', () => {
  const plan = planNew('notes_2', file);

  it('begins as the file looks, closed to all but the service key', () => {
    expect(toNewCollection(plan)).toEqual({
      schema: 'public', name: 'notes_2', access: 'service',
      fields: [
        { name: 'id', type: 'bigint', is_nullable: false, is_primary_key: true },
        { name: 'note', type: 'text', is_nullable: true, is_primary_key: false },
      ],
    });
    expect(newPlanProblems(plan, [notes])).toEqual([]);
  });

  it.each([
    [{ name: 'notes' }, /“notes” already/],
    [{ name: '' }, /A name is needed/],
    [{ fields: [{ name: 'a', type: 'text', isKey: false }, { name: 'a', type: 'text', isKey: false }] }, /Two fields are called “a”/],
    [{ fields: [{ name: '1', type: 'text', isKey: false }] }, /Field 1: .*begins/],
  ])('%j is refused in words', (change, words) => expect(newPlanProblems({ ...plan, ...change }, [notes])).toEqual([expect.stringMatching(words)]));
});

describe('an existing collection', () => {
  it('is filled by name; of JSON by the exact name only', () => {
    expect(planTargets(file, csv, notes)).toEqual(['id', 'note']);
    expect(planTargets(file, ndjson, notes)).toEqual(['id', 'note']);
    expect(planTargets({ ...file, columns: [column('ID', 'ID', 'bigint')] }, ndjson, notes)).toEqual([null]);
  });

  it('wants what has no default, and warns of what will not convert', () => {
    const { stops, warnings } = targetProblems(['id', 'note'], file, csv, notes);
    expect(stops).toEqual([expect.stringMatching(/^“by” must have a value and has no default/)]);
    expect(warnings).toEqual([expect.stringMatching(/“Note” looks like text, and “note” is date/)]);
  });

  it('takes every column of a delimited file, and of JSON those that are wanted', () => {
    expect(targetProblems(['id', null], file, csv, notes).stops[0]).toMatch(/“Note” goes nowhere/);
    expect(targetProblems(['id', null], file, ndjson, { ...notes, fields: notes.fields.slice(0, 2) }).stops).toEqual([]);
    expect(targetProblems([null, null], file, ndjson, notes).stops[0]).toMatch(/No column of the file goes into “notes”/);
    expect(targetProblems(['id', 'id'], file, csv, notes).stops[0]).toMatch(/Two columns go into “id”/);
  });

  it('can replace rows when the file gives the whole key', () => {
    expect(conflictKey(['id'], notes)).toEqual(['id']);
    expect(conflictKey(['note'], notes)).toEqual([]);
  });
});
