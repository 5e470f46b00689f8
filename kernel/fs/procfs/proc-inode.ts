/** The kinds of inodes that /proc and /sys are made of: directories and files whose content is made when it is read. */

import { EINVAL, EIO, ENOENT, EPERM, Errno } from "../../errno.ts";
import type { Thread } from "../../sched/thread.ts";
import { BaseInode } from "../../vfs/base-inode.ts";
import {
  type AttributeChanges,
  type DirectoryItem,
  type FileSystem,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
  type Stat,
  type Timestamp,
} from "../../vfs/inode.ts";
import { encodeName } from "../../vfs/names.ts";
import { OpenFile, type Result } from "../../vfs/open-file.ts";
import { directoryEntryType, SEEK_CUR, SEEK_SET } from "../../vfs/open-flags.ts";
import type { Path } from "../../vfs/path.ts";

/** What these inodes need to know of their file system. */
export interface SyntheticFileSystem extends FileSystem {
  readonly dev: number;
  /** When it was mounted: the time of everything in it. */
  readonly created: Timestamp;
  nextIno(): bigint;
}

export abstract class SyntheticInode extends BaseInode {
  readonly ino: bigint;

  constructor(
    override readonly fileSystem: SyntheticFileSystem,
    override readonly type: number,
    protected permissions: number,
  ) {
    super();
    this.ino = fileSystem.nextIno();
  }

  stat(): Stat {
    const time = this.fileSystem.created;
    return {
      dev: this.fileSystem.dev,
      ino: this.ino,
      mode: this.type | this.permissions,
      nlink: this.links,
      uid: 0,
      gid: 0,
      rdev: 0,
      size: 0,
      blksize: 1024,
      blocks: 0,
      atime: time,
      mtime: time,
      ctime: time,
    };
  }

  protected get links(): number {
    return 1;
  }

  /** Truncation does nothing (`echo 1 > /proc/sys/…`); the rest cannot be changed. */
  override setAttributes(changes: AttributeChanges): void {
    const { size, ...others } = changes;
    if (Object.keys(others).length > 0 || (size ?? 0) > 0) throw new Errno(EPERM);
  }
}

/** Where a directory's entries come from. */
export interface DirectorySource {
  /** Names in order. */
  names(): Iterable<string>;
  /** The same inode for the same name, while it is there. */
  find(name: string): SyntheticInode | undefined;
}

export class SyntheticDirectory extends SyntheticInode {
  constructor(
    fileSystem: SyntheticFileSystem,
    private readonly source: DirectorySource,
    permissions = 0o555,
  ) {
    super(fileSystem, S_IFDIR, permissions);
  }

  protected override get links(): number {
    return 2;
  }

  override lookup(name: string): SyntheticInode | undefined {
    return this.source.find(name);
  }

  override readdir(): DirectoryItem[] {
    const items: DirectoryItem[] = [];
    for (const name of this.source.names()) {
      const inode = this.source.find(name);
      if (inode !== undefined) items.push({ name, ino: inode.ino, type: directoryEntryType(inode.type) });
    }
    return items;
  }

  // Making anything fails as proc_lookup() of Linux does, before permissions are asked.
  override create(): never {
    throw new Errno(ENOENT);
  }

  override mkdir(): never {
    throw new Errno(ENOENT);
  }

  override symlink(): never {
    throw new Errno(ENOENT);
  }

  override link(): never {
    throw new Errno(ENOENT);
  }
}

/** A directory of fixed entries. */
export function fixedDirectory(
  fileSystem: SyntheticFileSystem,
  entries: Readonly<Record<string, SyntheticInode>>,
  permissions?: number,
): SyntheticDirectory {
  const byName = new Map(Object.entries(entries));
  const source = { names: () => byName.keys(), find: (name: string) => byName.get(name) };
  return new SyntheticDirectory(fileSystem, source, permissions);
}

/** Makes a file's content for the thread that reads it; a string may hold names (kernel/vfs/names.ts). Throws Errno. */
export type Generate = (thread: Thread | undefined) => string | Uint8Array;
/** Takes what was written at once. Throws Errno. */
export type Accept = (text: string, thread: Thread | undefined) => void;

export class SyntheticFile extends SyntheticInode {
  constructor(
    fileSystem: SyntheticFileSystem,
    readonly generate: Generate,
    readonly accept?: Accept,
    permissions = accept === undefined ? 0o444 : 0o644,
  ) {
    super(fileSystem, S_IFREG, permissions);
  }

  override open(_thread: Thread | undefined, flags: number, path: Path): OpenFile {
    return new SyntheticOpenFile(flags, this, path);
  }
}

/** Content is made when reading begins, and anew on every read from the start, as files of seq_file are (fs/seq_file.c). */
class SyntheticOpenFile extends OpenFile {
  private content: Uint8Array | undefined;

  constructor(
    flags: number,
    override readonly inode: SyntheticFile,
    private readonly place: Path,
  ) {
    super(flags);
  }

  override describe(): string {
    return this.place.toString();
  }

  override get seekable(): boolean {
    return true;
  }

  override read(thread: Thread | undefined, buffer: Uint8Array, position?: number): Result {
    const at = position ?? this.offset;
    if (at === 0 || this.content === undefined) {
      const content = this.inode.generate(thread);
      this.content = typeof content === "string" ? encodeName(content) : content;
    }
    const part = this.content.subarray(at, at + buffer.length);
    buffer.set(part);
    if (position === undefined) this.offset = at + part.length;
    return part.length;
  }

  override write(thread: Thread | undefined, data: Uint8Array): Result {
    const { accept } = this.inode;
    if (accept === undefined) return -EIO;
    if (data.length > 4096) return -EINVAL;
    accept(new TextDecoder().decode(data), thread);
    this.offset += data.length;
    return data.length;
  }

  override seek(offset: number, whence: number): number {
    const target = whence === SEEK_SET ? offset : whence === SEEK_CUR ? this.offset + offset : -1;
    if (target < 0) return -EINVAL;
    this.offset = target;
    return target;
  }
}

export class SyntheticLink extends SyntheticInode {
  constructor(
    fileSystem: SyntheticFileSystem,
    private readonly target: (thread: Thread | undefined) => string,
  ) {
    super(fileSystem, S_IFLNK, 0o777);
  }

  override readlink(thread: Thread | undefined): string {
    return this.target(thread);
  }
}

/** A link straight to a file, whatever its name ("magic link"). */
export class MagicLink extends SyntheticInode {
  constructor(
    fileSystem: SyntheticFileSystem,
    /** Throws Errno(ENOENT) when there is nothing. */
    private readonly target: () => { readonly path: Path; readonly text?: string },
    permissions = 0o777,
  ) {
    super(fileSystem, S_IFLNK, permissions);
  }

  override readlink(thread: Thread | undefined): string {
    const { path, text } = this.target();
    return text ?? path.toString(thread?.application.root);
  }

  followLink(): Path {
    return this.target().path;
  }
}

/** A file whose content never changes. */
export function fixedFile(
  fileSystem: SyntheticFileSystem,
  content: string,
  permissions?: number,
): SyntheticFile {
  return new SyntheticFile(fileSystem, () => content, undefined, permissions);
}
