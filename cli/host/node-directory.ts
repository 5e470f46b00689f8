/** A directory of this computer as {@link HostDirectory}: `--root DIR`. */

import * as fs from "node:fs";
import {
  type HostDirectory,
  HostError,
  type HostFile,
  type HostSpace,
  type HostStat,
} from "../../kernel/host.ts";
import { decodeName } from "../../kernel/vfs/names.ts";
import {
  CheckingPathFinder,
  HandlePathFinder,
  type NodePath,
  nodePath,
  type PathFinder,
} from "./directory-handles.ts";

const O_PATH = 0o10000000;
const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } =
  fs.constants;

const STAT_OPTIONS = { bigint: true, throwIfNoEntry: false } as const;

export interface NodeDirectoryOptions {
  /** Refuse every change with EROFS. */
  readonly readOnly?: boolean;
}

/** The names in a directory in the host's own order, which programs such as find(1) show; readdirSync would sort them. */
function listInOrder(path: NodePath): string[] {
  const directory = fs.opendirSync(path, { bufferSize: 256 });
  try {
    const names: string[] = [];
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync())
      names.push(entry.name);
    return names;
  } finally {
    directory.closeSync();
  }
}

/** Node's errors carry Linux' name of what went wrong; anything else is a bug or an odd argument. */
function hostError(error: unknown): unknown {
  if (error instanceof HostError || !(error instanceof Error) || !("code" in error)) return error;
  const code = String(error.code);
  return new HostError(code.startsWith("ERR_") ? "EINVAL" : code, error.message);
}

/** A time as node:fs wants it: seconds, or (since it takes negative seconds for "now") a Date before 1970. */
function nodeTime(ns: bigint): number | Date {
  return ns < 0n ? new Date(Number(ns / 1_000_000n)) : Number(ns) / 1e9;
}

/**
 * node:fs sets times only to the microsecond. What was asked for is remembered as long as the host still shows what it
 * made of it, so that a copied time is equal to its original.
 */
class ExactTimes {
  private static readonly LIMIT = 65536;
  private readonly times = new Map<bigint, { asked: bigint; shown: bigint }>();

  /** The key of one of a file's times. */
  private static key(ino: bigint, time: "atime" | "mtime"): bigint {
    return ino * 2n + (time === "mtime" ? 1n : 0n);
  }

  remember(ino: bigint, time: "atime" | "mtime", asked: bigint, shown: bigint): void {
    const key = ExactTimes.key(ino, time);
    this.times.delete(key);
    if (asked === shown) return;
    this.times.set(key, { asked, shown });
    if (this.times.size <= ExactTimes.LIMIT) return;
    for (const oldest of this.times.keys()) {
      this.times.delete(oldest);
      return;
    }
  }

  correct(stat: HostStat): HostStat {
    if (this.times.size === 0) return stat;
    for (const time of ["atime", "mtime"] as const) {
      const known = this.times.get(ExactTimes.key(stat.ino, time));
      if (known?.shown === stat[time]) stat[time] = known.asked;
    }
    return stat;
  }
}

export class NodeDirectory implements HostDirectory {
  readonly readOnly: boolean;
  private readonly finder: PathFinder;
  private readonly exactTimes = new ExactTimes();
  /** What open(2) and mkdir(2) take away from the modes they are given. */
  private readonly umask = process.umask();
  /**
   * In the guest there is only root. When we are not root on the host, our own files are root's there, as in a user
   * name space; all others show the owner they have.
   */
  private readonly uid = process.getuid?.() ?? 0;
  private readonly gid = process.getgid?.() ?? 0;

  /** Throws {@link HostError} when `root` is not a directory. */
  constructor(root: string, options: NodeDirectoryOptions = {}) {
    this.readOnly = options.readOnly ?? false;
    try {
      if (!fs.statSync(root).isDirectory()) throw new HostError("ENOTDIR", `${root}: is not a directory`);
      this.finder = HandlePathFinder.isSupported(root)
        ? new HandlePathFinder(root)
        : new CheckingPathFinder(root);
    } catch (error) {
      throw hostError(error);
    }
  }

  /** Gives up what is open. */
  dispose(): void {
    this.finder.dispose();
  }

  lstat(path: string): HostStat | undefined {
    try {
      const stat = fs.lstatSync(this.finder.reach(path), STAT_OPTIONS);
      if (stat !== undefined) return this.convert(stat);
    } catch (error) {
      if (!isMissing(error)) throw hostError(error);
    }
    if (!this.finder.mayBeStale(path)) return undefined;
    try {
      const stat = fs.lstatSync(this.finder.reach(path), STAT_OPTIONS);
      return stat === undefined ? undefined : this.convert(stat);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw hostError(error);
    }
  }

  /** Makes a call; when it finds nothing because of a directory that has moved, makes it again. */
  private call<T>(path: string, operation: () => T): T {
    try {
      return operation();
    } catch (error) {
      if (!isMissing(error) || !this.finder.mayBeStale(path)) throw hostError(error);
    }
    try {
      return operation();
    } catch (error) {
      throw hostError(error);
    }
  }

  private change<T>(path: string, operation: () => T): T {
    if (this.readOnly) throw new HostError("EROFS");
    return this.call(path, operation);
  }

  readdir(path: string): { name: string; ino: bigint; type: number }[] {
    return this.call(path, () => {
      const directory = this.finder.reachDirectory(path);
      let names = listInOrder(directory);
      // U+FFFD: perhaps a name that is not UTF-8.
      if (names.some((name) => name.includes("\ufffd"))) {
        names = fs.readdirSync(directory, { encoding: "buffer" }).map((name) => decodeName(name));
      }
      const items: { name: string; ino: bigint; type: number }[] = [];
      for (const name of names) {
        const stat = fs.lstatSync(nodePath(`${directory}/${name}`), STAT_OPTIONS);
        if (stat !== undefined) items.push({ name, ino: stat.ino, type: Number(stat.mode >> 12n) & 0xf });
      }
      return items;
    });
  }

  readlink(path: string): string {
    return this.call(path, () => {
      const target = fs.readlinkSync(this.finder.reach(path));
      if (!target.includes("\ufffd")) return target;
      return decodeName(fs.readlinkSync(this.finder.reach(path), { encoding: "buffer" }));
    });
  }

  open(
    path: string,
    options: { write: boolean; create?: { mode: number; exclusive: boolean }; truncate?: boolean },
  ): HostFile {
    const { write, create, truncate } = options;
    if (this.readOnly && (write || create !== undefined || truncate === true)) throw new HostError("EROFS");
    // Not blocking, in case somebody has just put a fifo or a terminal in the file's place.
    let flags = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    if (create !== undefined) flags |= O_CREAT | (create.exclusive ? O_EXCL : 0);
    if (truncate === true) flags |= O_TRUNC;
    const mode = create?.mode ?? 0;
    return this.call(path, () => {
      const at = this.finder.reach(path);
      let fd: number;
      try {
        // Also for writing alone: pages that are written in part have to be read.
        fd = fs.openSync(at, flags | (write ? O_RDWR : O_RDONLY), mode);
      } catch (error) {
        if (!write || !hasCode(error, "EACCES")) throw error;
        fd = fs.openSync(at, flags | O_WRONLY, mode);
      }
      try {
        if (!fs.fstatSync(fd).isFile()) throw new HostError("ENXIO", `${path}: is not a regular file`);
        if (create !== undefined && (mode & this.umask) !== 0) fs.fchmodSync(fd, mode);
      } catch (error) {
        fs.closeSync(fd);
        throw error;
      }
      return new NodeFile(fd, this);
    });
  }

  /** Opens what a descriptor refers to once more, for reading and writing, whatever its name is now. */
  reopen(fd: number): HostFile {
    if (this.readOnly) throw new HostError("EROFS");
    return new NodeFile(fs.openSync(`/proc/self/fd/${fd}`, O_RDWR), this);
  }

  mkdir(path: string, mode: number): void {
    this.change(path, () => fs.mkdirSync(this.finder.reach(path), mode));
    if ((mode & this.umask) !== 0) this.chmod(path, mode);
  }

  rmdir(path: string): void {
    this.change(path, () => fs.rmdirSync(this.finder.reach(path)));
    this.finder.forget(path);
  }

  unlink(path: string): void {
    this.change(path, () => fs.unlinkSync(this.finder.reach(path)));
  }

  rename(from: string, to: string): void {
    this.change(from, () => fs.renameSync(this.finder.reach(from), this.finder.reach(to)));
    this.finder.forget(from);
    this.finder.forget(to);
  }

  link(from: string, to: string): void {
    this.change(from, () => fs.linkSync(this.finder.reach(from), this.finder.reach(to)));
  }

  symlink(target: string, path: string): void {
    this.change(path, () => fs.symlinkSync(nodePath(target), this.finder.reach(path)));
  }

  chmod(path: string, mode: number): void {
    this.change(path, () => {
      if (process.platform !== "linux") {
        fs.lchmodSync(this.finder.reach(path), mode);
        return;
      }
      // chmod(2) would follow a link: we hold the file itself and go through its descriptor.
      const fd = fs.openSync(this.finder.reach(path), O_PATH | O_NOFOLLOW);
      try {
        fs.chmodSync(`/proc/self/fd/${fd}`, mode);
      } finally {
        fs.closeSync(fd);
      }
    });
  }

  chown(path: string, uid: number, gid: number): void {
    this.change(path, () => fs.lchownSync(this.finder.reach(path), this.hostUid(uid), this.hostGid(gid)));
  }

  utimes(path: string, atime: bigint, mtime: bigint): void {
    this.change(path, () => {
      const at = this.finder.reach(path);
      fs.lutimesSync(at, nodeTime(atime), nodeTime(mtime));
      this.rememberTimes(fs.lstatSync(at, { bigint: true }), atime, mtime);
    });
  }

  rememberTimes(shown: fs.BigIntStats, atime: bigint, mtime: bigint): void {
    this.exactTimes.remember(shown.ino, "atime", atime, shown.atimeNs);
    this.exactTimes.remember(shown.ino, "mtime", mtime, shown.mtimeNs);
  }

  statfs(): HostSpace {
    return this.call("", () => {
      const space = fs.statfsSync(this.finder.reachDirectory(""));
      return {
        blockSize: space.bsize,
        blocks: space.blocks,
        freeBlocks: space.bavail,
        files: space.files,
        freeFiles: space.ffree,
      };
    });
  }

  hostUid(uid: number): number {
    return uid === 0 ? this.uid : uid;
  }

  hostGid(gid: number): number {
    return gid === 0 ? this.gid : gid;
  }

  /** A host stat with owners as the guest sees them. */
  convert(stat: fs.BigIntStats): HostStat {
    const uid = Number(stat.uid);
    const gid = Number(stat.gid);
    return this.exactTimes.correct({
      dev: Number(stat.dev),
      ino: stat.ino,
      mode: Number(stat.mode),
      nlink: Number(stat.nlink),
      uid: uid === this.uid ? 0 : uid,
      gid: gid === this.gid ? 0 : gid,
      rdev: Number(stat.rdev),
      size: Number(stat.size),
      blocks: Number(stat.blocks),
      atime: stat.atimeNs,
      mtime: stat.mtimeNs,
      ctime: stat.ctimeNs,
    });
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function isMissing(error: unknown): boolean {
  return hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR");
}

class NodeFile implements HostFile {
  constructor(
    private readonly fd: number,
    private readonly directory: NodeDirectory,
  ) {}

  read(buffer: Uint8Array, position: number): number {
    try {
      return fs.readSync(this.fd, buffer, 0, buffer.length, position);
    } catch (error) {
      throw hostError(error);
    }
  }

  write(buffer: Uint8Array, position: number): number {
    try {
      return fs.writeSync(this.fd, buffer, 0, buffer.length, position);
    } catch (error) {
      throw hostError(error);
    }
  }

  truncate(size: number): void {
    this.call(() => fs.ftruncateSync(this.fd, size));
  }

  sync(): void {
    this.call(() => fs.fsyncSync(this.fd));
  }

  stat(): HostStat {
    return this.call(() => this.directory.convert(fs.fstatSync(this.fd, { bigint: true })));
  }

  reopen(): HostFile {
    return this.call(() => this.directory.reopen(this.fd));
  }

  chmod(mode: number): void {
    this.call(() => fs.fchmodSync(this.fd, mode));
  }

  chown(uid: number, gid: number): void {
    this.call(() => fs.fchownSync(this.fd, this.directory.hostUid(uid), this.directory.hostGid(gid)));
  }

  utimes(atime: bigint, mtime: bigint): void {
    this.call(() => {
      fs.futimesSync(this.fd, nodeTime(atime), nodeTime(mtime));
      this.directory.rememberTimes(fs.fstatSync(this.fd, { bigint: true }), atime, mtime);
    });
  }

  close(): void {
    this.call(() => fs.closeSync(this.fd));
  }

  private call<T>(operation: () => T): T {
    try {
      return operation();
    } catch (error) {
      throw hostError(error);
    }
  }
}
