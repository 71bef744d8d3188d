export { makeSecrets } from './make-secrets.ts';
