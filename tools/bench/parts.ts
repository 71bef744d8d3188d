// The parts of the house that the benchmarks drive directly, bundled together since plain Node cannot run decorators.
export { Callers, Keyring, makeSecrets } from '@mainstay/auth';
export { readSettings } from '@mainstay/config';
export { compile, makePlan, parse } from '@mainstay/dialect';
export { makeCaller } from '@mainstay/domain';
export { asHouse, enqueue, makeDatabase, makeListener, prepareDatabase, sessionOf, type Database } from '@mainstay/persistence';
export { SchemaKeeper, termsSource } from '@mainstay/rest';
