/** What a body is written in, or may be. */
export type MediaType =
  | { readonly kind: 'json' | 'geojson' | 'csv' | 'ndjson' | 'text' | 'xml' | 'openapi' | 'form' | 'binary' | 'any' | 'stripped-array' }
  | { readonly kind: 'object'; readonly isStripped: boolean }
  | { readonly kind: 'plan'; readonly of: MediaType; readonly format: 'json' | 'text'; readonly options: readonly PlanOption[] }
  | { readonly kind: 'other'; readonly name: string };

export type PlanOption = 'analyze' | 'verbose' | 'settings' | 'buffers' | 'wal';

const planOptions: readonly PlanOption[] = ['analyze', 'verbose', 'settings', 'buffers', 'wal'];

const names = {
  json: 'application/json',
  geojson: 'application/geo+json',
  csv: 'text/csv',
  ndjson: 'application/x-ndjson',
  text: 'text/plain',
  xml: 'text/xml',
  openapi: 'application/openapi+json',
  form: 'application/x-www-form-urlencoded',
  binary: 'application/octet-stream',
  any: '*/*',
  'stripped-array': 'application/vnd.pgrst.array+json;nulls=stripped',
} as const;

const kindsByName = new Map(Object.entries(names).map(([kind, name]) => [name as string, kind as keyof typeof names]));

/** Reads one media type with its parameters. What is unknown keeps its name: a handler in the database may know it. */
export function parseMediaType(text: string): MediaType {
  const match = /^([a-z0-9.*]+)\/([a-z0-9.*+-]+)/i.exec(text);
  if (match === null) return { kind: 'other', name: text };
  const name = match[0].toLowerCase();
  const parameters = parametersOf(text.slice(match[0].length));
  const isStripped = parameters.get('nulls') === 'stripped';
  switch (name) {
    case 'application/vnd.pgrst.object':
    case 'application/vnd.pgrst.object+json':
      return { kind: 'object', isStripped };
    case 'application/vnd.pgrst.array':
    case 'application/vnd.pgrst.array+json':
      return { kind: isStripped ? 'stripped-array' : 'json' };
    case 'application/vnd.pgrst.plan':
    case 'application/vnd.pgrst.plan+text':
      return planOf('text', parameters);
    case 'application/vnd.pgrst.plan+json':
      return planOf('json', parameters);
    default: {
      const kind = kindsByName.get(name);
      return kind === undefined ? { kind: 'other', name: text } : { kind };
    }
  }
}

/** Reads an `Accept` header: the types by falling quality, among equals the narrower first. */
export function parseAccept(header: string | undefined): readonly MediaType[] {
  if (header === undefined || header.trim() === '' || header === '*/*') return [{ kind: 'any' }];
  if (!/[,;]/.test(header)) return [parseMediaType(header.trim())];
  const ranked = splitOutsideQuotes(header).map((text) => {
    const quality = /;\s*q\s*=\s*([0-9.]+)/i.exec(text);
    const type = (quality === null ? text : text.slice(0, quality.index)).trim();
    return { type, quality: quality === null ? 1 : Number(quality[1]), width: widthOf(type) };
  });
  return ranked.filter(({ type, quality }) => type !== '' && quality > 0).sort((a, b) => b.quality - a.quality || a.width - b.width).map(({ type }) => parseMediaType(type));
}

/** The name of a media type, as it stands in a header. */
export function mimeOf(media: MediaType): string {
  switch (media.kind) {
    case 'object':
      return `application/vnd.pgrst.object+json${media.isStripped ? ';nulls=stripped' : ''}`;
    case 'plan': {
      const options = media.options.length === 0 ? '' : `; options=${media.options.join('|')}`;
      return `application/vnd.pgrst.plan+${media.format}; for="${mimeOf(media.of)}"${options}`;
    }
    case 'other':
      return media.name;
    default:
      return names[media.kind];
  }
}

/** The `Content-Type` header of a body of this type. */
export function contentTypeOf(media: MediaType): string {
  return media.kind === 'binary' || media.kind === 'other' ? mimeOf(media) : `${mimeOf(media)}; charset=utf-8`;
}

function planOf(format: 'json' | 'text', parameters: ReadonlyMap<string, string>): MediaType {
  const options = (parameters.get('options') ?? '').split('|');
  return { kind: 'plan', of: parseMediaType(parameters.get('for') ?? names.json), format, options: planOptions.filter((option) => options.includes(option)) };
}

function parametersOf(text: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [, name, quoted, plain] of text.matchAll(/;\s*([a-z0-9-]+)\s*=\s*(?:"([^"]*)"|([^";\s]+))/gi)) parameters.set(name!.toLowerCase(), quoted ?? plain!);
  return parameters;
}

function splitOutsideQuotes(header: string): string[] {
  return header.match(/(?:"[^"]*"|[^",])+/g) ?? [];
}

function widthOf(type: string): number {
  return type.startsWith('*/*') ? 2 : /\/\*/.test(type) ? 1 : 0;
}
