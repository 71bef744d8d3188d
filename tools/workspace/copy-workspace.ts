import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const left = new Set(['node_modules', 'dist', '.nx', '.git', '.mainstay', 'coverage']);

/** A copy of the workspace that a spec may change: its own sources, and links to the packages that are installed here. */
export interface WorkspaceCopy {
  readonly directory: string;
  remove(): void;
}

/** Copies the sources, and links every installed package but our own, which must be those of the copy. */
export function copyWorkspace(): WorkspaceCopy {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'mainstay-workspace-')));
  cpSync(root, directory, { recursive: true, filter: (path) => path === root || !left.has(basename(path)) });
  linkPackages(directory);
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

function linkPackages(directory: string): void {
  const installed = join(root, 'node_modules');
  mkdirSync(join(directory, 'node_modules/@mainstay'), { recursive: true });
  for (const name of readdirSync(installed)) {
    if (name !== '@mainstay' && name !== '.cache') symlinkSync(join(installed, name), join(directory, 'node_modules', name));
  }
  for (const floor of ['apps', 'libs']) {
    for (const name of readdirSync(join(directory, floor))) {
      if (existsSync(join(directory, floor, name, 'package.json'))) symlinkSync(join(directory, floor, name), join(directory, 'node_modules/@mainstay', name));
    }
  }
}
