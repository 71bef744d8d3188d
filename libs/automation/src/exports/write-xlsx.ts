import type { ResultColumn, Transaction } from '@mainstay/persistence';
import { kindOf, microsOf, type ValueKind } from './column-types.ts';
import { exportFault } from './export-faults.ts';
import type { FilePiece } from './packed.ts';
import { rowPages } from './row-pages.ts';
import { Zip } from './zip.ts';

/** Excel's own limits. */
export const sheetLimits = { rows: 1_048_576, cellLength: 32_767 } as const;

type Page = readonly (readonly (string | null)[])[];

/**
 * Gives the rows of a query as a workbook (ECMA-376), written as the rows come. Texts stand in their cells and in no table of
 * their own, so nothing has to be remembered, and no text can be a formula. What does not fit on one sheet goes on on the next.
 */
export async function* writeXlsx(tx: Transaction, query: string, rowsPerSheet: number = sheetLimits.rows): AsyncGenerator<FilePiece, void, undefined> {
  const columns = await tx.columnsOf(query);
  const zip = new Zip();
  const pages = new PageReader(rowPages(tx, query));
  let sheets = 0;
  try {
    do {
      sheets += 1;
      yield* zip.member(`xl/worksheets/sheet${sheets}.xml`, sheet(columns, pages, rowsPerSheet));
    } while (await pages.hasMore());
    for (const [name, text] of framework(sheets)) yield* zip.member(name, once(text));
    yield zip.end();
  } finally {
    await pages.close();
  }
}

/** Pages of rows, of which a sheet may leave a part to the next. */
class PageReader {
  private rest: Page = [];
  /** How many rows were given. */
  rowsRead = 0;

  constructor(private readonly pages: AsyncGenerator<Page, void, undefined>) {}

  async hasMore(): Promise<boolean> {
    if (this.rest.length > 0) return true;
    const next = await this.pages.next();
    if (next.done === true) return false;
    this.rest = next.value;
    return true;
  }

  /** At most so many rows; none after the last. */
  async take(most: number): Promise<Page> {
    if (!(await this.hasMore())) return [];
    const page = this.rest.slice(0, most);
    this.rest = this.rest.slice(most);
    this.rowsRead += page.length;
    return page;
  }

  async close(): Promise<void> {
    await this.pages.return();
  }
}

async function* once(text: string): AsyncGenerator<FilePiece> {
  yield { bytes: Buffer.from(text), rows: 0 };
}

const xml = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const main = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
const relations = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
const packaged = 'http://schemas.openxmlformats.org/package/2006';

async function* sheet(columns: readonly ResultColumn[], pages: PageReader, rowsPerSheet: number): AsyncGenerator<FilePiece, void, undefined> {
  const cells = columns.map((column, i) => cellWriter(kindOf(column.type), nameOfColumn(i)));
  const head = columns.map(({ name }, i) => textCell(`${nameOfColumn(i)}1`, name, styles.head)).join('');
  yield {
    bytes: Buffer.from(
      `${xml}<worksheet xmlns="${main}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>` +
        `<sheetData><row r="1">${head}</row>`,
    ),
    rows: 0,
  };
  for (let line = 2; line <= rowsPerSheet; ) {
    const before = pages.rowsRead;
    const page = await pages.take(rowsPerSheet - line + 1);
    if (page.length === 0) break;
    let text = '';
    for (const [i, row] of page.entries()) {
      text += `<row r="${line}">`;
      for (let c = 0; c < cells.length; c += 1) {
        const value = row[c];
        if (value === null || value === undefined) continue;
        if (value.length > sheetLimits.cellLength) throw tooLong(before + i + 1, columns[c]!.name, value.length);
        text += cells[c]!(value, line);
      }
      text += '</row>';
      line += 1;
    }
    yield { bytes: Buffer.from(text), rows: page.length };
  }
  yield { bytes: Buffer.from('</sheetData></worksheet>'), rows: 0 };
}

function tooLong(row: number, column: string, length: number): Error {
  return exportFault('value_not_expressible', {
    message: `"${column}" of row ${row} has ${length} characters; a cell of a spreadsheet holds ${sheetLimits.cellLength}`,
    hint: 'Leave the column out with select=…, or choose csv, ndjson or parquet.',
  });
}

/** Places in `cellXfs`. */
const styles = { date: 1, moment: 2, head: 3 } as const;

type CellWriter = (value: string, line: number) => string;

/** How the values of a column become cells. What has no place among Excel's numbers and dates is the text that it is. */
function cellWriter(kind: ValueKind, column: string): CellWriter {
  const text: CellWriter = (value, line) => textCell(`${column}${line}`, value);
  switch (kind) {
    case 'integer':
      return (value, line) => `<c r="${column}${line}"><v>${value}</v></c>`;
    case 'bigint':
    case 'numeric':
      return (value, line) => (isExact(value) ? `<c r="${column}${line}"><v>${value}</v></c>` : text(value, line));
    case 'float':
    case 'double':
      return (value, line) => (Number.isFinite(Number(value)) ? `<c r="${column}${line}"><v>${value}</v></c>` : text(value, line));
    case 'boolean':
      return (value, line) => `<c r="${column}${line}" t="b"><v>${value === 't' ? 1 : 0}</v></c>`;
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return (value, line) => {
        const serial = serialOf(value);
        return serial === null ? text(value, line) : `<c r="${column}${line}" s="${kind === 'date' ? styles.date : styles.moment}"><v>${serial}</v></c>`;
      };
    case 'text':
    case 'json':
    case 'uuid':
    case 'bytea':
    case 'other':
      return text;
  }
}

/** Excel calculates with doubles and shows 15 digits: a number with more would be another one. */
function isExact(value: string): boolean {
  return /^-?\d+(\.\d+)?$/.test(value) && value.replace(/^-?0*\.?0*|\./g, '').length <= 15;
}

/** Excel counts days from 1899-12-30, and has a 1900-02-29 that never was; before it, and after 9999, there are no dates. */
function serialOf(value: string): number | null {
  const micros = microsOf(value);
  if (typeof micros === 'string') return null;
  const serial = Number(micros / 1000n) / 86_400_000 + 25_569;
  return serial >= 61 && serial < 2_958_466 ? serial : null;
}

function textCell(at: string, value: string, style?: number): string {
  return `<c r="${at}"${style === undefined ? '' : ` s="${style}"`} t="inlineStr"><is><t xml:space="preserve">${escaped(value)}</t></is></c>`;
}

const special = /[&<>]|[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)/g;

/** What XML cannot hold, or would change (a carriage return), stands as `_x000D_`; and what looks like that is escaped itself (ECMA-376, 22.9.2.19). */
function escaped(value: string): string {
  return value.replace(special, (sign) => {
    if (sign === '&') return '&amp;';
    if (sign === '<') return '&lt;';
    if (sign === '>') return '&gt;';
    return `_x${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}_`;
  });
}

/** A, B, … Z, AA, AB, … */
function nameOfColumn(index: number): string {
  const letter = String.fromCharCode(65 + (index % 26));
  return index < 26 ? letter : nameOfColumn(Math.floor(index / 26) - 1) + letter;
}

/** The other parts of a workbook. */
function framework(sheets: number): readonly (readonly [string, string])[] {
  const each = (write: (number: number) => string): string => Array.from({ length: sheets }, (_, i) => write(i + 1)).join('');
  const office = 'application/vnd.openxmlformats-officedocument.spreadsheetml';
  return [
    [
      '[Content_Types].xml',
      `${xml}<Types xmlns="${packaged}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>` +
        `<Override PartName="/xl/workbook.xml" ContentType="${office}.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="${office}.styles+xml"/>` +
        `${each((n) => `<Override PartName="/xl/worksheets/sheet${n}.xml" ContentType="${office}.worksheet+xml"/>`)}</Types>`,
    ],
    ['_rels/.rels', `${xml}<Relationships xmlns="${packaged}/relationships"><Relationship Id="rId1" Type="${relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>`],
    ['xl/workbook.xml', `${xml}<workbook xmlns="${main}" xmlns:r="${relations}"><sheets>${each((n) => `<sheet name="${n === 1 ? 'Rows' : `Rows ${n}`}" sheetId="${n}" r:id="rId${n}"/>`)}</sheets></workbook>`],
    [
      'xl/_rels/workbook.xml.rels',
      `${xml}<Relationships xmlns="${packaged}/relationships">${each((n) => `<Relationship Id="rId${n}" Type="${relations}/worksheet" Target="worksheets/sheet${n}.xml"/>`)}` +
        `<Relationship Id="rId${sheets + 1}" Type="${relations}/styles" Target="styles.xml"/></Relationships>`,
    ],
    [
      'xl/styles.xml',
      `${xml}<styleSheet xmlns="${main}"><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/><numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss.000"/></numFmts>` +
        '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>' +
        '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border/></borders>' +
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>' +
        '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>' +
        '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs></styleSheet>',
    ],
  ];
}
