// `npm run mainstay -- …` and `npm start`: build what is out of date, then hand over to the command line.
import { build } from './build.mjs';

const command = process.argv[2];
try {
  await build(command === 'start' ? undefined : ['cli']);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
process.env.NODE_COMPILE_CACHE ??= 'node_modules/.cache/node';
const { enableCompileCache } = await import('node:module');
enableCompileCache(process.env.NODE_COMPILE_CACHE);
await import('../dist/apps/cli/main.js');
