/**
 * Unpacks cpio archives in the "newc" format into a file system: how the built-in image comes (Linux,
 * Documentation/driver-api/early-userspace/buffer-format.rst).
 */

import { type Inode, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../vfs/inode.ts";
import { RamFile } from "./ramfs-file.ts";

/** The archive is not one; the message says where. */
export class CpioError extends Error {
  constructor(message: string, offset: number) {
    super(`cpio archive: ${message} at byte ${offset}`);
    this.name = "CpioError";
  }
}

export interface CpioEntry {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** A file's bytes, a symbolic link's target. */
  readonly contents: Uint8Array;
}

/** "070701", then thirteen fields of eight hexadecimal digits. */
const MAGIC = "070701";
const HEADER_SIZE = 110;
const TRAILER = "TRAILER!!!";

const align = (offset: number) => Math.ceil(offset / 4) * 4;

/**
 * The entries in the order in which they stand. Contents are parts of `archive`, not copies.
 * @throws CpioError
 */
export function* readCpio(archive: Uint8Array): Generator<CpioEntry> {
  const decoder = new TextDecoder();
  let offset = 0;
  while (true) {
    const header = decoder.decode(archive.subarray(offset, offset + HEADER_SIZE));
    if (header.length < HEADER_SIZE) throw new CpioError("ends without its trailer", offset);
    if (!header.startsWith(MAGIC)) throw new CpioError("no newc header", offset);
    const field = (index: number): number => {
      const digits = header.slice(MAGIC.length + index * 8, MAGIC.length + index * 8 + 8);
      if (!/^[0-9a-f]{8}$/i.test(digits)) throw new CpioError("a header field is not hexadecimal", offset);
      return Number.parseInt(digits, 16);
    };
    const [mode, uid, gid, size, nameSize] = [field(1), field(2), field(3), field(6), field(11)];
    const nameStart = offset + HEADER_SIZE;
    const start = align(nameStart + nameSize);
    if (nameSize === 0 || start + size > archive.length) throw new CpioError("an entry is cut off", offset);
    const path = decoder.decode(archive.subarray(nameStart, nameStart + nameSize - 1));
    if (path === TRAILER) return;
    yield { path, mode, uid, gid, contents: archive.subarray(start, start + size) };
    offset = align(start + size);
  }
}

/**
 * Makes the archive's directories, files and symbolic links below `root`, in a RAM file system. The files' contents stay
 * parts of `archive`, which belongs to the file system from now on.
 * @throws CpioError for a broken archive or an entry without its directory
 */
export function unpackCpio(archive: Uint8Array, root: Inode): void {
  for (const { path, mode, uid, gid, contents } of readCpio(archive)) {
    const names = path.split("/").filter((name) => name !== "" && name !== ".");
    const name = names.pop();
    if (name === undefined) continue;
    let directory = root;
    for (const part of names) {
      const next = directory.lookup(part);
      if (next?.type !== S_IFDIR) throw new CpioError(`${path} is in no directory`, contents.byteOffset);
      directory = next;
    }
    const type = mode & S_IFMT;
    if (type === S_IFDIR) {
      directory.mkdir(name, mode & 0o7777, uid, gid);
    } else if (type === S_IFLNK) {
      directory.symlink(name, new TextDecoder().decode(contents), uid, gid);
    } else if (type === S_IFREG) {
      const file = directory.create(name, mode, 0, uid, gid);
      if (!(file instanceof RamFile)) throw new CpioError(`${path} cannot be written`, contents.byteOffset);
      file.adopt(contents);
    }
  }
}
