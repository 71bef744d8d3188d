// Reads the part of the Dockerfile language that ours uses. Whatever else stands there is refused, not guessed at.
const known = new Set(['ARG', 'FROM', 'WORKDIR', 'COPY', 'RUN', 'ENV', 'USER', 'EXPOSE', 'HEALTHCHECK', 'CMD']);

/**
 * The stages in their order, arguments of the build filled in.
 * @param {string} text
 * @returns {{ name: string, base: string, steps: { instruction: string, text: string, line: number }[] }[]}
 */
export function parseDockerfile(text) {
  const args = {};
  const stages = [];
  for (const { instruction, text: rest, line } of instructions(text)) {
    const filled = rest.replace(/\$\{(\w+)\}/g, (whole, name) => args[name] ?? whole);
    if (instruction === 'ARG') Object.assign(args, pairs(rest));
    else if (instruction === 'FROM') stages.push(stageOf(filled, line));
    else stages.at(-1).steps.push({ instruction, text: instruction === 'RUN' ? rest : filled, line });
  }
  return stages;
}

/**
 * `NAME=value` pairs, as ENV and ARG write them.
 * @param {string} text
 * @returns {Record<string, string>}
 */
export function pairs(text) {
  return Object.fromEntries(text.split(/\s+/).map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

/**
 * `COPY [--from=stage] source… target`.
 * @param {string} text
 * @returns {{ from: string | null, sources: string[], target: string }}
 */
export function copyOf(text) {
  const words = text.split(/\s+/);
  const from = words[0].startsWith('--from=') ? words.shift().slice('--from='.length) : null;
  const target = words.pop();
  return { from, sources: words, target };
}

/**
 * The words of a CMD or of a HEALTHCHECK's CMD in their JSON form; the shell form is refused, since it hides signals.
 * @param {string} text
 * @returns {string[]}
 */
export function commandOf(text) {
  return JSON.parse(text.slice(text.indexOf('[')));
}

function instructions(text) {
  const lines = text.split('\n');
  const found = [];
  for (let index = 0; index < lines.length; index += 1) {
    const line = index + 1;
    let whole = lines[index];
    if (/^\s*(#|$)/.test(whole)) continue;
    while (whole.endsWith('\\')) whole = `${whole.slice(0, -1).trimEnd()} ${lines[(index += 1)].trim()}`;
    const [, instruction, rest] = /^([A-Z]+)\s+(.*)$/.exec(whole) ?? [];
    if (!known.has(instruction)) throw new Error(`Dockerfile:${line}: "${whole}" is not understood here`);
    found.push({ instruction, text: rest.trim(), line });
  }
  return found;
}

function stageOf(text, line) {
  const [, base, name] = /^(\S+) AS (\S+)$/.exec(text) ?? [];
  if (name === undefined) throw new Error(`Dockerfile:${line}: every stage has a name (FROM … AS …)`);
  return { name, base, steps: [] };
}
