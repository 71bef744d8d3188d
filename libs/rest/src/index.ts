export type { RestAnswer, RestRequest } from '@mainstay/dialect';
export { RestService } from './rest.service.ts';
export { restTermsOf, termsSource, type RestTerms, type TermsSource } from './rest-terms.ts';
export { SchemaKeeper, type Known, type SchemaState } from './schema-keeper.ts';
