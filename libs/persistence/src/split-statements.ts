/** One statement of an SQL file. */
export interface FileStatement {
  /** Its text as it is sent and recorded: from the statement before to its semicolon, so comments above it come with it. */
  readonly text: string;
  /** Where `text` begins in the file, counted in UTF-16 units as strings are. */
  readonly offset: number;
  /** Where its first word stands in the file, below the comments. */
  readonly begins: number;
  readonly kind: StatementKind;
}

/** What running a file must know of a statement. */
export type StatementKind =
  | { readonly kind: 'plain' }
  /** BEGIN, COMMIT and their like; afterwards a transaction is open, or not. */
  | { readonly kind: 'transaction'; readonly opens: boolean }
  /** PostgreSQL refuses it in a transaction: CREATE INDEX CONCURRENTLY, VACUUM, … */
  | { readonly kind: 'alone' }
  | { readonly kind: 'create extension'; readonly extension: string; readonly schema: string | null }
  | { readonly kind: 'comment on extension'; readonly extension: string }
  | { readonly kind: 'create role'; readonly role: string }
  /** An index of pgvector's kinds that has options, and where they stand in `text`: from WITH to the bracket that closes them. */
  | { readonly kind: 'vector index'; readonly isAlone: boolean; readonly options: readonly [number, number] }
  /** Its rows would have to come over the connection. */
  | { readonly kind: 'copy from stdin' }
  /** A whole file, because the parser does not know the language of it: PostgreSQL itself has to say what is wrong. */
  | { readonly kind: 'unparsed' };

/** Above this the parse tree would take gigabytes; such a file is data, and goes as one piece. */
const maxParsedBytes = 4 * 1024 ** 2;

/**
 * The statements of an SQL file, found by PostgreSQL's own parser, so that no quote, dollar quote or BEGIN ATOMIC misleads it.
 * A file that it refuses comes back as one piece.
 */
export async function splitStatements(sql: string): Promise<FileStatement[]> {
  const bytes = Buffer.from(sql);
  // The parser calls a file without a letter a mistake, and one of comments none.
  if (sql.trim() === '') return [];
  if (bytes.length > maxParsedBytes) return whole(sql);
  // A megabyte of WebAssembly, for those who split something.
  const { hasSqlDetails, loadModule, parseSync } = await import('libpg-query');
  await loadModule();
  let parsed: Parsed[];
  try {
    parsed = (parseSync(sql).stmts ?? []) as Parsed[];
  } catch (error) {
    if (!hasSqlDetails(error)) throw error;
    return whole(sql);
  }
  return cut(bytes, parsed);
}

interface Parsed {
  readonly stmt: Readonly<Record<string, unknown>>;
  readonly stmt_location?: number;
  /** Left out for a last statement without a semicolon. */
  readonly stmt_len?: number;
}

function whole(sql: string): FileStatement[] {
  return [{ text: sql, offset: 0, begins: /^\s*/.exec(sql)![0].length, kind: { kind: 'unparsed' } }];
}

/** The parser counts bytes, and begins a statement at its first word. */
function cut(bytes: Buffer, parsed: readonly Parsed[]): FileStatement[] {
  let from = 0;
  let offset = 0;
  return parsed.map(({ stmt, stmt_location = 0, stmt_len }) => {
    const to = stmt_len === undefined ? bytes.length : stmt_location + stmt_len;
    const piece = bytes.toString('utf8', from, to);
    const lead = /^[\s;]*/.exec(piece)![0].length;
    const begins = offset + bytes.toString('utf8', from, Math.max(from, stmt_location)).length;
    const text = piece.slice(lead).trimEnd();
    const statement = { text, offset: offset + lead, begins, kind: kindOf(stmt, { text, bytesBefore: from + Buffer.byteLength(piece.slice(0, lead)) }) };
    from = to + 1;
    offset += piece.length + 1;
    return statement;
  });
}

function kindOf(stmt: Parsed['stmt'], piece: { readonly text: string; readonly bytesBefore: number }): StatementKind {
  const [name, node] = Object.entries(stmt)[0] as [string, Node];
  switch (name) {
    case 'TransactionStmt':
      return transactionKind(String(node['kind']));
    case 'IndexStmt':
      return indexKind(node, piece);
    case 'DropStmt':
      return node['concurrent'] === true ? { kind: 'alone' } : { kind: 'plain' };
    case 'ReindexStmt':
      return node.params?.some(({ DefElem }) => DefElem.defname === 'concurrently') ? { kind: 'alone' } : { kind: 'plain' };
    case 'VacuumStmt':
    case 'ClusterStmt':
    case 'AlterSystemStmt':
    case 'CreatedbStmt':
    case 'DropdbStmt':
      return { kind: 'alone' };
    case 'CreateExtensionStmt':
      return { kind: 'create extension', extension: String(node['extname']), schema: node.options?.find(({ DefElem }) => DefElem.defname === 'schema')?.DefElem.arg?.String?.sval ?? null };
    case 'CommentStmt':
      return node['objtype'] === 'OBJECT_EXTENSION' ? { kind: 'comment on extension', extension: node.object!.String!.sval } : { kind: 'plain' };
    case 'CopyStmt':
      return node['is_from'] === true && node['filename'] === undefined && node['is_program'] !== true ? { kind: 'copy from stdin' } : { kind: 'plain' };
    case 'CreateRoleStmt':
      return { kind: 'create role', role: String(node['role']) };
    default:
      return { kind: 'plain' };
  }
}

/** The options are found by the parser's place of the first: it stands behind a bracket, and that behind WITH. */
function indexKind(node: Node, { text, bytesBefore }: { readonly text: string; readonly bytesBefore: number }): StatementKind {
  const isAlone = node['concurrent'] === true;
  const first = node.options?.[0]?.DefElem.location;
  if (!['hnsw', 'ivfflat'].includes(String(node['accessMethod'])) || first === undefined) return isAlone ? { kind: 'alone' } : { kind: 'plain' };
  const at = Buffer.from(text).subarray(0, first - bytesBefore).toString().length;
  const from = /with\s*\(\s*$/i.exec(text.slice(0, at))?.index;
  const to = text.indexOf(')', at);
  return from === undefined || to === -1 ? { kind: 'plain' } : { kind: 'vector index', isAlone, options: [from, to + 1] };
}

/** Savepoints live inside a transaction and change nothing about it. */
function transactionKind(kind: string): StatementKind {
  if (/SAVEPOINT|RELEASE|ROLLBACK_TO/.test(kind)) return { kind: 'plain' };
  return { kind: 'transaction', opens: kind === 'TRANS_STMT_BEGIN' || kind === 'TRANS_STMT_START' };
}

/** The few corners of a parse tree that are looked into. */
interface Node {
  readonly [field: string]: unknown;
  readonly params?: readonly Option[];
  readonly options?: readonly Option[];
  readonly object?: { readonly String?: { readonly sval: string } };
}

interface Option {
  readonly DefElem: { readonly defname: string; readonly location?: number; readonly arg?: { readonly String?: { readonly sval: string } } };
}
