export type { RestAnswer, RestRequest } from '@mainstay/dialect';
export { RestService } from './rest.service.ts';
export { SchemaKeeper, type Known, type RestTerms, type SchemaState } from './schema-keeper.ts';
