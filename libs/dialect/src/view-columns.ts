/** Where a column of a view comes from. */
export interface ViewColumn {
  /** Its number in the view. */
  readonly number: number;
  readonly sourceRelation: number;
  readonly sourceColumn: number;
}

/**
 * Reads from the rule of a view (`pg_rewrite.ev_action`) which of its columns show a column of another relation as it is.
 * PostgreSQL keeps this in the target list of the outermost query and tells it nowhere else. The text is a tree of nodes
 * `{NAME :field value …}` and lists `( … )`, in which a backslash takes the next character literally.
 */
export function readViewColumns(rule: string): ViewColumn[] {
  const list = outerTargetList(rule);
  return list === null ? [] : entriesOf(list).flatMap(readEntry);
}

/** The text of the target list that belongs to the query at depth one, not to a subquery. */
function outerTargetList(rule: string): string | null {
  const marker = ':targetList (';
  for (const { at, depth } of places(rule)) {
    // `({QUERY` : the list of queries and the query itself make a depth of two.
    if (depth === 2 && rule.startsWith(marker, at)) return bracketed(rule, at + marker.length - 1);
  }
  return null;
}

/** Every unescaped `:` with the number of brackets open there. */
function* places(rule: string): Generator<{ at: number; depth: number }> {
  let depth = 0;
  for (const match of rule.matchAll(/\\[^]|[{}():]/g)) {
    const sign = match[0];
    if (sign === '{' || sign === '(') depth += 1;
    else if (sign === '}' || sign === ')') depth -= 1;
    else if (sign === ':') yield { at: match.index, depth };
  }
}

/** What stands between the bracket at `start` and its partner. */
function bracketed(text: string, start: number): string | null {
  let depth = 0;
  const signs = /\\[^]|[{}()]/g;
  signs.lastIndex = start;
  for (let match = signs.exec(text); match !== null; match = signs.exec(text)) {
    const sign = match[0];
    if (sign === '{' || sign === '(') depth += 1;
    else if (sign === '}' || sign === ')') depth -= 1;
    if (depth === 0) return text.slice(start + 1, match.index);
  }
  return null;
}

/** The nodes of a list, each without what is nested in it. */
function entriesOf(list: string): string[] {
  const entries: string[] = [];
  let depth = 0;
  let own = '';
  let last = 0;
  for (const match of list.matchAll(/\\[^]|[{}()]/g)) {
    const sign = match[0];
    if (sign.startsWith('\\')) continue;
    if (depth === 1) own += list.slice(last, match.index);
    depth += sign === '{' || sign === '(' ? 1 : -1;
    last = match.index + 1;
    if (depth === 0) {
      entries.push(own);
      own = '';
    }
  }
  return entries;
}

function readEntry(entry: string): ViewColumn[] {
  const number = (field: string): number => Number(new RegExp(` :${field} (\\d+)`).exec(entry)?.[1] ?? 0);
  const sourceRelation = number('resorigtbl');
  const isJunk = / :resjunk true/.test(entry);
  return sourceRelation === 0 || isJunk ? [] : [{ number: number('resno'), sourceRelation, sourceColumn: number('resorigcol') }];
}
