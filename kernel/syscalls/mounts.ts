/** mount(2) and umount2(2). */

import { EBUSY, EINVAL, ENAMETOOLONG, ENODEV, Errno } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import {
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_PER_MOUNT,
  MS_RDONLY,
  MS_RELATIME,
} from "../vfs/mount.ts";
import { nameAt } from "./arguments.ts";
import type { SyscallDefinition } from "./definition.ts";

/** linux/mount.h */
const MS_SYNCHRONOUS = 16;
const MS_REMOUNT = 32;
const MS_MANDLOCK = 64;
const MS_DIRSYNC = 128;
const MS_BIND = 4096;
const MS_MOVE = 8192;
const MS_REC = 16384;
const MS_SILENT = 32768;
const MS_UNBINDABLE = 1 << 17;
const MS_PRIVATE = 1 << 18;
const MS_SLAVE = 1 << 19;
const MS_SHARED = 1 << 20;
const MS_STRICTATIME = 1 << 24;

const MOUNT_FLAGS = {
  MS_RDONLY,
  MS_NOSUID,
  MS_NODEV,
  MS_NOEXEC,
  MS_SYNCHRONOUS,
  MS_REMOUNT,
  MS_MANDLOCK,
  MS_DIRSYNC,
  MS_NOATIME,
  MS_NODIRATIME,
  MS_BIND,
  MS_MOVE,
  MS_REC,
  MS_SILENT,
  MS_UNBINDABLE,
  MS_PRIVATE,
  MS_SLAVE,
  MS_SHARED,
  MS_RELATIME,
  MS_STRICTATIME,
} as const;

const UMOUNT_FLAGS = { MNT_FORCE: 1, MNT_DETACH: 2, MNT_EXPIRE: 4, UMOUNT_NOFOLLOW: 8 } as const;

/** The upper half of old programs' flags (MS_MGC_VAL). */
const MS_MGC_MSK = 0xffff0000;
const MS_MGC_VAL = 0xc0ed0000;

/** copy_mount_string(): optional, and a name that is too long is an invalid argument. */
function mountString(thread: Thread, address: number): string {
  if (address === 0) return "";
  try {
    return nameAt(thread, address);
  } catch (error) {
    if (error instanceof Errno && error.errno === ENAMETOOLONG) throw new Errno(EINVAL);
    throw error;
  }
}

function mount(
  thread: Thread,
  source: number,
  target: number,
  type: number,
  flagBits: number,
  data: number,
): number {
  const { mounts } = thread.kernel;
  const flags = (flagBits & MS_MGC_MSK) >>> 0 === MS_MGC_VAL ? flagBits & ~MS_MGC_MSK : flagBits;
  const typeName = mountString(thread, type);
  const sourceName = mountString(thread, source);
  const at = mounts.resolve(thread, nameAt(thread, target));
  const perMount = (flags & MS_PER_MOUNT) | ((flags & (MS_NOATIME | MS_STRICTATIME)) === 0 ? MS_RELATIME : 0);
  if ((flags & MS_REMOUNT) !== 0) {
    if (at.dentry !== at.mount.root) return -EINVAL;
    at.mount.flags = perMount;
    return 0;
  }
  if ((flags & MS_BIND) !== 0) {
    if (sourceName === "") return -EINVAL;
    mounts.bind(mounts.resolve(thread, sourceName), at);
    return 0;
  }
  // There is one name space: how mounts spread to others makes no difference.
  if ((flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)) !== 0)
    return at.dentry === at.mount.root ? 0 : -EINVAL;
  if ((flags & MS_MOVE) !== 0) return -EINVAL;
  if (typeName === "") return -EINVAL;
  const factory = mounts.fileSystemTypes.get(typeName);
  if (factory === undefined) return -ENODEV;
  const fileSystem = factory(thread, sourceName, data === 0 ? "" : nameAt(thread, data), flags);
  mounts.mount(fileSystem, at, { source: sourceName === "" ? "none" : sourceName, flags: perMount });
  return 0;
}

function umount2(thread: Thread, target: number, flags: number): number {
  if ((flags & ~0xf) !== 0) return -EINVAL;
  const { mounts } = thread.kernel;
  const follow = (flags & UMOUNT_FLAGS.UMOUNT_NOFOLLOW) === 0;
  const at = mounts.resolve(thread, nameAt(thread, target), { follow });
  if (at.dentry !== at.mount.root) return -EINVAL;
  const detach = (flags & UMOUNT_FLAGS.MNT_DETACH) !== 0;
  if (!detach && inUse(thread, at.mount)) return -EBUSY;
  mounts.unmount(at, detach);
  return 0;
}

/** Does an application work in the mount, or have a file of it open? */
function inUse(thread: Thread, mount: unknown): boolean {
  for (const application of thread.kernel.applications.values()) {
    if (application.cwd.mount === mount || application.root.mount === mount) return true;
    for (const [, file] of application.files.entries()) if (file.path?.mount === mount) return true;
  }
  return false;
}

export const MOUNT_SYSCALLS: readonly SyscallDefinition[] = [
  {
    number: 165,
    name: "mount",
    arguments: [
      ["source", "string"],
      ["target", "path"],
      ["filesystemtype", "string"],
      ["mountflags", { flags: MOUNT_FLAGS }],
      ["data", "pointer"],
    ],
    state: "partial",
    note: "no MS_MOVE; MS_REC binds only the mount itself",
    call: mount,
  },
  {
    number: 166,
    name: "umount2",
    arguments: [
      ["target", "path"],
      ["flags", { flags: UMOUNT_FLAGS }],
    ],
    state: "partial",
    note: "no MNT_EXPIRE",
    call: umount2,
  },
];
