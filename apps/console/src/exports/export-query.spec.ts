import type { Field } from '../contracts.ts';
import { type ExportWish, exportQuery, queryInWords } from './export-query.ts';

const field = (name: string): Field => ({ name, type: 'text', is_nullable: true, default: null, is_primary_key: false, is_generated: false, references: null });
const fields = [field('id'), field('name'), field('order')];
const all: ExportWish = { format: 'csv', without: [], filters: [], order: null, isGzip: false, isSpreadsheetSafe: false };

describe('what an export asks for', () => {
  it.each([
    ['all of it', {}, 'format=csv'],
    ['some fields', { without: ['name'] }, 'format=csv&select=id%2C%22order%22'],
    ['some rows', { filters: [{ field: 'name', operator: 'eq', value: 'a b' }, { field: 'id', operator: 'gt', value: '5' }] }, 'format=csv&name=eq.a+b&id=gt.5'],
    ['an order', { order: { field: 'order', isDescending: true } }, 'format=csv&order=%22order%22.desc'],
    ['packed and safe', { isGzip: true, isSpreadsheetSafe: true }, 'format=csv&gzip=true&spreadsheet_safe=true'],
    ['no option that the format has not', { format: 'xlsx', isGzip: true, isSpreadsheetSafe: true }, 'format=xlsx'],
  ])('%s', (_what, wish, query) => {
    expect(exportQuery({ ...all, ...wish } as ExportWish, fields)).toBe(query);
  });

  it('is told in words', () => {
    expect(queryInWords('')).toBe('all rows');
    expect(queryInWords('status=eq.paid&select=id%2Ctotal')).toBe('status=eq.paid, only id,total');
  });
});
