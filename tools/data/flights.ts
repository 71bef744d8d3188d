// `node tools/data/flights.ts [FILE] [ROWS]`: writes the 200,000 real flights of npm vega-datasets as CSV. Six thousand of them are
// the same as another, so a line number is the key.
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface Flight {
  readonly delay: number;
  readonly distance: number;
  /** The hour of departure, with fractions. */
  readonly time: number;
}

/** The table that the flights fit into. */
export const flightsTable = 'id integer primary key, delay integer, distance integer, time real';

/** The first flights of the data set. */
export function readFlights(rows = 200_000): Flight[] {
  const file = join(import.meta.dirname, '../../node_modules/vega-datasets/data/flights-200k.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as Flight[]).slice(0, rows);
}

/** Flights as lines of CSV, the header first. */
export function* flightLines(rows?: number): Generator<string> {
  yield 'id,delay,distance,time\n';
  let id = 0;
  for (const { delay, distance, time } of readFlights(rows)) yield `${(id += 1)},${delay},${distance},${time}\n`;
}

if (import.meta.main) {
  const [file = 'flights.csv', rows] = process.argv.slice(2);
  await pipeline(Readable.from(flightLines(rows === undefined ? undefined : Number(rows))), createWriteStream(file));
  console.log(`${file} is written.`);
}
