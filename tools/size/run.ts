// `npm run size [-- backlog[=EVENTS] fairness[=JOBS] large-exports[=ROWS]]`: large amounts, and what they do to memory and to others. Writes
// what it measured into docs/size.md, unless an amount was said. It takes the better part of an hour.
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { keepSection, render, surroundings, type MeasuredPage } from '../bench/measured.ts';
import { startBenchStack, type BenchStack, type Section } from '../bench/stack.ts';
import { backlogSettings, measureBacklog } from './backlog.ts';
import { measureFairness } from './fairness.ts';
import { exportSettings, measureLargeExports } from './large-exports.ts';

interface Measure {
  readonly amount: number;
  readonly settings: Record<string, string>;
  readonly run: (stack: BenchStack, amount: number) => Promise<Section>;
}

const measures: Readonly<Record<string, Measure>> = {
  backlog: { amount: 1_000_000, settings: backlogSettings, run: measureBacklog },
  fairness: { amount: 100_000, settings: {}, run: measureFairness },
  'large-exports': { amount: 10_000_000, settings: exportSettings, run: measureLargeExports },
};
const page: MeasuredPage = {
  file: join(import.meta.dirname, '../../docs/size.md'),
  head: '# Large amounts\n\nWritten by `npm run size`. What must stay flat is memory, and what must stay short is the wait of others; absolute rates say little about your machine.\n',
  sections: Object.keys(measures),
};

const asked = process.argv.slice(2).map(readMeasure);
let running: BenchStack | undefined;
// The database and the queue do not hear Ctrl-C by themselves.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void (running?.stop() ?? Promise.resolve()).finally(() => process.exit(1)));

for (const { name, amount } of asked.length === 0 ? Object.keys(measures).map(readMeasure) : asked) {
  const { settings, run, amount: usual } = measures[name]!;
  const busyBefore = loadavg()[0]!;
  console.log(`${name} …`);
  const stack = (running = await startBenchStack({ environment: settings }));
  try {
    const text = render(await run(stack, amount));
    console.log(`\n${text}\n`);
    if (amount === usual) keepSection(page, name, `${text}\n\n${surroundings(busyBefore, stack.placement)}`);
  } finally {
    await stack.stop();
  }
}
process.exit(0);

function readMeasure(word: string): { readonly name: string; readonly amount: number } {
  const [name, amount] = word.split('=') as [string, string | undefined];
  const usual = measures[name]?.amount;
  if (usual === undefined) throw new Error(`There is no measure "${name}"; there are ${Object.keys(measures).join(', ')}.`);
  if (amount !== undefined && !/^\d{3,9}$/.test(amount)) throw new Error(`${amount} is no amount for "${name}": a whole number, at least 100.`);
  return { name, amount: Number(amount ?? usual) };
}
