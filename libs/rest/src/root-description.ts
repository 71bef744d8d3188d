import { fault, mimeOf, openapi2, openapi31, parse, type Description, type Request, type RestAnswer, type RestRequest } from '@mainstay/dialect';
import { isService, type Caller } from '@mainstay/domain';
import type { Database } from '@mainstay/persistence';
import { answerOfError } from './database-answers.ts';
import { describeSchema } from './describe-schema.ts';
import { restSession } from './rest-session.ts';
import type { Known, SchemaKeeper } from './schema-keeper.ts';

/** The release of PostgREST whose dialect is spoken. */
const dialectVersion = '16.2';

/** Describes the data API to people and to tools: at its root in OpenAPI 2, as PostgREST does, and in OpenAPI 3.1. */
export class RootDescription {
  constructor(
    private readonly database: Database,
    private readonly schema: SchemaKeeper,
  ) {}

  /** The request that the operator's own function answers in place of the description, or the request itself. */
  lead(http: RestRequest): RestRequest {
    const rootSpec = this.schema.current().options.description?.rootSpec ?? null;
    return rootSpec === null ? http : { ...http, path: `/rpc/${encodeURIComponent(rootSpec.split('.').at(-1)!)}` };
  }

  /** The answer to a read of the root. @throws Fault where there is none for this caller. */
  async answer(http: RestRequest, caller: Caller): Promise<RestAnswer> {
    const known = this.schema.current();
    const { description: terms } = known.options;
    if (terms === undefined || terms.mode === 'disabled') throw fault('PGRST126');
    checkReader(caller, known);
    const request = parse(http, known.options, { mayChooseTx: false });
    checkAccept(request);
    const description = await this.read(http, request, caller, known);
    const text = JSON.stringify(openapi2(description, known.cache, { url: terms.url, version: dialectVersion, isSecurityActive: terms.isSecurityActive, searchPath: [request.schema, ...known.options.extraSearchPath] }));
    return {
      status: 200,
      headers: [['Content-Type', 'application/openapi+json; charset=utf-8'], ...(request.isSchemaNegotiated ? [['Content-Profile', request.schema] as const] : [])],
      body: http.method === 'HEAD' ? null : text,
    };
  }

  /** The OpenAPI 3.1 document of the schema that `Accept-Profile` names, or of the first one. @throws Fault where there is none for this caller. */
  async openapi31(http: RestRequest, caller: Caller, { url, version }: { readonly url: string; readonly version: string }): Promise<Record<string, unknown>> {
    const known = this.schema.current();
    if (known.options.description === undefined || known.options.description.mode === 'disabled') throw fault('PGRST126');
    checkReader(caller, known);
    const request = parse({ ...http, path: '/', query: '', headers: { ...http.headers, accept: undefined } }, known.options, { mayChooseTx: false });
    const description = await this.read(http, request, caller, known);
    return openapi31(description, known.cache, { url, version, isDefaultSchema: request.schema === known.options.schemas[0] });
  }

  private async read(http: RestRequest, request: Request, caller: Caller, known: Known): Promise<Description> {
    const { options } = known;
    const terms = { schema: request.schema, role: caller.role, followsPrivileges: options.description?.mode !== 'ignore-privileges' };
    try {
      if (options.preRequest !== null) await this.callPreRequest(http, request, caller, known);
      return await describeSchema(this.database, terms);
    } catch (error) {
      throw answerOfError(error, { isAnonymous: caller.role === options.guestRole, isReadOnly: true });
    }
  }

  /** Whoever guards every request by a function guards this one as well. */
  private async callPreRequest(http: RestRequest, request: Request, caller: Caller, known: Known): Promise<void> {
    const { schema, name } = known.options.preRequest!;
    const quote = (word: string): string => `"${word.replaceAll('"', '""')}"`;
    const access = { isReadOnly: true, isolation: null, settings: {} };
    await this.database.once(restSession(http, { request, access }, caller, known), { text: `select ${schema === '' ? '' : `${quote(schema)}.`}${quote(name)}()`, values: [] });
  }
}

/** Whether a request reads the root, where there is no collection. */
export function isRoot({ method, path }: RestRequest): boolean {
  return (path === '/' || path === '') && (method === 'GET' || method === 'HEAD');
}

/** Names of tables and columns are not for everybody, unless the operator says so. */
function checkReader(caller: Caller, { options }: Known): void {
  if (options.description?.readers !== 'everybody' && !isService(caller)) throw fault('PGRSTX70');
}

function checkAccept({ accepts }: Request): void {
  if (accepts.some(({ kind }) => kind === 'openapi' || kind === 'json' || kind === 'any')) return;
  throw fault('PGRST107', { message: `None of these media types are available: ${accepts.map(mimeOf).join(', ')}` });
}
