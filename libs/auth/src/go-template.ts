/**
 * Templates of mails as GoTrue's users have written them, in the language of Go: `{{ .Token }}`, `{{ .Data.name }}`,
 * `{{ index .Data "name" }}`, `{{ if … }} {{ else if … }} {{ else }} {{ end }}`, `{{ with … }}`, `{{ range … }}`, and `eq ne and or not len` in them.
 * Values are escaped for HTML; an address of another kind than the web's or mail's never becomes a link.
 */
export type TemplateValues = Readonly<Record<string, unknown>>;

/** What a template is escaped for. */
export type TemplateForm = 'html' | 'text';

export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly expression: Expression; readonly isLink: boolean }
  | { readonly kind: 'if' | 'with' | 'range'; readonly expression: Expression; readonly then: readonly Node[]; readonly otherwise: readonly Node[] };

type Expression =
  | { readonly kind: 'field'; readonly path: readonly string[]; readonly isFromRoot: boolean }
  | { readonly kind: 'constant'; readonly value: unknown }
  | { readonly kind: 'call'; readonly name: string; readonly arguments: readonly Expression[] };

export type Template = readonly Node[];

/** Longest text that a template may become: a loop over what a user brought must not fill the memory. */
const maxLength = 500_000;
const maxDepth = 20;

/** Reads a template. @throws TemplateError that says what is not understood */
export function parseTemplate(source: string): Template {
  const tokens = split(source);
  const nodes = readNodes(tokens, 0);
  if (tokens.length > 0) throw new TemplateError(`{{ ${tokens[0]!.text} }} has no beginning`);
  return nodes;
}

/** Fills a template in. What is not there is empty. */
export function fillTemplate(template: Template, values: TemplateValues, form: TemplateForm): string {
  const pieces: string[] = [];
  let length = 0;
  fill(template, values, values, (text) => {
    length += text.length;
    if (length > maxLength) throw new TemplateError(`the text is longer than ${maxLength} characters`);
    pieces.push(text);
  }, form);
  return pieces.join('');
}

interface Token {
  readonly kind: 'text' | 'action';
  readonly text: string;
}

/** `{{-` and `-}}` take the white space beside them away. */
function split(source: string): Token[] {
  const tokens: Token[] = [];
  let rest = source;
  while (rest !== '') {
    const action = /\{\{(- )?([\s\S]*?)( -)?\}\}/.exec(rest);
    if (action === null) {
      tokens.push({ kind: 'text', text: rest });
      break;
    }
    const before = rest.slice(0, action.index);
    tokens.push({ kind: 'text', text: action[1] === undefined ? before : before.trimEnd() });
    rest = rest.slice(action.index + action[0].length);
    if (action[3] !== undefined) rest = rest.trimStart();
    const text = action[2]!.trim();
    if (!/^\/\*[\s\S]*\*\/$/.test(text)) tokens.push({ kind: 'action', text });
  }
  return tokens.filter(({ kind, text }) => kind === 'action' || text !== '');
}

/** Takes tokens until the block ends; the ending token stays. */
function readNodes(tokens: Token[], depth: number, before = ''): Node[] {
  if (depth > maxDepth) throw new TemplateError(`blocks are nested deeper than ${maxDepth}`);
  const nodes: Node[] = [];
  let written = before;
  for (let token = tokens[0]; token !== undefined; token = tokens[0]) {
    if (token.kind === 'action' && /^(end|else)\b/.test(token.text)) return nodes;
    tokens.shift();
    if (token.kind === 'text') {
      nodes.push({ kind: 'text', text: token.text });
      written = token.text;
      continue;
    }
    const block = /^(if|with|range)\s+([\s\S]+)$/.exec(token.text);
    if (block !== null) nodes.push(readBlock(block[1] as 'if', block[2]!, tokens, depth, written));
    else nodes.push({ kind: 'value', expression: parseExpression(token.text), isLink: /\b(?:href|src|action|formaction)\s*=\s*["']?\s*$/i.test(written) });
    written = '';
  }
  return nodes;
}

function readBlock(kind: 'if' | 'with' | 'range', condition: string, tokens: Token[], depth: number, before: string): Node {
  const then = readNodes(tokens, depth + 1, before);
  const next = tokens.shift();
  if (next === undefined) throw new TemplateError(`{{ ${kind} ${condition} }} has no {{ end }}`);
  const expression = parseExpression(condition);
  if (next.text === 'end') return { kind, expression, then, otherwise: [] };
  const other = /^else\s+if\s+([\s\S]+)$/.exec(next.text);
  // The one {{ end }} closes both.
  if (other !== null) return { kind, expression, then, otherwise: [readBlock('if', other[1]!, tokens, depth + 1, before)] };
  if (next.text !== 'else') throw new TemplateError(`{{ ${next.text} }} is not understood`);
  const otherwise = readNodes(tokens, depth + 1, before);
  if (tokens.shift()?.text !== 'end') throw new TemplateError(`{{ ${kind} ${condition} }} has no {{ end }}`);
  return { kind, expression, then, otherwise };
}

const functions = new Set(['eq', 'ne', 'and', 'or', 'not', 'len', 'index', 'print', 'html', 'urlquery']);

function parseExpression(text: string): Expression {
  const words = [...text.matchAll(/"(?:[^"\\]|\\.)*"|`[^`]*`|[()|]|[^\s()|"`]+/g)].map(([word]) => word);
  const expression = readPipe(words, text);
  if (words.length > 0) throw new TemplateError(`{{ ${text} }} is not understood at "${words[0]}"`);
  return expression;
}

/** `a | f` is `f a`. */
function readPipe(words: string[], text: string): Expression {
  let expression = readCall(words, text);
  while (words[0] === '|') {
    words.shift();
    const call = readCall(words, text);
    if (call.kind !== 'call') throw new TemplateError(`{{ ${text} }}: what follows | must be a function`);
    expression = { ...call, arguments: [...call.arguments, expression] };
  }
  return expression;
}

function readCall(words: string[], text: string): Expression {
  const name = words[0];
  if (name === undefined || !functions.has(name)) return readOperand(words, text);
  words.shift();
  const operands: Expression[] = [];
  while (words.length > 0 && words[0] !== ')' && words[0] !== '|') operands.push(readOperand(words, text));
  return { kind: 'call', name, arguments: operands };
}

function readOperand(words: string[], text: string): Expression {
  const word = words.shift();
  if (word === '(') {
    const inside = readPipe(words, text);
    if (words.shift() !== ')') throw new TemplateError(`{{ ${text} }} has a ( without its )`);
    return inside;
  }
  if (word === undefined) throw new TemplateError(`{{ ${text} }} is empty`);
  if (/^\$?(\.|(\.\w+)+)$/.test(word) || word === '$') return { kind: 'field', path: word.replace(/^\$/, '').split('.').filter((name) => name !== ''), isFromRoot: word.startsWith('$') };
  if (word.startsWith('"')) return { kind: 'constant', value: unquoted(word, text) };
  if (word.startsWith('`')) return { kind: 'constant', value: word.slice(1, -1) };
  if (/^-?\d+(\.\d+)?$/.test(word)) return { kind: 'constant', value: Number(word) };
  const constants: Readonly<Record<string, unknown>> = { true: true, false: false, nil: null };
  if (Object.hasOwn(constants, word)) return { kind: 'constant', value: constants[word] };
  if (functions.has(word)) return { kind: 'call', name: word, arguments: [] };
  throw new TemplateError(`{{ ${text} }}: "${word}" is not known`);
}

function unquoted(word: string, text: string): string {
  try {
    return JSON.parse(word) as string;
  } catch (error) {
    throw new TemplateError(`{{ ${text} }}: ${word} is no text`, { cause: error });
  }
}

function fill(nodes: readonly Node[], dot: unknown, root: TemplateValues, write: (text: string) => void, form: TemplateForm): void {
  for (const node of nodes) {
    if (node.kind === 'text') write(node.text);
    else if (node.kind === 'value') write(escaped(textOf(evaluate(node.expression, dot, root)), node.isLink, form));
    else if (node.kind === 'range') fillEach(node, dot, root, write, form);
    else {
      const value = evaluate(node.expression, dot, root);
      const inner = node.kind === 'with' && isTrue(value) ? value : dot;
      fill(isTrue(value) ? node.then : node.otherwise, inner, root, write, form);
    }
  }
}

function fillEach(node: Extract<Node, { kind: 'if' | 'with' | 'range' }>, dot: unknown, root: TemplateValues, write: (text: string) => void, form: TemplateForm): void {
  const value = evaluate(node.expression, dot, root);
  const items = Array.isArray(value) ? value : typeof value === 'object' && value !== null ? Object.values(value) : [];
  if (items.length === 0) fill(node.otherwise, dot, root, write, form);
  for (const item of items) fill(node.then, item, root, write, form);
}

function evaluate(expression: Expression, dot: unknown, root: TemplateValues): unknown {
  if (expression.kind === 'constant') return expression.value;
  if (expression.kind === 'field') return expression.path.reduce(member, expression.isFromRoot ? root : dot);
  return call(expression.name, expression.arguments.map((argument) => evaluate(argument, dot, root)));
}

function call(name: string, values: readonly unknown[]): unknown {
  const [first, ...others] = values;
  if (name === 'eq') return others.some((other) => other === first);
  if (name === 'ne') return others[0] !== first;
  if (name === 'and') return values.find((value) => !isTrue(value)) ?? values.at(-1);
  if (name === 'or') return values.find(isTrue) ?? values.at(-1);
  if (name === 'not') return !isTrue(first);
  if (name === 'len') return typeof first === 'string' || Array.isArray(first) ? first.length : typeof first === 'object' && first !== null ? Object.keys(first).length : 0;
  if (name === 'index') return others.reduce<unknown>((value, key) => member(value, String(key)), first);
  if (name === 'urlquery') return encodeURIComponent(values.map(textOf).join(''));
  // `print`, and `html`, which escapes what is escaped anyway.
  return values.map(textOf).join('');
}

/** Own members only: what every object inherits is nobody's data. */
function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };

function escaped(text: string, isLink: boolean, form: TemplateForm): string {
  if (form === 'text') return text;
  const isSafe = !isLink || !/^\s*[a-z][a-z0-9+.-]*\s*:/i.test(text) || /^(https?|mailto|tel):/i.test(text);
  return (isSafe ? text : '#').replace(/[&<>"']/g, (letter) => entities[letter]!);
}
