// `npm run bench [-- memory rest exports imports jobs sign-in webhooks]`: measures, and writes what it measured into docs/benchmarks.md.
// Figures are never a test: a shared machine would fail it at random.
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { benchExports } from './exports.ts';
import { benchImports } from './imports.ts';
import { benchJobs } from './jobs.ts';
import { keepSection, render, surroundings, type MeasuredPage } from './measured.ts';
import { benchMemory } from './memory.ts';
import { benchRest } from './rest.ts';
import { benchSignIn } from './sign-in.ts';
import { startBenchStack, type BenchStack, type Section, type StackTerms } from './stack.ts';
import { benchWebhooks, webhooksEnvironment } from './webhooks.ts';

const benches: Readonly<Record<string, (stack: BenchStack) => Promise<Section>>> = { memory: benchMemory, rest: benchRest, imports: benchImports, exports: benchExports, jobs: benchJobs, 'sign-in': benchSignIn, webhooks: benchWebhooks };
const terms: Readonly<Record<string, StackTerms>> = { exports: { isSpread: true }, jobs: { isSpread: true }, webhooks: { environment: webhooksEnvironment, isSpread: true } };
const page: MeasuredPage = {
  file: join(import.meta.dirname, '../../docs/benchmarks.md'),
  head: '# Benchmarks\n\nWritten by `npm run bench`. Ratios within one table come from one run on one machine and can be compared; absolute figures say little about yours.\n',
  sections: Object.keys(benches),
};
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
    const text = render(await benches[name]!(stack));
    console.log(`\n${text}`);
    keepSection(page, name, `${text}\n\n${surroundings(busyBefore, stack.placement)}`);
  } finally {
    await stack.stop();
  }
}
process.exit(0);
