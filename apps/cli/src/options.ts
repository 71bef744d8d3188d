import { resolve } from 'node:path';
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import type { Command } from './commands.ts';
import { Explained } from './explained.ts';

export const text = { type: 'string' } as const;
export const flag = { type: 'boolean' } as const;

/**
 * Reads what stands behind a command's name: its options, and as many words as it takes.
 * @throws Explained for what it does not know, so that a slip of the fingers is not passed over in silence
 */
export function readOptions<const Options extends ParseArgsOptionsConfig>(command: Command['name'], args: readonly string[], options: Options, mostWords = 0) {
  const read = parsed(command, args, options);
  const extra = read.positionals[mostWords];
  if (extra !== undefined) throw new Explained(`"${extra}" is a word too many.\n${wayToHelp(command)}`);
  return read;
}

function parsed<const Options extends ParseArgsOptionsConfig>(command: Command['name'], args: readonly string[], options: Options) {
  try {
    return parseArgs({ args, allowPositionals: true, options });
  } catch (error) {
    // Node's first sentence says what is wrong; the others advise on a syntax that no command here needs.
    const [sentence] = (error as Error).message.split(/\.(?:\s|$)|\n/);
    throw new Explained(`${sentence}.\n${wayToHelp(command)}`, { cause: error });
  }
}

export function wayToHelp(command: Command['name']): string {
  return `All options: npm run mainstay -- ${command} --help`;
}

/** A path as its writer means it: npm runs a script at the root of the package, and says in `INIT_CWD` where one stands. */
export function pathFromHere(path: string): string {
  return resolve(process.env['INIT_CWD'] ?? '.', path);
}
