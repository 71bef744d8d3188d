import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const api = process.env['MAINSTAY_API'] ?? 'http://127.0.0.1:54321';

/** The console is static pages that the api serves under `/console/`; `vite apps/console` serves them against a running api. */
export default defineConfig(({ command }) => {
  // Whoever builds inside a test run has NODE_ENV=test, and React would then bring its development half.
  if (command === 'build') process.env['NODE_ENV'] = 'production';
  return {
    base: '/console/',
    build: {
      outDir: '../../dist/apps/console',
      emptyOutDir: true,
      sourcemap: false,
      // A `data:` address in a stylesheet would need more than the api's policy gives.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
    plugins: [react()],
    server: { proxy: Object.fromEntries(['/rest', '/imports', '/jobs', '/collections', '/connection', '/health'].map((path) => [path, api])) },
  };
});
