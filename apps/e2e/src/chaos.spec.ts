import { callsAllowed, jobsUnderFire } from './jobs-under-fire.ts';
import { mishaps } from './mishaps.ts';
import { startStack, type Stack } from './stack.ts';
import { importUnderFire, parts, untilReady } from './under-fire.ts';

/** The same numbers every time; the moments of the kills still differ from machine to machine. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

describe('an import under fire', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ environment: { MAINSTAY_JOB_LEASE: '3' } });
    await untilReady(stack);
  });
  afterAll(() => stack.stop());

  it('writes each row exactly once while every part is killed', async () => {
    const burnt = await importUnderFire(stack, { rows: 8000, badEvery: 97, rowMs: 0.5, kills: 5, pauseMs: [200, 900], random: seeded(7), tell: () => {} });
    expect(burnt).toMatchObject({ missing: 0, surplus: 0, areRejectsExact: true });
    expect(burnt.import).toMatchObject({ state: 'done', rows_read: 8000, rows_written: 8000 - 82, rows_rejected: 82, percent: 100 });
    expect(parts.every((part) => burnt.kills[part] > 0)).toBe(true);
  }, 120_000);
});

describe('jobs under fire', () => {
  const settings = { MAINSTAY_JOB_LEASE: '2', ...callsAllowed };
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ environment: settings });
    await untilReady(stack);
  });
  afterAll(() => stack.stop());

  it('have each effect exactly once and make each call, whatever dies, halts and forgets', async () => {
    const burnt = await jobsUnderFire(stack, { jobs: 120, faults: mishaps.length, pauseMs: [300, 700], haltMs: 2600, settings, random: seeded(11), tell: () => {} });
    expect(burnt).toMatchObject({ lost: 0, doubled: 0, unasked: 0, stuck: 0, calls: { lost: 0, altered: 0, unasked: 0, disordered: 0, unrecorded: 0, dead: 0 } });
    expect(burnt.asked).toBeGreaterThanOrEqual(84);
    expect(burnt.calls.asked).toBeGreaterThanOrEqual(36);
    expect(Object.values(burnt.faults).every((times) => times >= 1)).toBe(true);
  }, 180_000);
});
