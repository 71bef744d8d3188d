// The order of a whole run: what takes longest begins first, so that no lane is left alone with it at the end.
import { relative } from 'node:path';
import TestSequencer from '@jest/test-sequencer';

const root = new URL('../..', import.meta.url).pathname;
/** Whole stacks and whole tools are started here, or something is waited for; then come the specs with a database. */
const ranks = [/^apps\/e2e\/src\/(chaos|supervisor|hostile-files|console)/, /^apps\/e2e\//, /^(tools|apps\/worker)\//, /^libs\/(embedded|queue)\//, /\.db\.spec\.ts$/, /./];

export default class LongestFirst extends TestSequencer {
  /** Jest's own order, by what it remembers of earlier runs and by size, holds within a rank. */
  sort(tests) {
    const rank = ({ path }) => ranks.findIndex((rank) => rank.test(relative(root, path)));
    return super.sort(tests).map((test, place) => ({ test, place, rank: rank(test) })).sort((a, b) => a.rank - b.rank || a.place - b.place).map(({ test }) => test);
  }
}
