/** What an inode answers when its type or its file system has no such operation. */

import { EINVAL, ENOTDIR, ENXIO, EPERM, Errno } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import type { FileLocks } from "./file-locks.ts";
import type { AttributeChanges, DirectoryItem, FileSystem, Inode, SharedMappings, Stat } from "./inode.ts";
import { S_IFDIR } from "./inode.ts";
import type { OpenFile } from "./open-file.ts";
import type { Path } from "./path.ts";

/** Errors as Linux' VFS gives them for inodes without the operation (fs/namei.c: EPERM; not a directory: ENOTDIR). */
export abstract class BaseInode implements Inode {
  abstract readonly fileSystem: FileSystem;
  abstract readonly type: number;
  sharedPages?: Map<number, number>;
  mappings?: SharedMappings | undefined;
  locks?: FileLocks;

  abstract stat(): Stat;

  setAttributes(_changes: AttributeChanges): void {
    throw new Errno(EPERM);
  }

  open(_thread: Thread | undefined, _flags: number, _path: Path): OpenFile | Promise<OpenFile> {
    throw new Errno(ENXIO);
  }

  lookup(_name: string): Inode | undefined {
    throw new Errno(ENOTDIR);
  }

  readdir(): DirectoryItem[] {
    throw new Errno(ENOTDIR);
  }

  create(_name: string, _mode: number, _rdev: number, _uid: number, _gid: number): Inode {
    throw this.cannotChange();
  }

  mkdir(_name: string, _mode: number, _uid: number, _gid: number): Inode {
    throw this.cannotChange();
  }

  symlink(_name: string, _target: string, _uid: number, _gid: number): Inode {
    throw this.cannotChange();
  }

  link(_name: string, _inode: Inode): void {
    throw this.cannotChange();
  }

  unlink(_name: string): void {
    throw this.cannotChange();
  }

  rmdir(_name: string): void {
    throw this.cannotChange();
  }

  rename(_name: string, _newParent: Inode, _newName: string): void {
    throw this.cannotChange();
  }

  readlink(_thread: Thread | undefined): string {
    throw new Errno(EINVAL);
  }

  private cannotChange(): Errno {
    return new Errno(this.type === S_IFDIR ? EPERM : ENOTDIR);
  }
}
