import { crc32 } from 'node:zlib';
import { exportFault } from './export-faults.ts';
import { deflated, type FilePiece } from './packed.ts';

interface Entry {
  readonly name: Buffer;
  readonly at: number;
  readonly crc: number;
  readonly size: number;
  readonly packedSize: number;
}

/** What a zip without the 64-bit extension can count; every reader of spreadsheets understands one. */
const most = 0xffffffff;
/** Sizes follow the data, and names are UTF-8. */
const flags = 0x0808;
const deflate = 8;
/** A time that says nothing: 1980-01-01. */
const dosDate = 0x0021;

/** Writes a zip as it comes: of each member only the sum and the sizes are remembered (APPNOTE.TXT 6.3). */
export class Zip {
  private at = 0;
  private readonly entries: Entry[] = [];

  /** A member whose content is not known before it has been read to its end. */
  async *member(name: string, content: AsyncIterable<FilePiece>): AsyncGenerator<FilePiece, void, undefined> {
    const start = this.at;
    const bytesOfName = Buffer.from(name);
    let crc = 0;
    let size = 0;
    let packedSize = 0;
    const counted = async function* (): AsyncGenerator<FilePiece> {
      for await (const piece of content) {
        crc = crc32(piece.bytes, crc);
        size += piece.bytes.length;
        yield piece;
      }
    };
    yield this.count({ bytes: localHead(bytesOfName), rows: 0 });
    for await (const piece of deflated(counted())) {
      packedSize += piece.bytes.length;
      yield this.count(piece);
    }
    if (size > most || this.at > most) throw exportFault('file_too_large', { details: 'A spreadsheet holds 4 GiB at most.', hint: 'Choose fewer rows or columns, or another format.' });
    yield this.count({ bytes: descriptor(crc, packedSize, size), rows: 0 });
    this.entries.push({ name: bytesOfName, at: start, crc, size, packedSize });
  }

  /** The list of all members, which ends a zip. */
  end(): FilePiece {
    const start = this.at;
    const heads = this.entries.flatMap((entry) => [centralHead(entry), entry.name]);
    const size = heads.reduce((sum, { length }) => sum + length, 0);
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt16LE(this.entries.length, 8);
    end.writeUInt16LE(this.entries.length, 10);
    end.writeUInt32LE(size, 12);
    end.writeUInt32LE(start, 16);
    return { bytes: Buffer.concat([...heads, end]), rows: 0 };
  }

  private count(piece: FilePiece): FilePiece {
    this.at += piece.bytes.length;
    return piece;
  }
}

function localHead(name: Buffer): Buffer {
  const head = Buffer.alloc(30);
  head.writeUInt32LE(0x04034b50, 0);
  head.writeUInt16LE(20, 4);
  head.writeUInt16LE(flags, 6);
  head.writeUInt16LE(deflate, 8);
  head.writeUInt16LE(dosDate, 12);
  head.writeUInt16LE(name.length, 26);
  return Buffer.concat([head, name]);
}

function descriptor(crc: number, packedSize: number, size: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(0x08074b50, 0);
  bytes.writeUInt32LE(crc, 4);
  bytes.writeUInt32LE(packedSize, 8);
  bytes.writeUInt32LE(size, 12);
  return bytes;
}

function centralHead({ name, at, crc, size, packedSize }: Entry): Buffer {
  const head = Buffer.alloc(46);
  head.writeUInt32LE(0x02014b50, 0);
  head.writeUInt16LE(20, 4);
  head.writeUInt16LE(20, 6);
  head.writeUInt16LE(flags, 8);
  head.writeUInt16LE(deflate, 10);
  head.writeUInt16LE(dosDate, 14);
  head.writeUInt32LE(crc, 16);
  head.writeUInt32LE(packedSize, 20);
  head.writeUInt32LE(size, 24);
  head.writeUInt16LE(name.length, 28);
  head.writeUInt32LE(at, 42);
  return head;
}
