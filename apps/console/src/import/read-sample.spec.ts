import { gzipSync } from 'node:zlib';
import { readSample } from './read-sample.ts';

const row = 'a,1,naïve\n';

describe('the beginning of a file', () => {
  it('is read and decoded', async () => {
    expect(await readSample(new Blob([row]))).toEqual({ text: row, isCut: false, isGzip: false });
  });

  it('is cut where it is long, also in the middle of a character', async () => {
    const sample = await readSample(new Blob(['ü'.repeat(200_000)]));
    expect(sample.isCut).toBe(true);
    expect(sample.text).toBe('ü'.repeat(131_072));
    expect((await readSample(new Blob(['a', 'ü'.repeat(200_000)]))).text).toBe(`a${'ü'.repeat(131_071)}`);
  });

  it('is unpacked', async () => {
    expect(await readSample(new Blob([gzipSync(row)]))).toEqual({ text: row, isCut: false, isGzip: true });
    expect((await readSample(new Blob([gzipSync(row.repeat(100_000))]))).isCut).toBe(true);
  });

  it('loses its byte order mark', async () => {
    expect((await readSample(new Blob(['\ufeffid\n1']))).text).toBe('id\n1');
  });

  it.each([
    ['nothing', '', /is empty/],
    ['empty lines', '\n \r\n', /empty lines only/],
    ['a workbook', 'PK\u0003\u0004…', /Excel/],
    ['UTF-16', new Uint8Array([0xff, 0xfe, 0x61, 0]), /UTF-16/],
    ['Latin-1', new Uint8Array([0x61, 0xe9, 0x62]), /not UTF-8/],
    ['a NUL', 'a\u0000b', /binary/],
    ['a JSON array', '[\n {"a": 1}\n]', /NDJSON/],
    ['a damaged gzip file', gzipSync(row).subarray(0, 12), /damaged/],
    ['a packed workbook', gzipSync('PK\u0003\u0004…'), /Excel/],
  ])('of %s is refused in words', async (_what, content, sentence) => {
    await expect(readSample(new Blob([content]))).rejects.toThrow(sentence);
  });

  it('may be a CSV value that looks like an array', async () => {
    expect((await readSample(new Blob(['[1],[2]\n']))).text).toBe('[1],[2]\n');
  });
});
