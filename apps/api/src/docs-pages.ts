import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import helmet from '@fastify/helmet';
import files from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** Nothing from outside and nothing inline, but for the styles that Swagger UI sets on its own elements. */
const contentSecurityPolicy = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", 'data:'],
    fontSrc: ["'self'"],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    frameAncestors: ["'none'"],
    formAction: ["'none'"],
  },
};

/** What the page needs of the package; its own start page and its maps stay where they are. */
const parts = new Set(['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-16x16.png', 'favicon-32x32.png']);

/** Serves the page below /docs/ that shows the description of the data API and tries requests, all of it from here. */
export async function serveDocs(server: FastifyInstance): Promise<void> {
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  await server.register(async (pages) => {
    // HSTS belongs to whoever ends TLS in front of us.
    await pages.register(helmet, { contentSecurityPolicy, hsts: false });
    await pages.register(files, { root: join(folder), prefix: '/docs/parts/', index: false, allowedPath: (path) => parts.has(path.replace(/^\//, '')), maxAge: '1h' });
    pages.get('/docs', (_request, reply) => reply.redirect('/docs/', 308));
    pages.get('/docs/', (_request, reply) => reply.type('text/html; charset=utf-8').header('cache-control', 'no-cache').send(page));
    pages.get('/docs/start.js', (_request, reply) => reply.type('text/javascript; charset=utf-8').header('cache-control', 'no-cache').send(start));
    pages.get('/docs/page.css', (_request, reply) => reply.type('text/css; charset=utf-8').header('cache-control', 'no-cache').send(style));
  });
}

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Data API</title>
<link rel="icon" href="/docs/parts/favicon-32x32.png">
<link rel="stylesheet" href="/docs/parts/swagger-ui.css">
<link rel="stylesheet" href="/docs/page.css">
</head>
<body>
<form id="key-form" autocomplete="off">
<label for="key">API key</label>
<input id="key" type="password" placeholder="sb_secret_… or a service role token">
<button>Show</button>
<span id="note" role="status"></span>
</form>
<main id="api"></main>
<script src="/docs/parts/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

/** The key stays in this tab: it is sent with the description's and every tried request, and forgotten with the tab. */
const start = `'use strict';
const field = document.getElementById('key');
const note = document.getElementById('note');
field.value = sessionStorage.getItem('mainstay-docs-key') ?? '';

async function show() {
  const key = field.value.trim();
  sessionStorage.setItem('mainstay-docs-key', key);
  const headers = key === '' ? {} : { apikey: key };
  const schema = new URLSearchParams(location.search).get('schema');
  const answer = await fetch('/openapi/rest.json' + (schema ? '?schema=' + encodeURIComponent(schema) : ''), { headers });
  const spec = await answer.json();
  if (!answer.ok) {
    note.textContent = spec.message + (key === '' ? '. Give the service key above.' : '');
    return;
  }
  note.textContent = '';
  window.SwaggerUIBundle({
    spec,
    domNode: document.getElementById('api'),
    docExpansion: 'none',
    validatorUrl: null,
    persistAuthorization: false,
    requestInterceptor: (request) => {
      if (key !== '' && !request.headers.apikey) request.headers.apikey = key;
      return request;
    },
  });
}

document.getElementById('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  void show();
});
void show();
`;

const style = `body { margin: 0; }
#key-form { display: flex; gap: .5rem; align-items: center; padding: .75rem 1.25rem; font: 14px/1.4 system-ui, sans-serif; background: #f3f4f6; }
#key { flex: 0 1 28rem; padding: .4rem .5rem; border: 1px solid #9ca3af; border-radius: 4px; }
#key-form button { padding: .4rem .9rem; }
#note { color: #b91c1c; }
`;
