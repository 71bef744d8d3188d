// Runs on whatever Node the machine has: sees to it that node_modules is whole before anything else.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';

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
  stop(`No Node 24 comes by npm for ${process.platform}-${process.arch} (or optional packages were left out): install Node 24 or newer, or run "npm ci --include=optional".`);
}

/** npm writes node_modules/.package-lock.json last: a complete tree has one as new as the lock file. */
function isComplete() {
  const written = 'node_modules/.package-lock.json';
  if (!existsSync(written)) return false;
  const installed = JSON.parse(readFileSync(written, 'utf8')).packages ?? {};
  const wanted = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages ?? {};
  if (statSync(written).size === 0) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || entry.optional || entry.devOptional || !path.includes('node_modules/')) return true;
    return installed[path]?.version === entry.version;
  });
}

function stop(sentence) {
  console.error(sentence);
  process.exit(1);
}
