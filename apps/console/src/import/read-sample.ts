/** The beginning of a file, unpacked and decoded: enough to guess from, however large the file is. */
export interface Sample {
  readonly text: string;
  /** Whether the sample ends before the file does. */
  readonly isCut: boolean;
  readonly isGzip: boolean;
}

const sampleBytes = 256 * 1024;

const signatures: readonly { readonly bytes: readonly number[]; readonly sentence: string }[] = [
  { bytes: [0x50, 0x4b, 0x03, 0x04], sentence: 'This is a ZIP archive or an Excel workbook. Unpack it, or save the sheet as “CSV UTF-8”, and drop that file.' },
  { bytes: [0xd0, 0xcf, 0x11, 0xe0], sentence: 'This is an old Excel workbook. Save the sheet as “CSV UTF-8” and drop that file.' },
  { bytes: [0x50, 0x41, 0x52, 0x31], sentence: 'This is a Parquet file. Write it as CSV or NDJSON and drop that file.' },
  { bytes: [0xff, 0xfe], sentence: 'This file is UTF-16. Save it as UTF-8 and drop it again.' },
  { bytes: [0xfe, 0xff], sentence: 'This file is UTF-16. Save it as UTF-8 and drop it again.' },
];

/** Reads the beginning of a file; refuses in one sentence what is no text in UTF-8. */
export async function readSample(file: Blob): Promise<Sample> {
  if (file.size === 0) throw new Error('This file is empty.');
  const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  const isGzip = head[0] === 0x1f && head[1] === 0x8b;
  refuseOther(head);
  const { bytes, isCut } = await readBeginning(isGzip ? file.stream().pipeThrough(new DecompressionStream('gzip')) : file.stream(), isGzip);
  if (isGzip) refuseOther(bytes);
  if (bytes.length === 0) throw new Error('This file is empty once it is unpacked.');
  const text = decode(bytes, isCut);
  if (!isCut && text.trim() === '') throw new Error('This file holds empty lines only.');
  if (/^\s*\[/.test(text) && isWholeJson(text, isCut)) throw new Error('This is one JSON array. Write each object on a line of its own (NDJSON) and drop that file.');
  return { text, isCut, isGzip };
}

function refuseOther(bytes: Uint8Array): void {
  const other = signatures.find((signature) => signature.bytes.every((byte, index) => bytes[index] === byte));
  if (other !== undefined) throw new Error(other.sentence);
}

async function readBeginning(stream: ReadableStream<Uint8Array>, isGzip: boolean): Promise<{ bytes: Uint8Array; isCut: boolean }> {
  const reader = stream.getReader();
  const bytes = new Uint8Array(sampleBytes);
  let length = 0;
  try {
    while (length < sampleBytes) {
      const { done, value } = await reader.read();
      if (done) return { bytes: bytes.subarray(0, length), isCut: false };
      const part = value.subarray(0, sampleBytes - length);
      bytes.set(part, length);
      length += part.length;
    }
    return { bytes, isCut: true };
  } catch (cause) {
    throw new Error(isGzip ? 'This gzip file is damaged and cannot be unpacked.' : 'This file cannot be read any more. Was it moved or changed?', { cause });
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function decode(bytes: Uint8Array, isCut: boolean): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: isCut });
  } catch (cause) {
    throw new Error('This file is not UTF-8 text. Save it as UTF-8 (in a spreadsheet: “CSV UTF-8”) and drop it again.', { cause });
  }
  if (text.includes('\u0000')) throw new Error('This file holds binary data (a NUL character), so it is no text that can be imported.');
  return text;
}

/** `[` may begin a CSV value too; only what is JSON, or was cut before one could tell, is taken for an array. */
function isWholeJson(text: string, isCut: boolean): boolean {
  if (isCut) return /^\s*\[\s*\{/.test(text);
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}
