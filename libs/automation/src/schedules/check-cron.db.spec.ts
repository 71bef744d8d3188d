import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import fc from 'fast-check';
import { CronRefusal, parseCron, type CronDialect } from './parse-cron.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await makeTestDatabase();
});
afterAll(() => db.close());

function refusalOf(expression: string, dialect: CronDialect): string | null {
  try {
    parseCron(expression, dialect);
    return null;
  } catch (error) {
    if (!(error instanceof CronRefusal)) throw error;
    return `${error.message}, at character ${error.at}`;
  }
}

/** What might be an expression, and is nearly one. */
const item = fc.oneof(fc.integer({ min: 0, max: 70 }).map(String), fc.constantFrom('*', '$', 'L', 'LW', '15W', '5L', 'fri#2', 'mon', 'JAN', 'x', '', '007'));
const part = fc.oneof(
  { weight: 4, arbitrary: item },
  { weight: 2, arbitrary: fc.tuple(item, item).map(([a, b]) => `${a}-${b}`) },
  { weight: 2, arbitrary: fc.tuple(item, fc.constantFrom('', '-5', '-30'), item).map(([a, b, c]) => `${a}${b}/${c}`) },
);
const field = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(','));
const likely = fc.oneof(fc.constantFrom('*', '0', '1-5', '*/2', 'sun'), field);
const expressions = fc.oneof(
  { weight: 6, arbitrary: fc.array(likely, { minLength: 4, maxLength: 7 }).map((fields) => fields.join(' ')) },
  { weight: 1, arbitrary: fc.tuple(fc.integer({ min: 0, max: 4_000_000_000 }), fc.constantFrom(' second', ' seconds', 'minutes', ' hour', ' days', ' weeks')).map(([n, unit]) => `${n}${unit}`) },
  { weight: 1, arbitrary: fc.constantFrom('@daily', '@REBOOT', ' @hourly ', '@never', '@daily x', '   ', '\t1 1 1 1 1\n') },
  { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom(...'019*/-,$LW#@ \tsunjan'), maxLength: 25 }) },
);

it.each<CronDialect>(['mainstay', 'pg_cron'])('SQL judges an expression of %s in the words of the parser', async (dialect) => {
  const samples = fc.sample(expressions, { numRuns: 1500, seed: Date.now() });
  const rows = await db.admin.rows<{ refusal: string | null }>(`select mainstay.check_cron(expression, $2) as refusal from unnest($1::text[]) with ordinality as sample (expression, place) order by place`, [samples, dialect]);
  const judged = samples.map((expression, i) => [expression, rows[i]!.refusal]);
  expect(judged).toEqual(samples.map((expression) => [expression, refusalOf(expression, dialect)]));
  expect(rows.filter(({ refusal }) => refusal === null).length).toBeGreaterThan(50);
});
