// Runs on whatever Node the machine has: sees to it that node_modules is whole before anything else.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  stop(`Mainstay needs Node 20.19 or newer; this is ${process.version}.`);
}
if (!isComplete()) {
  console.log('Installing dependencies (once) …');
  // Development dependencies build the apps and the console, whatever NODE_ENV says; optional ones carry the servers.
  const npm = spawnSync('npm', ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (npm.status !== 0) stop('npm ci failed; its own message stands above.');
}
const bundled = `node_modules/node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
if (!existsSync(bundled) && major < 24) {
  stop(`No Node 24 comes by npm for ${process.platform}-${process.arch}: install Node 24 or newer.`);
}

/** npm writes node_modules/.package-lock.json last: a whole tree has one that names every package of the lock file. */
function isComplete() {
  const installed = packagesOf('node_modules/.package-lock.json');
  const wanted = packagesOf('package-lock.json');
  const own = wanted['']?.optionalDependencies ?? {};
  return Object.entries(wanted).every(([path, entry]) => {
    const isOurs = path.replace(/^node_modules\//, '') in own && isForThisMachine(entry);
    if (!path.includes('node_modules/') || ((entry.optional || entry.devOptional) && !isOurs)) return true;
    return installed[path] !== undefined && installed[path].version === entry.version;
  });
}

/** Of the packages that carry Node and the servers, those of other systems are left out. */
function isForThisMachine({ os, cpu }) {
  return (os?.includes(process.platform) ?? true) && (cpu?.includes(process.arch) ?? true);
}

/** Nothing, where an installation broke off before or while the file was written. */
function packagesOf(file) {
  if (!existsSync(file)) return {};
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages ?? {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function stop(sentence) {
  console.error(sentence);
  process.exit(1);
}
