import type { Field } from '../contracts.ts';
import { bodyOf, draftOf, emptyDraft, emptyTable, missingIn } from './endpoint-draft.ts';

const field = (name: string): Field => ({ name, type: 'text', is_nullable: true, default: null, is_primary_key: false, is_generated: false, references: null });
const fieldsOf = (): readonly Field[] => ['id', 'status', 'note'].map(field);
const table = { ...emptyTable(1), collection: 'public.orders' };

describe('what is filled in about an endpoint', () => {
  it('becomes the body of the request', () => {
    const draft = { url: ' https://example.com/hook ', description: '', rate: ' 50 ', tables: [{ ...table, operations: ['update', 'insert'], filters: [{ field: 'status', operator: 'eq' as const, value: 'paid & sent' }], without: ['note'] }, emptyTable(2)], types: ['job.dead'] };
    expect(bodyOf(draft, fieldsOf)).toEqual({
      url: 'https://example.com/hook',
      description: null,
      rate: 50,
      events: [{ schema: 'public', table: 'orders', operations: ['insert', 'update'], filter: 'status=eq.paid+%26+sent', columns: ['id', 'status'] }, { type: 'job.dead' }],
    });
  });

  it('comes back as it was', () => {
    const events = [{ schema: 'public', table: 'orders', operations: ['insert'], filter: 'or=(a.eq.1,b.is.null)', columns: ['id'], broken: null, trouble: null }, { type: 'user.*' }];
    const draft = draftOf({ url: 'https://example.com', description: 'Shop', rate: null, events } as never);
    expect(bodyOf(draft, fieldsOf)).toEqual({ url: 'https://example.com', description: 'Shop', rate: null, events: [{ schema: 'public', table: 'orders', operations: ['insert'], filter: 'or=(a.eq.1,b.is.null)', columns: ['id'] }, { type: 'user.*' }] });
  });

  it.each([
    [emptyDraft, 'Say where events are to be sent.'],
    [{ ...emptyDraft, url: 'example.com' }, 'The address must begin with https:// or http://.'],
    [{ ...emptyDraft, url: 'https://example.com' }, 'Choose a collection, or something else that it shall be told of.'],
    [{ ...emptyDraft, url: 'https://example.com', tables: [{ ...table, operations: [] }] }, 'Choose what happens in public.orders: an insert, an update or a delete.'],
    [{ ...emptyDraft, url: 'https://example.com', tables: [table], rate: 'fast' }, 'The most deliveries a second must be a whole number from 1 to 100000, or nothing.'],
    [{ ...emptyDraft, url: 'https://example.com', tables: [table], rate: '100000' }, null],
    [{ ...emptyDraft, url: 'https://example.com', tables: [], types: ['job.dead'] }, null],
  ])('%j', (draft, missing) => expect(missingIn(draft)).toBe(missing));
});
