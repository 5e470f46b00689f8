/** /proc/pid/fd and /proc/pid/fdinfo. */

import { ENOENT, Errno } from "../../errno.ts";
import type { Application } from "../../sched/application.ts";
import { Dentry } from "../../vfs/dentry.ts";
import type { MountTable } from "../../vfs/mount-table.ts";
import type { OpenFile } from "../../vfs/open-file.ts";
import { O_CLOEXEC } from "../../vfs/open-flags.ts";
import { Path } from "../../vfs/path.ts";
import {
  type DirectorySource,
  MagicLink,
  SyntheticDirectory,
  SyntheticFile,
  type SyntheticFileSystem,
  type SyntheticInode,
} from "./proc-inode.ts";

function fileAt(application: Application, fd: number): OpenFile {
  const file = application.files.get(fd);
  if (file === undefined) throw new Errno(ENOENT);
  return file;
}

/** Descriptors by name: only numbers as they are written (no leading zero). */
function descriptorNamed(application: Application, name: string): number | undefined {
  if (!/^(0|[1-9]\d{0,9})$/.test(name)) return undefined;
  const fd = Number(name);
  return application.files.get(fd) === undefined ? undefined : fd;
}

function* descriptorNames(application: Application): Iterable<string> {
  for (const [fd] of application.files.entries()) yield `${fd}`;
}

/** Where a descriptor leads: to the file's place, or for a file without one to just its inode. */
function target(mounts: MountTable, file: OpenFile): { path: Path; text?: string } {
  if (file.path !== undefined) return { path: file.path };
  const text = file.describe();
  return { path: new Path(mounts.root.mount, new Dentry(file.inode, text, undefined)), text };
}

/** Inodes of the directory's entries, which do not outlive their descriptors by much. */
class EntryCache {
  private readonly entries = new Map<number, { file: OpenFile; inode: SyntheticInode }>();

  get(fd: number, file: OpenFile, make: () => SyntheticInode): SyntheticInode {
    const known = this.entries.get(fd);
    if (known?.file === file) return known.inode;
    const inode = make();
    this.entries.set(fd, { file, inode });
    return inode;
  }

  forget(application: Application): void {
    for (const fd of this.entries.keys())
      if (application.files.get(fd) === undefined) this.entries.delete(fd);
  }
}

export function descriptorDirectory(
  fileSystem: SyntheticFileSystem,
  mounts: MountTable,
  application: Application,
): SyntheticDirectory {
  const cache = new EntryCache();
  const source: DirectorySource = {
    names: () => {
      cache.forget(application);
      return descriptorNames(application);
    },
    find: (name) => {
      const fd = descriptorNamed(application, name);
      if (fd === undefined) return undefined;
      const file = fileAt(application, fd);
      // The rights of the link are those of the descriptor.
      const permissions = (file.readable ? 0o500 : 0) | (file.writable ? 0o300 : 0);
      return cache.get(
        fd,
        file,
        () => new MagicLink(fileSystem, () => target(mounts, fileAt(application, fd)), permissions),
      );
    },
  };
  return new SyntheticDirectory(fileSystem, source, 0o500);
}

export function descriptorInfoDirectory(
  fileSystem: SyntheticFileSystem,
  application: Application,
): SyntheticDirectory {
  const cache = new EntryCache();
  const source: DirectorySource = {
    names: () => {
      cache.forget(application);
      return descriptorNames(application);
    },
    find: (name) => {
      const fd = descriptorNamed(application, name);
      if (fd === undefined) return undefined;
      const file = fileAt(application, fd);
      return cache.get(
        fd,
        file,
        () => new SyntheticFile(fileSystem, () => describeDescriptor(application, fd)),
      );
    },
  };
  return new SyntheticDirectory(fileSystem, source);
}

function describeDescriptor(application: Application, fd: number): string {
  const file = fileAt(application, fd);
  const flags = file.flags | (application.files.isCloseOnExec(fd) ? O_CLOEXEC : 0);
  const mount = file.path?.mount.id ?? 0;
  return (
    `pos:\t${file.offset}\nflags:\t0${flags.toString(8)}\nmnt_id:\t${mount}\nino:\t${file.inode.stat().ino}\n` +
    (file.describeDetails?.() ?? "")
  );
}
