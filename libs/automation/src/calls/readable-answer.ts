import type { OutwardAnswer } from '@mainstay/outward';

/** The body of an answer as text that PostgreSQL can keep: in the charset that the answer names, without NUL. */
export function textOf({ headers, body }: Pick<OutwardAnswer, 'headers' | 'body'>): string {
  const charset = /;\s*charset\s*=\s*"?([\w.:-]+)/i.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  return decoderOf(charset).decode(body).replaceAll('\0', '');
}

function decoderOf(charset: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(charset);
  } catch {
    // A charset that nobody knows: most of it will be letters all the same.
    return new TextDecoder();
  }
}
