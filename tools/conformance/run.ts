// `npm run conformance`: the real PostgREST and Mainstay side by side on one database. It writes docs/conformance.md and fails
// when an answer differs and no row of known.ts says why. `--short` asks less and writes nothing; `--seed N`, `--requests N`
// and `--only TEXT` choose what is asked.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writtenCases } from './cases.ts';
import { askBoth, differencesOf, type Asked } from './exchange.ts';
import { knownDifferences, type Difference } from './known.ts';
import { conformancePage } from './page.ts';
import { askedOf, draftRequest, makeChance, smaller, type Draft } from './random-requests.ts';
import { startPair, type Pair } from './servers.ts';
import { emptyTally, type Tally } from './tally.ts';

const { values } = parseArgs({ options: { short: { type: 'boolean', default: false }, seed: { type: 'string', default: '1' }, requests: { type: 'string' }, only: { type: 'string', default: '' } } });

/** Of smaller requests, for one that differs. */
const mostTries = 150;

const seed = Number(values.seed);
const count = Number(values.requests ?? (values.short ? 50 : 3000));
const pair = await startPair();
try {
  const bySection = await askWritten();
  const random = await askRandom();
  const tallies = [...bySection.values(), random];
  const unknown = tallies.reduce((sum, tally) => sum + tally.unknown.length, 0);
  console.log(`${tallies.reduce((sum, { asked }) => sum + asked, 0)} requests, ${tallies.reduce((sum, { same }) => sum + same, 0)} answered the same, ${unknown} differ and nobody knows why`);
  if (!values.short && values.only === '') writeFileSync(join(import.meta.dirname, '../../docs/conformance.md'), conformancePage({ bySection, random, seed }));
  process.exitCode = unknown > 0 ? 1 : 0;
} finally {
  await pair.stop();
}

async function askWritten(): Promise<Map<string, Tally>> {
  const bySection = new Map<string, Tally>();
  for (const [number, { section, asked }] of writtenCases().entries()) {
    // Every tenth one, of every section, is what a test run has time for.
    if (values.short && number % 10 !== 0) continue;
    if (!`${asked.method} ${asked.path}`.includes(values.only)) continue;
    const tally = bySection.get(section) ?? emptyTally();
    bySection.set(section, tally);
    note(tally, await compare(pair, asked));
  }
  return bySection;
}

async function askRandom(): Promise<Tally> {
  const chance = makeChance(seed);
  const tally = emptyTally();
  for (let number = 0; number < (values.only === '' ? count : 0); number += 1) {
    const draft = draftRequest(chance);
    const difference = await compare(pair, askedOf(draft));
    note(tally, isUnknown(difference) ? await shrink(draft, difference) : difference);
  }
  return tally;
}

function note(tally: Tally, difference: Difference | null): void {
  tally.asked += 1;
  if (difference === null) {
    tally.same += 1;
    return;
  }
  const known = knownDifferences.find((one) => one.isIt(difference));
  if (known !== undefined) {
    tally.known.set(known, (tally.known.get(known) ?? 0) + 1);
    return;
  }
  tally.unknown.push(difference);
  tell(difference);
}

async function compare(servers: Pair, asked: Asked): Promise<Difference | null> {
  const { theirs, ours } = await askBoth(servers, asked);
  const parts = differencesOf(asked, theirs, ours);
  return parts.length === 0 ? null : { asked, theirs, ours, parts };
}

function isUnknown(difference: Difference | null): difference is Difference {
  return difference !== null && !knownDifferences.some((one) => one.isIt(difference));
}

/** Takes away what can go while the answers still differ unexplained. What is left is the smallest request that shows it. */
async function shrink(draft: Draft, difference: Difference): Promise<Difference> {
  let smallest = { draft, difference };
  for (let tries = 0, left = smaller(draft); left.length > 0 && tries < mostTries; tries += 1) {
    const less = left.shift()!;
    const again = await compare(pair, askedOf(less));
    if (!isUnknown(again)) continue;
    smallest = { draft: less, difference: again };
    left = smaller(less);
  }
  return smallest.difference;
}

function tell({ asked, theirs, ours, parts }: Difference): void {
  console.log(`### ${asked.method} ${decoded(asked.path)} ${JSON.stringify({ ...asked.headers, ...(asked.body === null ? {} : { body: String(asked.body) }), ...(asked.claims === null ? {} : { claims: asked.claims }) })}`);
  if (parts.includes('status')) console.log(`  status: ${theirs.status} | ${ours.status}`);
  for (const name of parts.filter((part) => part !== 'status' && part !== 'body')) console.log(`  ${name}: ${theirs.headers[name]} | ${ours.headers[name]}`);
  if (parts.includes('body') || parts.includes('status')) console.log(`  theirs: ${theirs.text.slice(0, 500)}\n  ours:   ${ours.text.slice(0, 500)}`);
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
