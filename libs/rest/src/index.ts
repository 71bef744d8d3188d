export type { RestAnswer, RestRequest } from '@mainstay/dialect';
export { BatchService, EntryFault, type BatchTerms } from './batch.service.ts';
export { SchemasMissing, typesOfDatabase } from './database-types.ts';
export { RestService, type HouseTerms } from './rest.service.ts';
export { cursorKeyOf } from './cursors.ts';
export { streamTermsOf, type StreamTerms } from './streams.ts';
export { restTermsOf, termsSource, type RestTerms, type TermsSource } from './rest-terms.ts';
export { SchemaKeeper, type Known, type SchemaState } from './schema-keeper.ts';
