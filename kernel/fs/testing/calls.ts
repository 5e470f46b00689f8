/** File operations as tests make them, with two implementations: a guest's system calls and the host's, through node:fs. */

import * as fs from "node:fs";
import * as os from "node:os";
import { decodeName } from "../../vfs/names.ts";
import { FlatMemory, type Guest } from "./guest.ts";

/** What a call gave: a count or 0, a negative errno, or text. */
export type Outcome = number | string;

export interface Calls {
  /** A descriptor or a negative errno. */
  open(path: string, flags: number, mode: number): number;
  close(fd: number): Outcome;
  read(fd: number, count: number, position: number | undefined): Outcome;
  write(fd: number, text: string, position: number | undefined): Outcome;
  ftruncate(fd: number, size: number): Outcome;
  fstat(fd: number): Outcome;
  mkdir(path: string, mode: number): Outcome;
  rmdir(path: string): Outcome;
  unlink(path: string): Outcome;
  rename(from: string, to: string): Outcome;
  link(from: string, to: string): Outcome;
  symlink(target: string, path: string): Outcome;
  readlink(path: string): Outcome;
  stat(path: string): Outcome;
  lstat(path: string): Outcome;
  chmod(path: string, mode: number): Outcome;
  truncate(path: string, size: number): Outcome;
  access(path: string, mode: number): Outcome;
  utimes(path: string, atime: number, mtime: number): Outcome;
  readdir(path: string): Outcome;
}

interface StatParts {
  mode: number;
  nlink: number;
  size: number;
  mtime: number;
}

/** What must agree: not device, inode, nor what only the storage decides (sizes of directories, blocks). */
function describe({ mode, nlink, size, mtime }: StatParts): string {
  const type = mode & 0o170000;
  // Only times that a test has set (long ago) are comparable.
  const time = mtime < 1_000_000_000 ? ` mtime=${mtime}` : "";
  return `mode=${mode.toString(8)} nlink=${nlink}${type === 0o040000 ? "" : ` size=${size}`}${type === 0o120000 ? "" : time}`;
}

export class GuestCalls implements Calls {
  private readonly buffer = FlatMemory.BASE + 0x40000;

  constructor(
    readonly guest: Guest,
    /** Prefixed to relative paths. */
    private readonly base: string,
  ) {}

  private at(path: string): string {
    return path === "" || path.startsWith("/") ? path : `${this.base}/${path}`;
  }

  open(path: string, flags: number, mode: number): number {
    return this.guest.now("open", this.at(path), flags, mode);
  }

  close(fd: number): Outcome {
    return this.guest.now("close", fd);
  }

  read(fd: number, count: number, position: number | undefined): Outcome {
    const { guest, buffer } = this;
    const result =
      position === undefined
        ? guest.now("read", fd, buffer, count)
        : guest.now("pread64", fd, buffer, count, position);
    return result < 0 ? result : `"${decodeName(guest.memory.read(buffer, result))}"`;
  }

  write(fd: number, text: string, position: number | undefined): Outcome {
    const data = new TextEncoder().encode(text);
    return position === undefined
      ? this.guest.now("write", fd, data, data.length)
      : this.guest.now("pwrite64", fd, data, data.length, position);
  }

  ftruncate(fd: number, size: number): Outcome {
    return this.guest.now("ftruncate", fd, size);
  }

  fstat(fd: number): Outcome {
    return this.described(this.guest.now("fstat", fd, this.buffer));
  }

  mkdir(path: string, mode: number): Outcome {
    return this.guest.now("mkdir", this.at(path), mode);
  }

  rmdir(path: string): Outcome {
    return this.guest.now("rmdir", this.at(path));
  }

  unlink(path: string): Outcome {
    return this.guest.now("unlink", this.at(path));
  }

  rename(from: string, to: string): Outcome {
    return this.guest.now("rename", this.at(from), this.at(to));
  }

  link(from: string, to: string): Outcome {
    return this.guest.now("link", this.at(from), this.at(to));
  }

  symlink(target: string, path: string): Outcome {
    return this.guest.now("symlink", target, this.at(path));
  }

  readlink(path: string): Outcome {
    const { guest, buffer } = this;
    const result = guest.now("readlink", this.at(path), buffer, 4096);
    return result < 0 ? result : decodeName(guest.memory.read(buffer, result));
  }

  stat(path: string): Outcome {
    return this.described(this.guest.now("stat", this.at(path), this.buffer));
  }

  lstat(path: string): Outcome {
    return this.described(this.guest.now("lstat", this.at(path), this.buffer));
  }

  private described(result: number): Outcome {
    if (result < 0) return result;
    const { memory } = this.guest;
    return describe({
      mode: memory.readU32(this.buffer + 24),
      nlink: memory.readI64(this.buffer + 16),
      size: memory.readI64(this.buffer + 48),
      mtime: memory.readI64(this.buffer + 88),
    });
  }

  chmod(path: string, mode: number): Outcome {
    return this.guest.now("chmod", this.at(path), mode);
  }

  truncate(path: string, size: number): Outcome {
    return this.guest.now("truncate", this.at(path), size);
  }

  access(path: string, mode: number): Outcome {
    return this.guest.now("access", this.at(path), mode);
  }

  utimes(path: string, atime: number, mtime: number): Outcome {
    const times = new Uint8Array(32);
    const view = new DataView(times.buffer);
    view.setBigInt64(0, BigInt(atime), true);
    view.setBigInt64(16, BigInt(mtime), true);
    return this.guest.now("utimes", this.at(path), times);
  }

  readdir(path: string): Outcome {
    const { guest, buffer } = this;
    const fd = this.open(path, fs.constants.O_DIRECTORY, 0);
    if (fd < 0) return fd;
    const names: string[] = [];
    try {
      for (;;) {
        // A small buffer, so that listings take several calls.
        const length = guest.now("getdents64", fd, buffer, 300);
        if (length < 0) return length;
        if (length === 0) break;
        for (let at = 0; at < length; ) {
          const size = guest.memory.readU16(buffer + at + 16);
          const type = guest.memory.readU8(buffer + at + 18);
          const name = guest.memory.readString(buffer + at + 19);
          if (name !== "." && name !== "..") names.push(`${name}:${type}`);
          at += size;
        }
      }
    } finally {
      this.close(fd);
    }
    return names.sort().join(" ");
  }
}

export class HostCalls implements Calls {
  constructor(private readonly base: string) {}

  private at(path: string): string {
    return path === "" || path.startsWith("/") ? path : `${this.base}/${path}`;
  }

  private attempt(call: () => Outcome | void): Outcome {
    try {
      return call() ?? 0;
    } catch (error) {
      return errnoOfNode(error);
    }
  }

  open(path: string, flags: number, mode: number): number {
    try {
      return fs.openSync(this.at(path), flags, mode & ~0o022);
    } catch (error) {
      return errnoOfNode(error);
    }
  }

  close(fd: number): Outcome {
    return this.attempt(() => fs.closeSync(fd));
  }

  read(fd: number, count: number, position: number | undefined): Outcome {
    return this.attempt(() => {
      const buffer = Buffer.alloc(count);
      const length = fs.readSync(fd, buffer, 0, count, position ?? null);
      return `"${buffer.toString("utf8", 0, length)}"`;
    });
  }

  write(fd: number, text: string, position: number | undefined): Outcome {
    return this.attempt(() => fs.writeSync(fd, text, position ?? null));
  }

  ftruncate(fd: number, size: number): Outcome {
    return this.attempt(() => fs.ftruncateSync(fd, size));
  }

  fstat(fd: number): Outcome {
    return this.attempt(() => describeHost(fs.fstatSync(fd)));
  }

  mkdir(path: string, mode: number): Outcome {
    return this.attempt(() => void fs.mkdirSync(this.at(path), mode & ~0o022));
  }

  rmdir(path: string): Outcome {
    return this.attempt(() => fs.rmdirSync(this.at(path)));
  }

  unlink(path: string): Outcome {
    return this.attempt(() => fs.unlinkSync(this.at(path)));
  }

  rename(from: string, to: string): Outcome {
    return this.attempt(() => fs.renameSync(this.at(from), this.at(to)));
  }

  link(from: string, to: string): Outcome {
    return this.attempt(() => fs.linkSync(this.at(from), this.at(to)));
  }

  symlink(target: string, path: string): Outcome {
    return this.attempt(() => fs.symlinkSync(target, this.at(path)));
  }

  readlink(path: string): Outcome {
    return this.attempt(() => fs.readlinkSync(this.at(path)));
  }

  stat(path: string): Outcome {
    return this.attempt(() => describeHost(fs.statSync(this.at(path))));
  }

  lstat(path: string): Outcome {
    return this.attempt(() => describeHost(fs.lstatSync(this.at(path))));
  }

  chmod(path: string, mode: number): Outcome {
    return this.attempt(() => fs.chmodSync(this.at(path), mode));
  }

  truncate(path: string, size: number): Outcome {
    // truncateSync opens the file; the errors of truncate(2) differ for what cannot be opened, so this is only for files.
    return this.attempt(() => fs.truncateSync(this.at(path), size));
  }

  access(path: string, mode: number): Outcome {
    return this.attempt(() => fs.accessSync(this.at(path), mode));
  }

  utimes(path: string, atime: number, mtime: number): Outcome {
    return this.attempt(() => fs.utimesSync(this.at(path), atime, mtime));
  }

  readdir(path: string): Outcome {
    return this.attempt(() => {
      const entries = fs.readdirSync(this.at(path), { withFileTypes: true });
      return entries
        .map((entry) => `${entry.name}:${entry.isDirectory() ? 4 : entry.isSymbolicLink() ? 10 : 8}`)
        .sort()
        .join(" ");
    });
  }
}

function describeHost(stat: fs.Stats): string {
  return describe({
    mode: stat.mode,
    nlink: stat.nlink,
    size: stat.size,
    mtime: Math.floor(stat.mtimeMs / 1000),
  });
}

function errnoOfNode(error: unknown): number {
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    const number = (os.constants.errno as Record<string, number>)[error.code];
    if (number !== undefined) return -number;
  }
  throw error;
}
