/** The program's files for gdb: host I/O packets (appendix E.7) and their File-I/O structures (E.13.9). Reading only. */

import type { Target, TargetFile } from "../target.ts";
import { bytesOfHex, escapeBinary, parseHex, textOf } from "./packet.ts";

const ENOENT = 2;
const EBADF = 9;
const EINVAL = 22;
const EMFILE = 24;
const ENOSYS = 88;
const MOST_FILES = 64;
const MOST_BYTES = 0x3000;
/** struct stat of File-I/O. */
const STAT_SIZE = 64;
const STAT_MODE = 8;
const STAT_NLINK = 12;
const STAT_SIZE_FIELD = 28;
const STAT_BLKSIZE = 36;
const STAT_BLOCKS = 44;
const REGULAR_FILE = 0o100755;

function failure(errno: number): string {
  return `F-1,${errno.toString(16)}`;
}

export class RemoteFiles {
  private readonly files = new Map<number, TargetFile>();
  private next = 3;

  constructor(private readonly target: Target) {}

  /** Answers a vFile packet, without the prefix. */
  answer(request: string): string {
    const colon = request.indexOf(":");
    const operation = request.slice(0, colon < 0 ? undefined : colon);
    const parameters = colon < 0 ? [] : request.slice(colon + 1).split(",");
    switch (operation) {
      case "setfs":
        return "F0";
      case "open":
        return this.open(parameters);
      case "pread":
        return this.read(parameters);
      case "fstat":
        return this.stat(parameters);
      case "close":
        return this.files.delete(parseHex(parameters[0] ?? "") ?? -1) ? "F0" : failure(EBADF);
      case "readlink":
        return failure(EINVAL);
      default:
        return this.target.openFile === undefined ? "" : failure(ENOSYS);
    }
  }

  private open([path = "", flags = ""]: readonly string[]): string {
    if (this.target.openFile === undefined) return "";
    const bytes = bytesOfHex(path);
    if (bytes === undefined || parseHex(flags) === undefined) return failure(EINVAL);
    if (parseHex(flags) !== 0) return failure(EINVAL); // O_RDONLY
    if (this.files.size >= MOST_FILES) return failure(EMFILE);
    const file = this.target.openFile(new TextDecoder().decode(bytes));
    if (file === undefined) return failure(ENOENT);
    const number = this.next++;
    this.files.set(number, file);
    return `F${number.toString(16)}`;
  }

  private read([number = "", count = "", position = ""]: readonly string[]): string {
    const file = this.files.get(parseHex(number) ?? -1);
    const length = parseHex(count);
    const start = parseHex(position);
    if (file === undefined) return failure(EBADF);
    if (length === undefined || start === undefined) return failure(EINVAL);
    const bytes = file.read(start, Math.min(length, MOST_BYTES));
    return `F${bytes.length.toString(16)};${escapeBinary(textOf(bytes))}`;
  }

  private stat([number = ""]: readonly string[]): string {
    const file = this.files.get(parseHex(number) ?? -1);
    if (file === undefined) return failure(EBADF);
    const view = new DataView(new ArrayBuffer(STAT_SIZE));
    view.setUint32(STAT_MODE, REGULAR_FILE);
    view.setUint32(STAT_NLINK, 1);
    view.setBigUint64(STAT_SIZE_FIELD, BigInt(file.size));
    view.setBigUint64(STAT_BLKSIZE, 4096n);
    view.setBigUint64(STAT_BLOCKS, BigInt(Math.ceil(file.size / 512)));
    return `F${STAT_SIZE.toString(16)};${escapeBinary(textOf(new Uint8Array(view.buffer)))}`;
  }
}
