import fc from 'fast-check';
import { parse } from 'csv-parse/sync';
import { RecordCutter, Records, RowTooLong, type Piece, type RecordRules } from './cut-records.ts';

const csv: RecordRules = { format: 'csv', ending: 'lf', skipsBlank: true, maxRowBytes: 1024 };
const ndjson: RecordRules = { ...csv, format: 'ndjson' };

/** Cuts a text that arrives in chunks of the given size. */
function cut(text: string, rules: RecordRules, pieceBytes: number, chunkBytes: number): Piece[] {
  const bytes = Buffer.from(text);
  const cutter = new RecordCutter(rules, pieceBytes);
  const pieces: Piece[] = [];
  const keep = (piece: Piece) => pieces.push({ ...piece, bytes: Buffer.from(piece.bytes) });
  for (let i = 0; i < bytes.length; i += chunkBytes) for (const piece of cutter.push(bytes.subarray(i, i + chunkBytes))) keep(piece);
  const last = cutter.end();
  if (last !== null) keep(last);
  return pieces;
}

function recordsOf(pieces: readonly Piece[], rules: RecordRules): { text: string; line: number }[] {
  return pieces.flatMap(({ bytes, firstLine }) => {
    const records = new Records(bytes, rules, firstLine);
    return Array.from({ length: records.length }, (_, i) => ({ text: Buffer.from(records.at(i)).toString(), line: records.lineOf(i) }));
  });
}

describe('the record cutter', () => {
  it('keeps every byte, whatever the size of chunks and pieces', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'é', '"', ',', '\n', '\r\n', '\r', ';'), maxLength: 200 });
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 40 }), (value, pieceBytes, chunkBytes) => {
        const pieces = cut(value, csv, pieceBytes, chunkBytes);
        expect(Buffer.concat(pieces.map(({ bytes }) => bytes)).toString()).toBe(value);
      }),
    );
  });

  it('gives the same records, lines and counts, whatever the size of chunks and pieces', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'é', '"', ',', '\n', '\r\n', '\n\n'), maxLength: 200 });
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 40 }), (value, pieceBytes, chunkBytes) => {
        const whole = recordsOf(cut(value, csv, 1e6, 1e6), csv);
        const pieces = cut(value, csv, pieceBytes, chunkBytes);
        expect(recordsOf(pieces, csv)).toEqual(whole);
        expect(pieces.reduce((rows, piece) => rows + piece.rows, 0)).toBe(whole.length);
      }),
    );
  });

  it('finds the records that csv-parse finds', () => {
    const field = fc.string({ unit: fc.constantFrom('a', 'ü', '"', ',', '\n', '\r\n', ' '), maxLength: 8 });
    const rows = fc.array(fc.array(field, { minLength: 2, maxLength: 2 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(rows, fc.constantFrom('\n', '\r\n'), (values, eol) => {
        const text = values.map((row) => row.map((value) => `"${value.replaceAll('"', '""')}"`).join(',') + eol).join('');
        const found = recordsOf(cut(text, csv, 16, 7), csv);
        expect(found.map((record) => parse(record.text)[0])).toEqual(values);
        const breaksIn = (row: string[]) => 1 + count(row.join(''), '\n');
        const lines = values.map((_, i) => 1 + values.slice(0, i).reduce((line, row) => line + breaksIn(row), 0));
        expect(found.map((record) => record.line)).toEqual(lines);
      }),
    );
  });

  it.each([
    ['one kind of ending is plain', 'a,b\n1,2\n', [true]],
    ['CR LF is plain too', 'a,b\r\n1,2\r\n', [true]],
    ['a last line without an ending is plain', 'a,b\n1,2', [true]],
    ['mixed endings are not', 'a,b\r\n1,2\n', [false]],
    ['an empty line is not', 'a,b\n\n1,2\n', [false]],
  ])('%s', (_, text, plain) => {
    expect(cut(text, csv, 1e6, 3).map(({ isPlain }) => isPlain)).toEqual(plain);
  });

  it('counts an empty line only where a row can be empty', () => {
    expect(cut('1\n\n2\n', csv, 1e6, 2)).toMatchObject([{ rows: 2 }]);
    expect(cut('1\n\n2\n', { ...csv, skipsBlank: false }, 1e6, 2)).toMatchObject([{ rows: 3, isPlain: true }]);
  });

  it('knows CR alone as the ending of old files', () => {
    const rules = { ...csv, ending: 'cr' } as const;
    expect(recordsOf(cut('1,2\r3,4\r', rules, 1, 2), rules)).toEqual([{ text: '1,2', line: 1 }, { text: '3,4', line: 2 }]);
  });

  it('ends a line of JSON at each line feed, quotes or not', () => {
    expect(recordsOf(cut('{"a":"\\""}\n\r\n{"a":1}\r\n', ndjson, 1, 1), ndjson)).toEqual([{ text: '{"a":"\\""}', line: 1 }, { text: '{"a":1}', line: 3 }]);
  });

  it('refuses a line without end before it has taken much more than a row', () => {
    const cutter = new RecordCutter(csv, 1024);
    const push = (bytes: number) => [...cutter.push(Buffer.alloc(bytes, 'x'))];
    push(1000);
    expect(() => push(25)).toThrow(new RowTooLong(1, false));
  });

  it('says where a quote was opened that nobody closed', () => {
    const text = `1,2\n3,"4\n${'5,6\n'.repeat(300)}`;
    expect(() => cut(text, csv, 100, 50)).toThrow(expect.objectContaining({ line: 2, isQuoted: true }));
  });
});

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}
