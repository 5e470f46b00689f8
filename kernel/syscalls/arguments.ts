/** Arguments of file system calls: descriptors, directory descriptors, names. */

import { EBADF, EINVAL, ENOENT, ENOTDIR, Errno } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import { S_IFDIR } from "../vfs/inode.ts";
import { PATH_MAX } from "../vfs/names.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { AT_EMPTY_PATH, AT_FDCWD, O_PATH } from "../vfs/open-flags.ts";
import type { Path } from "../vfs/path.ts";

/** The open file of a descriptor, but none opened with O_PATH: EBADF. */
export function fileOf(thread: Thread, fd: number): OpenFile {
  const file = thread.application.files.get(fd | 0);
  if (file === undefined || (file.flags & O_PATH) !== 0) throw new Errno(EBADF);
  return file;
}

/** The open file of a descriptor, O_PATH or not. */
export function anyFileOf(thread: Thread, fd: number): OpenFile {
  const file = thread.application.files.get(fd | 0);
  if (file === undefined) throw new Errno(EBADF);
  return file;
}

/** A path name from program memory: EFAULT, ENAMETOOLONG. */
export function nameAt(thread: Thread, address: number): string {
  return thread.memory.readString(address, PATH_MAX);
}

/** Where a relative `name` starts for the *at calls; the descriptor is not looked at for an absolute one. */
export function baseFor(thread: Thread, dirfd: number, name: string): Path | undefined {
  if ((dirfd | 0) === AT_FDCWD || name.charCodeAt(0) === 0x2f) return undefined;
  const { path } = anyFileOf(thread, dirfd);
  if (path === undefined || (name !== "" && path.inode.type !== S_IFDIR)) throw new Errno(ENOTDIR);
  return path;
}

/** The place a (dirfd, name) pair means; with AT_EMPTY_PATH and "" the descriptor's own. A negative errno if there is none. */
export function findAt(
  thread: Thread,
  dirfd: number,
  name: string,
  follow: boolean,
  flags = 0,
): Path | number {
  if (name === "") {
    if ((flags & AT_EMPTY_PATH) === 0) return -ENOENT;
    if ((dirfd | 0) === AT_FDCWD) return thread.application.cwd;
    return anyFileOf(thread, dirfd).path ?? -EINVAL;
  }
  return thread.kernel.mounts.find(thread, name, { base: baseFor(thread, dirfd, name), follow });
}

/** As {@link findAt}, but throws Errno. */
export function pathAt(thread: Thread, dirfd: number, name: string, follow: boolean, flags = 0): Path {
  const path = findAt(thread, dirfd, name, follow, flags);
  if (typeof path === "number") throw new Errno(-path);
  return path;
}
