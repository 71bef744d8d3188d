/** Finds the value in a token's claims that names the role; undefined where there is none. */
export type ClaimPath = (claims: unknown) => unknown;

type Step = (value: unknown) => readonly unknown[];

/**
 * Reads the path to the role: a JSONPath (RFC 9535: names, indices, `*`, filters by a comparison, `match` or `search`), or the
 * older form of PostgREST (`.realm."my-roles"[0]`, `.roles[?(@ ^== "app_")]`). The first value that is found counts.
 * @throws Error with one sentence.
 */
export function parseClaimPath(text: string): ClaimPath {
  const steps = text.startsWith('$') ? jsonPathSteps(text, 1) : olderSteps(text);
  if (steps === null) throw new Error(`PGRST_JWT_ROLE_CLAIM_KEY "${text}" is not right: it must be a path such as $.role or $.realm.roles[0].`);
  return (claims) => steps.reduce<readonly unknown[]>((values, step) => values.flatMap(step), [claims])[0];
}

/** One step after the other from `at` on; null for what is no path. */
function readSteps(text: string, at: number, readers: readonly (readonly [RegExp, (match: RegExpExecArray) => Step | null])[]): Step[] | null {
  const steps: Step[] = [];
  while (at < text.length) {
    const found = firstMatch(text, at, readers);
    if (found === null) return null;
    steps.push(found.step);
    at = found.end;
  }
  return steps;
}

function firstMatch(text: string, at: number, readers: Parameters<typeof readSteps>[2]): { step: Step; end: number } | null {
  for (const [pattern, make] of readers) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    const step = match === null ? null : make(match);
    if (step !== null) return { step, end: pattern.lastIndex };
  }
  return null;
}

function olderSteps(text: string): Step[] | null {
  const steps = readSteps(text, 0, [
    [/\.(?:([\p{L}\p{N}_$@]+)|"([^"]*)")/uy, ([, plain, quoted]) => member(plain ?? quoted!)],
    [/\[\?\(@\s*(==\^|==|!=|\^==|\*==)\s*"([^"]*)"\)\]$/uy, ([, operator, wanted]) => firstText(olderTests[operator!]!(wanted!))],
    [/\[(\d+)\]/y, ([, index]) => element(Number(index))],
  ]);
  return steps === null || steps.length === 0 ? null : steps;
}

const olderTests: Readonly<Record<string, (wanted: string) => (text: string) => boolean>> = {
  '==': (wanted) => (text) => text === wanted,
  '!=': (wanted) => (text) => text !== wanted,
  '^==': (wanted) => (text) => text.startsWith(wanted),
  '==^': (wanted) => (text) => text.endsWith(wanted),
  '*==': (wanted) => (text) => text.includes(wanted),
};

function jsonPathSteps(text: string, at: number): Step[] | null {
  return readSteps(text, at, [
    [/\s*\.([\p{L}_][\p{L}\p{N}_]*)/uy, ([, name]) => member(name!)],
    [/\s*(?:\.\*|\[\s*\*\s*\])/y, () => children],
    [/\s*\[\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')\s*\]/y, ([, double, single]) => member(unescaped(double ?? single!))],
    [/\s*\[\s*(-?\d+)\s*\]/y, ([, index]) => element(Number(index))],
    [/\s*\[\s*\?\s*((?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\]"'])*)\]/y, ([, condition]) => filter(condition!)],
  ]);
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, '$1');
}

function member(name: string): Step {
  return (value) => (isRecord(value) && Object.hasOwn(value, name) ? [value[name]] : []);
}

function element(index: number): Step {
  return (value) => {
    const found: unknown = Array.isArray(value) ? value.at(index) : undefined;
    return found === undefined ? [] : [found];
  };
}

function children(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return isRecord(value) ? Object.values(value) : [];
}

function firstText(test: (text: string) => boolean): Step {
  return (value) => (Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string' && test(item)).slice(0, 1) : []);
}

/** `@ == "x"`, `@.kind != 'y'`, `search(@.name, "^app_")`; brackets around the whole are allowed. */
function filter(condition: string): Step | null {
  const text = condition.trim().replace(/^\((.*)\)$/s, '$1').trim();
  const compared = /^@((?:\.[^\s=!]+|\[[^\]]*\])*)\s*(==|!=)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|-?\d+(?:\.\d+)?|true|false|null)$/.exec(text);
  if (compared !== null) {
    const path = jsonPathSteps(compared[1]!, 0);
    const wanted = literal(compared[3]!);
    return path === null ? null : (value) => children(value).filter((item) => (follow(path, item) === wanted) === (compared[2] === '=='));
  }
  const matched = /^(match|search)\(\s*@((?:\.[^\s,]+|\[[^\]]*\])*)\s*,\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*\)$/.exec(text);
  if (matched === null) return null;
  const path = jsonPathSteps(matched[2]!, 0);
  const pattern = expression(String(literal(matched[3]!)), matched[1] === 'match');
  if (path === null || pattern === null) return null;
  return (value) => children(value).filter((item) => {
    const found = follow(path, item);
    return typeof found === 'string' && pattern.test(found);
  });
}

function follow(path: readonly Step[], item: unknown): unknown {
  return path.reduce<readonly unknown[]>((values, step) => values.flatMap(step), [item])[0];
}

function literal(text: string): unknown {
  return /^["']/.test(text) ? unescaped(text.slice(1, -1)) : (JSON.parse(text) as unknown);
}

function expression(text: string, isWhole: boolean): RegExp | null {
  try {
    return new RegExp(isWhole ? `^(?:${text})$` : text, 'u');
  } catch {
    // Not a pattern: the caller says that the path is not right.
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
