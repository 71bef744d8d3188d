// A Chromium for the specs that need a real browser: the one that comes by npm, else an installed one.
import { execFileSync } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

const root = join(import.meta.dirname, '../..');
/** The package carries a program for this system alone. */
const isPacked = process.platform === 'linux' && process.arch === 'x64';
const installed = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/**
 * The path to start a browser by. `MAINSTAY_BROWSER` decides where it is set. The one that comes by npm is the
 * same everywhere, and has no windows and menus, which cost an installed one a third of its time.
 */
export function findBrowser() {
  return process.env.MAINSTAY_BROWSER ?? (isPacked ? packed() : onPath(installed) ?? packed());
}

function onPath(names) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Unpacks the browser once per version, aside and then renamed, so that two runs at once do not see half of it. */
function packed() {
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules/@sparticuz/chromium/package.json'), 'utf8'));
  const folder = join(root, `node_modules/.cache/mainstay/chromium-${version}`);
  const start = join(folder, 'start');
  if (existsSync(start)) return start;
  mkdirSync(dirname(folder), { recursive: true });
  const aside = mkdtempSync(`${folder}.`);
  chmodSync(aside, 0o755);
  execFileSync(process.execPath, [join(import.meta.dirname, 'unpack-browser.mjs')], { cwd: root, env: { ...process.env, TMPDIR: aside, NODE_OPTIONS: '' }, stdio: ['ignore', 'ignore', 'inherit'] });
  chmodSync(join(aside, 'chromium'), 0o755);
  writeFileSync(join(aside, 'start'), starter(aside), { mode: 0o755 });
  try {
    renameSync(aside, folder);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(start)) throw error;
  }
  return start;
}

/** A bare machine lacks fonts and some libraries: then those of the package are used. */
function starter(folder) {
  const lacks = /not found/.test(execFileSync('ldd', [join(folder, 'chromium')], { encoding: 'utf8' }));
  return [
    '#!/bin/sh',
    'here=$(dirname "$(readlink -f "$0")")',
    ...(lacks ? ['export LD_LIBRARY_PATH="$here/al2023/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"'] : []),
    '[ -e /etc/fonts/fonts.conf ] || export FONTCONFIG_PATH="$here/fonts"',
    'exec "$here/chromium" "$@"',
    '',
  ].join('\n');
}
