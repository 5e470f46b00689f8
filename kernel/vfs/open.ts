/** open(2) from the walk to the open file (fs/namei.c: path_openat, open_last_lookups, do_open, may_open; fs/open.c). */

import {
  EACCES,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENOENT,
  ENOTDIR,
  ENXIO,
  EOPNOTSUPP,
  EROFS,
} from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import { Dentry } from "./dentry.ts";
import { DirectoryFile } from "./directory-file.ts";
import { type Inode, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK } from "./inode.ts";
import { MS_NODEV } from "./mount.ts";
import type { MountTable } from "./mount-table.ts";
import type { OpenFile } from "./open-file.ts";
import {
  O_ACCMODE,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOCTTY,
  O_NOFOLLOW,
  O_PATH,
  O_TMPFILE,
  O_TMPFILE_BIT,
  O_TRUNC,
  VALID_OPEN_FLAGS,
} from "./open-flags.ts";
import { Path } from "./path.ts";
import { PathFile } from "./path-file.ts";
import type { PathWalk } from "./path-walk.ts";

/** Flags that mean something with O_PATH (O_PATH_FLAGS). */
const O_PATH_FLAGS = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;

/** Flags of open(2) that do not stay with the open file. */
const CREATION_FLAGS = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

/** What open(2) does with `flags` before anything else (build_open_flags); a negative errno if they are wrong. */
function checkFlags(flags: number): number {
  let checked = flags & VALID_OPEN_FLAGS;
  if ((checked & O_PATH) !== 0) checked &= O_PATH_FLAGS;
  if ((checked & (O_DIRECTORY | O_CREAT)) === (O_DIRECTORY | O_CREAT)) return -EINVAL;
  if ((checked & O_TMPFILE_BIT) !== 0) {
    if ((checked & O_TMPFILE) !== O_TMPFILE || (checked & O_ACCMODE) === 0) return -EINVAL;
  }
  return checked;
}

/** What opening gives: a negative errno when it failed. */
type Opened = OpenFile | Promise<OpenFile> | number;

/** open(2) below where `walk` stands. */
export function openPathAt(
  mounts: MountTable,
  thread: Thread | undefined,
  walk: PathWalk,
  name: string,
  allFlags: number,
  mode: number,
): Opened {
  const flags = checkFlags(allFlags);
  if (flags < 0) return flags;
  if ((flags & O_TMPFILE_BIT) !== 0) return openTemporary(thread, walk, name, flags, mode);
  if ((flags & O_CREAT) === 0) {
    const failed = walk.to(name, (flags & O_NOFOLLOW) === 0);
    return failed !== 0 ? failed : openInode(mounts, thread, walk.path, flags);
  }
  const failed = walk.toParent(name);
  if (failed !== 0) return failed;
  const follow = (flags & (O_NOFOLLOW | O_EXCL)) === 0;
  if (walk.kind === "name" && walk.trailingSlash) return -EISDIR;
  const found = walk.stepLast(follow);
  if (found < 0) return found;
  if (found !== 0) {
    if ((flags & O_EXCL) !== 0) return -EEXIST;
    if (walk.dentry.inode.type === S_IFDIR) return -EISDIR;
    return openInode(mounts, thread, walk.path, flags);
  }
  if (walk.mount.readOnly) return -EROFS;
  if (walk.dentry.deleted) return -ENOENT;
  const umask = thread?.application.umask ?? 0;
  const inode = walk.dentry.inode.create(walk.last, S_IFREG | (mode & 0o7777 & ~umask), 0, 0, 0);
  // A new file may be written whatever its mode says.
  return attach(inode, thread, flags, new Path(walk.mount, walk.dentry.child(walk.last, inode)));
}

function openTemporary(
  thread: Thread | undefined,
  walk: PathWalk,
  name: string,
  flags: number,
  mode: number,
): Opened {
  const failed = walk.to(name, (flags & O_NOFOLLOW) === 0);
  if (failed !== 0) return failed;
  const directory = walk.dentry.inode;
  if (directory.type !== S_IFDIR) return -ENOTDIR;
  if (walk.mount.readOnly) return -EROFS;
  if (directory.tmpfile === undefined) return -EOPNOTSUPP;
  const umask = thread?.application.umask ?? 0;
  const inode = directory.tmpfile(mode & 0o7777 & ~umask, 0, 0, (flags & O_EXCL) === 0);
  const dentry = new Dentry(inode, `#${inode.stat().ino}`, walk.dentry);
  dentry.deleted = true;
  return attach(inode, thread, flags & ~O_TMPFILE, new Path(walk.mount, dentry));
}

/** Opens what a walk has found: rights, device nodes, truncation. */
export function openInode(mounts: MountTable, thread: Thread | undefined, path: Path, flags: number): Opened {
  const { inode } = path;
  if ((flags & O_DIRECTORY) !== 0 && inode.type !== S_IFDIR) return -ENOTDIR;
  if ((flags & O_PATH) !== 0) return finish(new PathFile(flags, inode), path);
  const writes = ((flags + 1) & 2) !== 0 || (flags & O_ACCMODE) === O_ACCMODE || (flags & O_TRUNC) !== 0;
  const again = inode.reopen?.();
  if (again !== undefined) {
    const missing = (writes && !again.writable) || (((flags + 1) & 1) !== 0 && !again.readable);
    return missing ? -EACCES : again;
  }
  switch (inode.type) {
    case S_IFLNK:
      return -ELOOP;
    case S_IFDIR:
      if (writes) return -EISDIR;
      return finish(new DirectoryFile(flags & ~CREATION_FLAGS, inode), path);
    case S_IFCHR:
    case S_IFBLK: {
      if ((path.mount.flags & MS_NODEV) !== 0) return -EACCES;
      if (inode.type === S_IFBLK) return -ENXIO;
      // Terminal drivers ask for O_NOCTTY.
      const file = mounts.devices.open(
        thread,
        flags & ~(CREATION_FLAGS & ~O_NOCTTY),
        path,
        inode.stat().rdev,
      );
      return file instanceof Promise ? file.then((opened) => finish(opened, path)) : finish(file, path);
    }
    case S_IFIFO: {
      if (mounts.openFifo === undefined) return -ENXIO;
      const file = mounts.openFifo(thread, inode, flags & ~CREATION_FLAGS, path);
      return file instanceof Promise ? file.then((opened) => finish(opened, path)) : finish(file, path);
    }
    case S_IFSOCK:
      return -ENXIO;
  }
  if (writes && path.mount.readOnly) return -EROFS;
  if ((flags & O_TRUNC) !== 0) inode.setAttributes({ size: 0 });
  return attach(inode, thread, flags, path);
}

function attach(
  inode: Inode,
  thread: Thread | undefined,
  flags: number,
  path: Path,
): OpenFile | Promise<OpenFile> {
  const file = inode.open(thread, flags & ~CREATION_FLAGS, path);
  return file instanceof Promise ? file.then((opened) => finish(opened, path)) : finish(file, path);
}

function finish(file: OpenFile, path: Path): OpenFile {
  if (file.path === undefined) {
    file.path = path;
    path.dentry.pin();
  }
  return file;
}
