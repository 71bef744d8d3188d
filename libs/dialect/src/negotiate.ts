import { fault } from './faults.ts';
import { mimeOf, parseMediaType, type MediaType } from './media-types.ts';
import type { QualifiedName, SchemaCache } from './schema-cache.ts';

/** How the body is made of the rows. */
export type Shape =
  | { readonly kind: 'array' | 'stripped-array' | 'csv' | 'ndjson' | 'geojson' | 'nothing' }
  | { readonly kind: 'object'; readonly isStripped: boolean }
  | { readonly kind: 'custom'; readonly aggregate: QualifiedName; readonly rowType: QualifiedName | null; readonly isBinary: boolean };

export interface Answer {
  readonly media: MediaType;
  readonly shape: Shape;
}

interface Terms {
  readonly cache: SchemaCache;
  /** The collection read, or the function called. */
  readonly target: QualifiedName;
  readonly accepts: readonly MediaType[];
  /** Handlers for a collection take its whole rows, so they hear only where nothing was selected. */
  readonly isWholeRow: boolean;
  readonly arePlansAllowed: boolean;
}

/**
 * The first acceptable way to write the answer.
 * @throws Fault PGRST107 where there is none.
 */
export function negotiate(terms: Terms): Answer {
  for (const media of terms.accepts) {
    const answer = answerIn(media, terms);
    if (answer !== null) return answer;
  }
  throw fault('PGRST107', { message: `None of these media types are available: ${terms.accepts.map(mimeOf).join(', ')}` });
}

function answerIn(media: MediaType, terms: Terms): Answer | null {
  switch (media.kind) {
    case 'object':
      return { media, shape: { kind: 'object', isStripped: media.isStripped } };
    case 'stripped-array':
      return { media, shape: { kind: 'stripped-array' } };
    case 'plan': {
      const inner = terms.arePlansAllowed ? answerIn(media.of, terms) : null;
      return inner === null ? null : { media, shape: inner.shape };
    }
    default:
      return handlerFor(media, terms) ?? builtIn(media, terms.cache);
  }
}

/** A handler of the database goes before ours: for the target, then for any row. */
function handlerFor(media: MediaType, { cache, target, isWholeRow }: Terms): Answer | null {
  const ofTarget = isWholeRow ? cache.mediaHandlers.filter((handler) => handler.target?.schema === target.schema && handler.target.name === target.name) : [];
  const ofAnyRow = cache.mediaHandlers.filter((handler) => handler.target === null);
  const name = mimeOf(media).toLowerCase();
  const found = ofTarget.find(({ mediaType }) => mediaType === '*/*') ?? [...ofTarget, ...ofAnyRow].find(({ mediaType }) => mediaType === name);
  if (found === undefined) return null;
  return { media: parseMediaType(found.answeredType), shape: { kind: 'custom', aggregate: found.aggregate, rowType: found.target, isBinary: found.isBinary } };
}

function builtIn(media: MediaType, { types }: SchemaCache): Answer | null {
  switch (media.kind) {
    case 'any':
    case 'json':
      return { media: { kind: 'json' }, shape: { kind: 'array' } };
    case 'csv':
    case 'ndjson':
      return { media, shape: { kind: media.kind } };
    case 'geojson':
      // PostGIS writes it, so it is there where PostGIS is.
      return types.has('geometry') ? { media, shape: { kind: 'geojson' } } : null;
    default:
      return null;
  }
}
