import { parseImportOptions } from './import-options.ts';
import { readHead, type Head } from './read-head.ts';

/** Reads a file's head, given in chunks of `chunkBytes`. */
async function head(file: string | Uint8Array, query = '', contentType = 'text/csv', chunkBytes = 3): Promise<Head> {
  const bytes = Buffer.from(file as string);
  const chunks = (async function* () {
    for (let i = 0; i < bytes.length; i += chunkBytes) yield bytes.subarray(i, i + chunkBytes);
  })();
  return readHead(chunks, parseImportOptions(new URLSearchParams(query), { contentType, contentEncoding: undefined }), 4096);
}

const json = 'application/x-ndjson';

describe('the head of a file', () => {
  it.each([
    ['id,name\n1,a\n', '', ['id', 'name'], 'lf', 2],
    ['id,name\r\n1,a\r\n', '', ['id', 'name'], 'lf', 2],
    ['id,name\r1,a\r', '', ['id', 'name'], 'cr', 2],
    ['\ufeffid,name\n1,a\n', '', ['id', 'name'], 'lf', 2],
    ['"a ""b"", c","x\ny"\n1,2\n', '', ['a "b", c', 'x\ny'], 'lf', 3],
    ['id;name\n1;a\n', 'delimiter=%3B', ['id', 'name'], 'lf', 2],
    ['id,name', '', ['id', 'name'], 'lf', 2],
    [',a,a\n0,1,2\n', 'columns=id,first,second', ['', 'a', 'a'], 'lf', 2],
    ['__proto__,constructor\n1,2\n', '', ['__proto__', 'constructor'], 'lf', 2],
    ['1,a\n2,b\n', 'header=false', null, 'lf', 1],
    ['\ufeff1,a\n', 'header=false', null, 'lf', 1],
  ])('%j %s', async (file, query, names, ending, firstLine) => {
    for (const chunkBytes of [1, 3, 1000]) expect(await head(file, query, 'text/csv', chunkBytes)).toMatchObject({ names, ending, firstLine });
  });

  it.each([
    ['{"id":1,"name":"a"}\n{"id":2}\n', '', ['id', 'name'], 1],
    ['\n\r\n{"id":1}\n', '', ['id'], 3],
    ['{"__proto__":1}', '', ['__proto__'], 1],
    ['not json\n', 'columns=id', null, 1],
  ])('%j %s', async (file, query, names, firstLine) => {
    expect(await head(file, query, json)).toMatchObject({ names, ending: 'lf', firstLine });
  });

  it('leaves the rows to be read on, without the mark of UTF-8', async () => {
    const rest = async (...sent: Parameters<typeof head>) => Buffer.from((await head(...sent)).rest).toString();
    expect(await rest('id\n1\n', '', 'text/csv', 1000)).toBe('1\n');
    expect(await rest('\ufeff1\n', 'header=false', 'text/csv', 1000)).toBe('1\n');
    expect(await rest('\ufeff\n{"a":1}\n', '', json, 1000)).toBe('{"a":1}\n');
  });

  it.each([
    ['nothing', '', '', 'file_is_empty', 'The file is empty'],
    ['only empty lines of JSON', '\n\n', json, 'file_is_empty', 'The file is empty'],
    ['an empty first line', '\nid\n', 'text/csv', 'header_not_readable', 'The first line is empty'],
    ['UTF-16 with its mark', Buffer.from('\ufeffid,name\n', 'utf16le'), 'text/csv', 'encoding_not_utf8', 'The file is UTF-16, not UTF-8'],
    ['UTF-16 without', Buffer.from('id,name\n', 'utf16le'), 'text/csv', 'encoding_not_utf8', 'The file looks like UTF-16, not UTF-8'],
    ['a NUL', 'id,na\0me of the second column\n', 'text/csv', 'encoding_not_utf8', 'The first line has a NUL at byte 6'],
    ['Latin-1', Buffer.from('id,straße\n', 'latin1'), 'text/csv', 'encoding_not_utf8', 'The first line is not valid UTF-8'],
    ['gzip that does not say so', Buffer.from([0x1f, 0x8b, 8, 0, 10]), 'text/csv', 'content_type_unknown', 'The body is gzip, but its headers do not say so'],
    ['an Excel workbook', 'PK\u0003\u0004\u0014\0\u0006', 'text/csv', 'content_type_unknown', 'The body is a ZIP archive or an Excel workbook, not text'],
    ['an old Excel workbook', Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1]), 'text/csv', 'content_type_unknown', 'The body is an old Excel workbook, not text'],
    ['a name twice', 'id,id\n', 'text/csv', 'column_repeated', 'The header names "id" twice'],
    ['a column without a name', 'id,,x\n', 'text/csv', 'header_not_readable', 'Column 2 of the header has no name'],
    ['a stray quote', 'id,5" x\n1,2"\n', 'text/csv', 'header_not_readable', 'The header cannot be read'],
    ['no end', 'x'.repeat(5000), 'text/csv', 'row_too_long', 'The first line is longer than 4096 bytes'],
    ['a list', '[1]\n', json, 'header_not_readable', 'Line 1 is no JSON object'],
    ['no JSON', 'id,name\n', json, 'header_not_readable', 'Line 1 is not valid JSON'],
    ['no keys', '{}\n', json, 'header_not_readable', 'The object on line 1 has no keys'],
  ])('with %s is refused', async (_, file, type, code, message) => {
    await expect(head(file, '', type || 'text/csv')).rejects.toMatchObject({ code, message });
  });

  it('with a million columns is refused by count, before they become names', async () => {
    const bytes = Buffer.from(`${'a,'.repeat(999_999)}a\n`);
    const options = parseImportOptions(new URLSearchParams(), { contentType: 'text/csv', contentEncoding: undefined });
    const chunks = (async function* () { yield bytes; })();
    await expect(readHead(chunks, options, 4e6)).rejects.toMatchObject({ code: 'too_many_columns', message: 'The file has 1000000 columns; a collection has at most 1600' });
  });
});
