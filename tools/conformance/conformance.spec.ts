import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { draftRequest, makeChance, smaller } from './random-requests.ts';

const isHere = process.platform === 'linux' && process.arch === 'x64';

// PostgREST comes for this platform only.
(isHere ? it : it.skip)('the real PostgREST answers the written requests and some random ones as we do, but for what is known', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['tools/conformance/run.ts', '--short'], {
    cwd: join(import.meta.dirname, '../..'),
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  expect({ status, differences: stdout.split('\n').filter((line) => line.startsWith('###')), stderr }).toMatchObject({ status: 0, differences: [] });
}, 180_000);

describe('random requests', () => {
  it('the same seed gives the same requests', () => {
    const some = (): unknown[] => ((chance) => Array.from({ length: 20 }, () => draftRequest(chance)))(makeChance(7));
    expect(some()).toEqual(some());
  });

  it('what is smaller ends', () => {
    let draft = draftRequest(makeChance(3));
    for (let next = smaller(draft)[0]; next !== undefined; next = smaller(draft)[0]) draft = next;
    expect(draft).toMatchObject({ select: null, parameters: [], headers: [] });
  });
});
