import type { ExportFormat, ExportTerms } from '@mainstay/persistence';

interface Format {
  readonly mediaType: string;
  /** Other names of the same in an `Accept` header. */
  readonly synonyms: readonly string[];
  /** It is text that packs well; the others are packed inside. */
  readonly isText: boolean;
}

/** What a collection can be written as. */
export const formats: Readonly<Record<ExportFormat, Format>> = {
  csv: { mediaType: 'text/csv; charset=utf-8', synonyms: ['text/csv', 'application/csv', 'text/*'], isText: true },
  ndjson: { mediaType: 'application/x-ndjson; charset=utf-8', synonyms: ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonlines'], isText: true },
  xlsx: { mediaType: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', synonyms: ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'], isText: false },
  parquet: { mediaType: 'application/vnd.apache.parquet', synonyms: ['application/vnd.apache.parquet', 'application/parquet', 'application/x-parquet'], isText: false },
};

export const formatNames = Object.keys(formats) as readonly ExportFormat[];

export function isFormat(text: string): text is ExportFormat {
  return Object.hasOwn(formats, text);
}

/** The format that an `Accept` header likes best; CSV where everything will do, null where nothing of ours will. */
export function formatAccepted(accept: string | undefined): ExportFormat | null {
  if (accept === undefined || accept.trim() === '') return 'csv';
  const asked = accept
    .split(',')
    .map((item) => {
      const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
      const quality = parameters.find((parameter) => parameter.startsWith('q='));
      return { type, quality: quality === undefined ? 1 : Number(quality.slice(2)) };
    })
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality);
  for (const { type } of asked) {
    const format = formatNames.find((name) => formats[name].synonyms.includes(type));
    if (format !== undefined) return format;
    if (type === '*/*') return 'csv';
  }
  return null;
}

/** The media type of a file that is packed or not. */
export function mediaTypeOf(format: ExportFormat, { isGzip }: Pick<ExportTerms, 'isGzip'>): string {
  return isGzip ? 'application/gzip' : formats[format].mediaType;
}

/** What a file of a collection is called. */
export function fileNameOf(collection: string, format: ExportFormat, { isGzip }: Pick<ExportTerms, 'isGzip'>): string {
  // What a file system or a header could take for something else.
  const name = collection.replace(/[\p{Cc}\p{Cf}/\\:*?"<>|]/gu, '_').replace(/^\.+/, '_');
  return `${name === '' ? 'export' : name}.${format}${isGzip ? '.gz' : ''}`;
}

/** The header that gives a download its name: in ASCII for old readers, whole for the others (RFC 6266). */
export function dispositionOf(fileName: string): string {
  const ascii = fileName.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(fileName).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${ascii}"${ascii === fileName ? '' : `; filename*=UTF-8''${encoded}`}`;
}
