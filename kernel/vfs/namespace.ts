/** Making, removing, linking and renaming names, with the checks of Linux in its order (fs/namei.c). */

import {
  EBUSY,
  EEXIST,
  EINVAL,
  EISDIR,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  EROFS,
  Errno,
  EXDEV,
} from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import type { Dentry } from "./dentry.ts";
import { type Inode, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from "./inode.ts";
import type { ParentPath, ResolveOptions } from "./mount-table.ts";
import type { Path } from "./path.ts";
import { isTooLong } from "./path-walk.ts";

/** renameat2(2) (linux/fs.h) */
export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;
export const RENAME_WHITEOUT = 4;

/** The place for a new name: EEXIST when there is something already (filename_create). */
function placeForNew(thread: Thread, name: string, options: ResolveOptions, directory: boolean): ParentPath {
  const { mounts } = thread.kernel;
  const place = mounts.resolveParent(thread, name, options);
  if (place.kind !== "name") throw new Errno(EEXIST);
  if (mounts.child(place.parent, place.name) !== undefined) throw new Errno(EEXIST);
  if (place.trailingSlash && !directory) throw new Errno(ENOENT);
  if (place.parent.deleted) throw new Errno(ENOENT);
  if (place.parent.mount.readOnly) throw new Errno(EROFS);
  return place;
}

export function makeDirectory(thread: Thread, name: string, mode: number, options: ResolveOptions): void {
  const place = placeForNew(thread, name, options, true);
  place.parent.inode.mkdir(place.name, mode & 0o1777 & ~thread.application.umask, 0, 0);
}

export function makeSymlink(thread: Thread, target: string, name: string, options: ResolveOptions): void {
  if (target === "") throw new Errno(ENOENT);
  const place = placeForNew(thread, name, options, false);
  place.parent.inode.symlink(place.name, target, 0, 0);
}

/** mknod(2); returns the inode, for bind(2). */
export function makeNode(
  thread: Thread,
  name: string,
  mode: number,
  rdev: number,
  options: ResolveOptions,
): Inode {
  const type = mode & S_IFMT;
  switch (type) {
    case 0:
    case S_IFREG:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
      break;
    case S_IFDIR:
      throw new Errno(EPERM);
    default:
      throw new Errno(EINVAL);
  }
  const place = placeForNew(thread, name, options, false);
  const permissions = mode & 0o7777 & ~thread.application.umask;
  return place.parent.inode.create(place.name, (type === 0 ? S_IFREG : type) | permissions, rdev, 0, 0);
}

export function makeLink(thread: Thread, source: Path, name: string, options: ResolveOptions): void {
  const place = placeForNew(thread, name, options, false);
  if (source.mount !== place.parent.mount) throw new Errno(EXDEV);
  if (source.inode.type === S_IFDIR) throw new Errno(EPERM);
  place.parent.inode.link(place.name, source.inode);
}

export function removeName(thread: Thread, name: string, options: ResolveOptions): void {
  const { mounts } = thread.kernel;
  const { parent, name: last, kind, trailingSlash } = mounts.resolveParent(thread, name, options);
  if (kind !== "name") throw new Errno(EISDIR);
  if (parent.mount.readOnly) throw new Errno(EROFS);
  const victim = entryOf(parent, last);
  if (trailingSlash) throw new Errno(victim.inode.type === S_IFDIR ? EISDIR : ENOTDIR);
  if (victim.inode.type === S_IFDIR) throw new Errno(EISDIR);
  if (victim.mounts > 0) throw new Errno(EBUSY);
  parent.inode.unlink(last);
  parent.dentry.forget(last);
}

export function removeDirectory(thread: Thread, name: string, options: ResolveOptions): void {
  const { parent, name: last, kind } = thread.kernel.mounts.resolveParent(thread, name, options);
  if (kind === "..") throw new Errno(ENOTEMPTY);
  if (kind === ".") throw new Errno(EINVAL);
  if (kind === "/") throw new Errno(EBUSY);
  if (parent.mount.readOnly) throw new Errno(EROFS);
  const victim = entryOf(parent, last);
  if (victim.inode.type !== S_IFDIR) throw new Errno(ENOTDIR);
  if (victim.mounts > 0) throw new Errno(EBUSY);
  parent.inode.rmdir(last);
  parent.dentry.forget(last);
}

/** renameat2(2) with RENAME_* `flags`. */
export function rename(
  thread: Thread,
  from: string,
  to: string,
  flags: number,
  fromOptions: ResolveOptions,
  toOptions: ResolveOptions,
): void {
  const exchange = (flags & RENAME_EXCHANGE) !== 0;
  const noReplace = (flags & RENAME_NOREPLACE) !== 0;
  if ((flags & ~(RENAME_EXCHANGE | RENAME_NOREPLACE)) !== 0 || (exchange && noReplace))
    throw new Errno(EINVAL);
  const { mounts } = thread.kernel;
  const old = mounts.resolveParent(thread, from, fromOptions);
  const target = mounts.resolveParent(thread, to, toOptions);
  if (old.parent.mount !== target.parent.mount) throw new Errno(EXDEV);
  if (old.kind !== "name") throw new Errno(EBUSY);
  if (target.kind !== "name") throw new Errno(noReplace ? EEXIST : EBUSY);
  if (old.parent.mount.readOnly) throw new Errno(EROFS);
  const source = entryOf(old.parent, old.name);
  const sourceIsDirectory = source.inode.type === S_IFDIR;
  const replacedInode = lookupChecked(target.parent, target.name);
  const replaced =
    replacedInode === undefined ? undefined : target.parent.dentry.child(target.name, replacedInode);
  if (noReplace && replaced !== undefined) throw new Errno(EEXIST);
  if (exchange) {
    if (replaced === undefined) throw new Errno(ENOENT);
    if (replaced.inode.type !== S_IFDIR && target.trailingSlash) throw new Errno(ENOTDIR);
  }
  if (!sourceIsDirectory && (old.trailingSlash || (!exchange && target.trailingSlash)))
    throw new Errno(ENOTDIR);
  if (sourceIsDirectory && target.parent.dentry.isBelow(source)) throw new Errno(EINVAL);
  if (replaced !== undefined && replaced.inode.type === S_IFDIR && old.parent.dentry.isBelow(replaced)) {
    throw new Errno(exchange ? EINVAL : ENOTEMPTY);
  }
  if (replaced?.inode === source.inode) return;
  if (target.parent.deleted) throw new Errno(ENOENT);
  if (!exchange && replaced !== undefined) {
    const replacedIsDirectory = replaced.inode.type === S_IFDIR;
    if (sourceIsDirectory && !replacedIsDirectory) throw new Errno(ENOTDIR);
    if (!sourceIsDirectory && replacedIsDirectory) throw new Errno(EISDIR);
  }
  if (source.mounts > 0 || (replaced !== undefined && replaced.mounts > 0)) throw new Errno(EBUSY);
  if (exchange) {
    if (old.parent.inode.exchange === undefined) throw new Errno(EINVAL);
    old.parent.inode.exchange(old.name, target.parent.inode, target.name);
    old.parent.dentry.exchange(old.name, target.parent.dentry, target.name);
  } else {
    old.parent.inode.rename(old.name, target.parent.inode, target.name);
    old.parent.dentry.move(old.name, target.parent.dentry, target.name);
  }
}

/** The entry of a name in a directory, not what is mounted on it: ENOENT when there is none. */
function entryOf(parent: Path, name: string): Dentry {
  const inode = lookupChecked(parent, name);
  if (inode === undefined) throw new Errno(ENOENT);
  return parent.dentry.child(name, inode);
}

function lookupChecked(parent: Path, name: string): Inode | undefined {
  if (isTooLong(name)) throw new Errno(ENAMETOOLONG);
  const inode = parent.inode.lookup(name);
  if (inode === undefined) parent.dentry.forget(name);
  return inode;
}
