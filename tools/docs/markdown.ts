/** A Markdown table; what stands in a cell cannot end it. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export const code = (text: string): string => (text === '' ? '' : `\`${text}\``);

/** A page that a tool writes says so at its head. */
export function page(title: string, source: string, parts: readonly string[]): string {
  return [`# ${title}`, `<!-- Written by \`npm run docs\` from ${source}: change it there. -->`, ...parts].join('\n\n') + '\n';
}

/** The sentence or two that stand in the code above a declaration, as running text. */
export function commentAbove(source: string, declaration: string): string {
  const at = source.indexOf(declaration);
  const comment = at < 0 ? null : /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*$/.exec(source.slice(0, at));
  return comment === null ? '' : comment[1]!.replaceAll(/^\s*\* ?/gm, '').replaceAll(/\s+/g, ' ').trim();
}
