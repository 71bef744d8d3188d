import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const platform = { os: [process.platform], cpu: [process.arch] };
const wanted = {
  '': { optionalDependencies: { 'our-server': '1.0.0', 'server-elsewhere': '1.0.0' } },
  'node_modules/pg': { version: '8.0.0' },
  'node_modules/@mainstay/rest': { resolved: 'libs/rest', link: true },
  'node_modules/our-server': { version: '1.0.0', optional: true, ...platform },
  'node_modules/server-elsewhere': { version: '1.0.0', optional: true, os: ['beos'], cpu: ['ppc'] },
  'node_modules/a-native-helper': { version: '1.0.0', optional: true, ...platform },
  'libs/rest': { version: '0.1.0' },
};
const { 'node_modules/server-elsewhere': _elsewhere, 'node_modules/a-native-helper': _helper, ...whole } = wanted;
const without = (name: keyof typeof whole) => JSON.stringify({ packages: { ...whole, [name]: undefined } });

describe('set-up', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'mainstay-setup-'));
    for (const name of ['tools', 'bin', 'node_modules']) mkdirSync(join(folder, name));
    copyFileSync(join(import.meta.dirname, 'setup.mjs'), join(folder, 'tools/setup.mjs'));
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: wanted }));
    // The world outside: npm itself.
    writeFileSync(join(folder, 'bin/npm'), '#!/bin/sh\necho "npm $*"\n[ -z "$NPM_FAILS" ]\n', { mode: 0o755 });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const setUp = (environment = {}) =>
    spawnSync(process.execPath, ['tools/setup.mjs'], { cwd: folder, encoding: 'utf8', env: { PATH: `${folder}/bin:${process.env['PATH']}`, NODE_OPTIONS: '', ...environment } });

  it.each([
    ['nothing is installed', null],
    ['an installation broke off', '{"packages": {"node_modules/pg": {"ver'],
    ['an installation left an empty file', ''],
    ['a package is missing', without('node_modules/pg')],
    ['a package has another version', JSON.stringify({ packages: { ...whole, 'node_modules/pg': { version: '7.0.0' } } })],
    ['a new library is not linked', without('node_modules/@mainstay/rest')],
    ['the servers of this system were left out', without('node_modules/our-server')],
  ])('installs when %s', (_what, installed) => {
    const file = join(folder, 'node_modules/.package-lock.json');
    if (installed === null) rmSync(file, { force: true });
    else writeFileSync(file, installed);
    const { stdout, status } = setUp();
    expect(stdout).toContain('npm ci --include=dev --include=optional');
    expect(status).toBe(0);
  });

  it('does nothing when all is there', () => {
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), JSON.stringify({ packages: whole }));
    expect(setUp()).toMatchObject({ stdout: '', status: 0 });
  });

  it('ends with a sentence when npm fails', () => {
    rmSync(join(folder, 'node_modules/.package-lock.json'));
    expect(setUp({ NPM_FAILS: 'yes' })).toMatchObject({ stderr: 'npm ci failed; its own message stands above.\n', status: 1 });
  });
});
