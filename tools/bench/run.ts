// `npm run bench [-- memory rest exports imports jobs sign-in webhooks]`: measures, and writes what it measured into docs/benchmarks.md.
// Figures are never a test: a shared machine would fail it at random.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, loadavg, platform, totalmem } from 'node:os';
import { join } from 'node:path';
import { table } from '../docs/markdown.ts';
import { benchExports } from './exports.ts';
import { benchImports } from './imports.ts';
import { benchJobs } from './jobs.ts';
import { benchMemory } from './memory.ts';
import { benchRest } from './rest.ts';
import { benchSignIn } from './sign-in.ts';
import { startBenchStack, type BenchStack, type Section, type StackTerms } from './stack.ts';
import { benchWebhooks, webhooksEnvironment } from './webhooks.ts';

const benches: Readonly<Record<string, (stack: BenchStack) => Promise<Section>>> = { memory: benchMemory, rest: benchRest, imports: benchImports, exports: benchExports, jobs: benchJobs, 'sign-in': benchSignIn, webhooks: benchWebhooks };
const terms: Readonly<Record<string, StackTerms>> = { jobs: { isSpread: true }, webhooks: { environment: webhooksEnvironment, isSpread: true } };
const page = join(import.meta.dirname, '../../docs/benchmarks.md');
const head = '# Benchmarks\n\nWritten by `npm run bench`. Ratios within one table come from one run on one machine and can be compared; absolute figures say little about yours.\n';
const asked = process.argv.slice(2);
const unknown = asked.find((name) => benches[name] === undefined);
if (unknown !== undefined) throw new Error(`There is no benchmark "${unknown}"; there are ${Object.keys(benches).join(', ')}.`);

let running: BenchStack | undefined;
// The database and the queue do not hear Ctrl-C by themselves.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void (running?.stop() ?? Promise.resolve()).finally(() => process.exit(1)));

for (const name of asked.length === 0 ? Object.keys(benches) : asked) {
  const busyBefore = loadavg()[0]!;
  // Each has a stack of its own, so that none measures what another left behind.
  const stack = (running = await startBenchStack(terms[name]));
  try {
    keep(name, render(await benches[name]!(stack), surroundings(busyBefore, stack.placement)));
  } finally {
    await stack.stop();
  }
}
process.exit(0);

function render({ title, about, head: columns, rows }: Section, around: string): string {
  const text = `## ${title}\n\n${about}\n\n${table(columns, rows)}`;
  console.log(`\n${text}`);
  return `${text}\n\n${around}`;
}

function surroundings(busyBefore: number, placement: string): string {
  // Who shares the machine sees it here: on a quiet one the load is near 0.
  const others = `load before the start ${busyBefore.toFixed(1)}`;
  const cpu = cpus()[0]!.model.trim();
  return `*${new Date().toISOString().slice(0, 10)}, ${platform()} ${arch()}, ${cpus().length} × ${cpu}, ${Math.round(totalmem() / 1024 ** 3)} GB, Node ${process.versions.node}, PostgreSQL 18 with durability on, ${others}. ${placement}*`;
}

/** Replaces one section of the page, and leaves the others as they were measured. */
function keep(name: string, text: string): void {
  const before = existsSync(page) ? readFileSync(page, 'utf8') : '';
  const kept = new Map([...before.matchAll(/<!-- ([\w-]+) -->\n\n([^]*?)(?=\n<!-- |$)/g)].map((match) => [match[1]!, match[2]!.trim()]));
  kept.set(name, text);
  const sections = Object.keys(benches).flatMap((known) => (kept.has(known) ? [`<!-- ${known} -->\n\n${kept.get(known)}\n`] : []));
  writeFileSync(page, [head, ...sections].join('\n'));
}
