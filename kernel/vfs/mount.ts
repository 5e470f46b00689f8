/** A mount: a file system's tree, or a part of it, at a place in the name space. */

import type { Dentry } from "./dentry.ts";
import type { FileSystem } from "./inode.ts";

/** mount(2) flags that belong to one mount (linux/mount.h). */
export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_NOATIME = 1024;
export const MS_NODIRATIME = 2048;
export const MS_RELATIME = 1 << 21;
export const MS_PER_MOUNT =
  MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME;

export class Mount {
  /** What is mounted on directories of this mount. */
  readonly children = new Map<Dentry, Mount>();

  constructor(
    /** As mountinfo shows it. */
    readonly id: number,
    readonly fileSystem: FileSystem,
    readonly root: Dentry,
    public parent: Mount | undefined,
    public mountPoint: Dentry | undefined,
    /** First field of /proc/mounts. */
    readonly source: string,
    /** MS_* of {@link MS_PER_MOUNT}. */
    public flags: number,
  ) {}

  get readOnly(): boolean {
    return (this.flags & MS_RDONLY) !== 0 || this.fileSystem.readOnly;
  }
}
