/** Inodes: the files, directories, links and devices of a file system, independent of names. */

import type { Thread } from "../sched/thread.ts";
import type { FileLocks } from "./file-locks.ts";
import type { OpenFile } from "./open-file.ts";
import type { Path } from "./path.ts";

/** File type bits of a mode (inode(7)). */
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_ISVTX = 0o1000;

/** A time since 1970: what `Clock.realtime()` returns. Numbers, as fstat is too hot for bigint. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** stat(2) */
export interface Stat {
  dev: number;
  ino: bigint;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  rdev: number;
  size: number;
  blksize: number;
  /** Units of 512 bytes. */
  blocks: number;
  atime: Timestamp;
  mtime: Timestamp;
  ctime: Timestamp;
  /** Birth time, where known (statx). */
  btime?: Timestamp | undefined;
}

/** What statfs(2) reports. */
export interface FileSystemStat {
  type: number;
  blockSize: number;
  blocks: number;
  freeBlocks: number;
  files: number;
  freeFiles: number;
  nameLength: number;
}

export interface FileSystem {
  /** As /proc/mounts shows it: "ramfs", "hostfs", "proc" … */
  readonly type: string;
  readonly readOnly: boolean;
  readonly root: Inode;
  statfs(): FileSystemStat;
  sync(): void;
}

/** One name in a directory. */
export interface DirectoryItem {
  readonly name: string;
  readonly ino: bigint;
  /** DT_* */
  readonly type: number;
}

/** What chmod, chown, utimensat and truncate change. `mode` has permission bits only. */
export interface AttributeChanges {
  mode?: number;
  uid?: number;
  gid?: number;
  atime?: Timestamp;
  mtime?: Timestamp;
  size?: number;
}

/**
 * Keeps read(2), write(2) and truncate(2) coherent with shared mappings: set by kernel/mm on an inode while pages of it
 * are mapped shared, called by the regular files of kernel/fs.
 */
export interface SharedMappings {
  /** Writes dirty frames of the range back through {@link Inode.writePage}; called before the bytes are read. */
  writeBack(position: number, length: number): void;
  /** Bytes were written to the file: copies them into the mapped frames. */
  update(position: number, data: Uint8Array): void;
  /** Bytes of the file have become zero: the same for the mapped frames. The range may be far longer than the file. */
  zero(position: number, length: number): void;
  /** May somebody write through a shared mapping? (F_SEAL_WRITE is refused then.) */
  readonly writable?: boolean;
  /** The file has become this long: frames beyond are gone (SIGBUS), the tail of the last one is zero. */
  truncate(size: number): void;
}

/**
 * One inode. Methods throw {@link import("../errno.ts").Errno} on failure and are synchronous: everything they need is
 * in memory or a quick host call away. Names are single path components, never "." or "..", at most NAME_MAX bytes.
 */
export interface Inode {
  readonly fileSystem: FileSystem;
  /** File type bits (S_IFMT) of the mode; never changes. */
  readonly type: number;
  stat(): Stat;
  setAttributes(changes: AttributeChanges): void;
  /** A new open file description; `flags` are O_* (O_TRUNC and O_CREAT are already dealt with). */
  open(thread: Thread | undefined, flags: number, path: Path): OpenFile | Promise<OpenFile>;

  /** Files without a name that can only be used again, not opened anew, when /proc/self/fd/N is opened: the same file. */
  reopen?(): OpenFile;

  // Directories. Others throw ENOTDIR.
  /** The same object for the same file for as long as somebody has it open. */
  lookup(name: string): Inode | undefined;
  /** Everything but "." and "..". */
  readdir(): DirectoryItem[];
  /** A regular file, or with type bits in `mode` a fifo, socket or device node. */
  create(name: string, mode: number, rdev: number, uid: number, gid: number): Inode;
  mkdir(name: string, mode: number, uid: number, gid: number): Inode;
  symlink(name: string, target: string, uid: number, gid: number): Inode;
  link(name: string, inode: Inode): void;
  unlink(name: string): void;
  rmdir(name: string): void;
  /** Replaces what `newName` is. The caller has made sure that a directory does not move below itself. */
  rename(name: string, newParent: Inode, newName: string): void;
  /** renameat2(2) RENAME_EXCHANGE */
  exchange?(name: string, newParent: Inode, newName: string): void;
  /** An unnamed regular file (O_TMPFILE), which {@link link} may name later if it is `linkable`. */
  tmpfile?(mode: number, uid: number, gid: number, linkable: boolean): Inode;

  /** Symbolic links. Others throw EINVAL. */
  readlink(thread: Thread | undefined): string;
  /** Links that lead straight to a file and not through a name (/proc/self/fd/1). */
  followLink?(thread: Thread | undefined): Path;

  /**
   * Regular files: bytes for mapping into memory. Reads a page's worth at a byte position (zero-filled past the end of
   * the file); returns how many bytes of it are within the file.
   */
  readPage?(position: number, page: Uint8Array): number;
  /** Writes a dirty page of a shared mapping back; never makes the file longer. */
  writePage?(position: number, page: Uint8Array, length: number): void;
  /** fallocate(2), with FALLOC_FL_* `mode`. */
  allocate?(mode: number, position: number, length: number): void;
  /** Is the byte at `position` in a hole? The first byte at or after it that is (hole = true) or is not. */
  seekHole?(position: number, hole: boolean): number;
  /** Frames of shared mappings, by page index: owned by kernel/mm, kept here so that all mappers of an inode share. */
  sharedPages?: Map<number, number>;
  mappings?: SharedMappings | undefined;
  /** Extended attributes, where there are any. */
  readonly xattrs?: Map<string, Uint8Array>;
  /** Record locks and flock(2) locks; there once somebody has locked it. */
  locks?: FileLocks;
  /** F_SEAL_* of a memfd; undefined where sealing is not supported. */
  seals?: number;
}
