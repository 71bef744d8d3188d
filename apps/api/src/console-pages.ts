import { existsSync } from 'node:fs';
import { join } from 'node:path';
import helmet from '@fastify/helmet';
import files from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** Nothing inline, nothing from outside, no frame around it. */
const contentSecurityPolicy = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'self'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'", 'data:'],
    connectSrc: ["'self'"],
    objectSrc: ["'none'"],
    baseUri: ["'none'"],
    frameAncestors: ["'none'"],
    formAction: ["'self'"],
  },
};

/**
 * The empty page into which the console lays the HTML of a mail. A mail is a stranger's: nothing runs in it, nothing is loaded from
 * anywhere (a picture would tell that it was read) and nothing is sent; its own colours are all it may bring.
 */
const letterPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/** Serves the built console below /console/. Files with a hash in their name may be kept; the page itself is asked for anew. */
export async function serveConsole(server: FastifyInstance, folder: string): Promise<void> {
  if (!existsSync(join(folder, 'index.html'))) return;
  await server.register(async (pages) => {
    // HSTS belongs to whoever ends TLS in front of us.
    await pages.register(helmet, { contentSecurityPolicy, hsts: false });
    await pages.register(files, {
      root: folder,
      prefix: '/console/',
      redirect: true,
      cacheControl: false,
      setHeaders: (reply, path) => {
        reply.header('cache-control', /\/assets\//.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache');
        if (path.endsWith('/letter.html')) reply.header('content-security-policy', letterPolicy);
      },
    });
    pages.get('/console', (_request, reply) => reply.redirect('/console/', 308));
  });
}
