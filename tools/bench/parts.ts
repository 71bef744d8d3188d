// The parts of the house that the benchmarks drive directly, bundled together since plain Node cannot run decorators.
export { makeSecrets } from '@mainstay/auth';
export { readSettings } from '@mainstay/config';
export { makeCaller } from '@mainstay/domain';
export { asHouse, enqueue, makeDatabase, prepareDatabase, sessionOf, type Database } from '@mainstay/persistence';
