/** The name space: what is mounted where, and finding files by name in it. */

import { EBUSY, EINVAL, ENOENT, ENOSPC, ENOTDIR, Errno } from "../errno.ts";
import type { Clock } from "../host.ts";
import type { Thread } from "../sched/thread.ts";
import { DeviceRegistry } from "./character-device.ts";
import { Dentry } from "./dentry.ts";
import type { FileMemory } from "./file-memory.ts";
import { type FileSystem, type Inode, S_IFDIR } from "./inode.ts";
import { Mount, MS_RDONLY, MS_RELATIME } from "./mount.ts";
import { openInode, openPathAt } from "./open.ts";
import type { OpenFile } from "./open-file.ts";
import { Path } from "./path.ts";
import { type LastKind, PathWalk } from "./path-walk.ts";

/** Mounts in the name space at most (fs.mount-max, which is 100,000 on Linux: there, too, paths through all of them are slow). */
const MOUNT_MAX = 10_000;

export interface ResolveOptions {
  /** Where relative names start: the working directory by default. */
  readonly base?: Path | undefined;
  /** Where absolute names start and ".." ends: the application's root by default. */
  readonly root?: Path | undefined;
  /** Follow a symbolic link at the end? Default: yes. */
  readonly follow?: boolean;
  /** ENOTDIR unless it is a directory. */
  readonly directory?: boolean;
  /** RESOLVE_* of openat2(2). */
  readonly restrict?: number;
}

/** A place for a name: an existing directory and the last component, which may or may not exist. */
export interface ParentPath {
  readonly parent: Path;
  readonly name: string;
  readonly kind: LastKind;
  readonly trailingSlash: boolean;
}

export interface MountOptions {
  /** First field of /proc/mounts; the file system's type by default. */
  readonly source?: string;
  readonly readOnly?: boolean;
  /** MS_* */
  readonly flags?: number;
}

/** Opens a named pipe: set by the pipe driver. */
export type FifoOpener = (
  thread: Thread | undefined,
  inode: Inode,
  flags: number,
  path: Path,
) => OpenFile | Promise<OpenFile>;

/** Makes a file system for mount(2); `source` and `data` are its arguments. Throws Errno. */
export type FileSystemFactory = (thread: Thread, source: string, data: string, flags: number) => FileSystem;

export class MountTable {
  readonly root: Path;
  readonly devices = new DeviceRegistry();
  /** What mount(2) can mount, by type. "nodev" types need no device. */
  readonly fileSystemTypes = new Map<string, FileSystemFactory>();
  openFifo: FifoOpener | undefined;
  /** What files in memory are charged to: those of memfd_create(2) and of file systems that are mounted later. */
  fileMemory: FileMemory | undefined;
  /** In the order they were mounted. */
  readonly mounts: Mount[] = [];
  private nextId = 1;
  /** One tree of entries for each file system, however often it is mounted. */
  private readonly roots = new WeakMap<FileSystem, Dentry>();

  constructor(
    rootFileSystem: FileSystem,
    readonly clock: Clock,
  ) {
    const dentry = this.rootDentry(rootFileSystem);
    const mount = new Mount(
      this.nextId++,
      rootFileSystem,
      dentry,
      undefined,
      undefined,
      rootFileSystem.type,
      MS_RELATIME,
    );
    this.mounts.push(mount);
    this.root = new Path(mount, dentry);
  }

  /** Mounts a whole file system on a directory (ENOTDIR) or a file on a file. */
  mount(fileSystem: FileSystem, at: Path, options: MountOptions = {}): Mount {
    return this.attach(fileSystem, this.rootDentry(fileSystem), at, options);
  }

  /** mount(2) MS_BIND: a part of the name space at a second place. */
  bind(source: Path, at: Path, options: MountOptions = {}): Mount {
    return this.attach(source.mount.fileSystem, source.dentry, at, {
      source: source.mount.source,
      flags: source.mount.flags,
      ...options,
    });
  }

  private attach(fileSystem: FileSystem, root: Dentry, at: Path, options: MountOptions): Mount {
    if ((root.inode.type === S_IFDIR) !== (at.inode.type === S_IFDIR)) throw new Errno(ENOTDIR);
    if (at.dentry.deleted) throw new Errno(ENOENT);
    if (this.mounts.length >= MOUNT_MAX) throw new Errno(ENOSPC);
    const flags = (options.flags ?? MS_RELATIME) | (options.readOnly === true ? MS_RDONLY : 0);
    const mount = new Mount(
      this.nextId++,
      fileSystem,
      root,
      at.mount,
      at.dentry,
      options.source ?? fileSystem.type,
      flags,
    );
    at.mount.children.set(at.dentry, mount);
    at.dentry.mounts++;
    at.dentry.pin();
    this.mounts.push(mount);
    return mount;
  }

  /** umount2(2): `at` is the root of a mount (EINVAL), which has no mounts below (EBUSY) unless `detach` (MNT_DETACH). */
  unmount(at: Path, detach = false): void {
    const { mount } = at;
    if (at.dentry !== mount.root || mount.parent === undefined || mount.mountPoint === undefined)
      throw new Errno(EINVAL);
    if (mount.children.size > 0 && !detach) throw new Errno(EBUSY);
    // Parents come before their children here, and go after them.
    const going = [mount];
    for (const each of going) going.push(...each.children.values());
    for (const each of going.reverse()) this.remove(each);
  }

  private remove(mount: Mount): void {
    mount.fileSystem.sync();
    const { mountPoint } = mount;
    if (mountPoint !== undefined) {
      mount.parent?.children.delete(mountPoint);
      mountPoint.mounts--;
      mountPoint.unpin();
    }
    this.mounts.splice(this.mounts.indexOf(mount), 1);
  }

  /** Finds the file of a name; a negative errno when it cannot: ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG … */
  find(thread: Thread | undefined, name: string, options: ResolveOptions = {}): Path | number {
    if (name === "") return -ENOENT;
    const walk = this.walk(thread, options);
    const failed = walk.to(name, options.follow !== false);
    if (failed !== 0) return failed;
    if (options.directory === true && walk.dentry.inode.type !== S_IFDIR) return -ENOTDIR;
    return walk.path;
  }

  /** As {@link find}, but throws Errno. */
  resolve(thread: Thread | undefined, name: string, options: ResolveOptions = {}): Path {
    return orThrow(this.find(thread, name, options));
  }

  /** Finds the directory in which a name is to be made, removed or renamed. Throws Errno. */
  resolveParent(thread: Thread | undefined, name: string, options: ResolveOptions = {}): ParentPath {
    if (name === "") throw new Errno(ENOENT);
    const walk = this.walk(thread, options);
    const failed = walk.toParent(name);
    if (failed !== 0) throw new Errno(-failed);
    return { parent: walk.path, name: walk.last, kind: walk.kind, trailingSlash: walk.trailingSlash };
  }

  /** What `name` is in a directory, with what is mounted on it; undefined if there is nothing. Throws Errno. */
  child(parent: Path, name: string): Path | undefined {
    const walk = new PathWalk(undefined, this.root, parent);
    walk.last = name;
    walk.kind = "name";
    const found = walk.stepLast(false);
    if (found < 0) throw new Errno(-found);
    return found === 0 ? undefined : walk.path;
  }

  /** open(2) without the descriptor: the file has no references yet. A negative errno when that is not possible. */
  tryOpen(
    thread: Thread | undefined,
    name: string,
    flags: number,
    mode = 0,
    options: ResolveOptions = {},
  ): OpenFile | Promise<OpenFile> | number {
    if (name === "") return -ENOENT;
    return openPathAt(this, thread, this.walk(thread, options), name, flags, mode);
  }

  /** As {@link tryOpen}, but throws Errno. */
  open(
    thread: Thread | undefined,
    name: string,
    flags: number,
    mode = 0,
    options: ResolveOptions = {},
  ): OpenFile | Promise<OpenFile> {
    return orThrow(this.tryOpen(thread, name, flags, mode, options));
  }

  /** Opens a file that has been found already; no O_CREAT. Throws Errno. */
  openPath(thread: Thread | undefined, path: Path, flags: number): OpenFile | Promise<OpenFile> {
    return orThrow(openInode(this, thread, path, flags));
  }

  private walk(thread: Thread | undefined, options: ResolveOptions): PathWalk {
    const root = options.root ?? thread?.application.root ?? this.root;
    const base = options.base ?? thread?.application.cwd ?? root;
    return new PathWalk(thread, root, base, options.restrict);
  }

  private rootDentry(fileSystem: FileSystem): Dentry {
    let dentry = this.roots.get(fileSystem);
    if (dentry === undefined) {
      dentry = new Dentry(fileSystem.root, "", undefined);
      this.roots.set(fileSystem, dentry);
    }
    return dentry;
  }
}

/** What a call has given, unless that is a negative errno. */
function orThrow<T extends object>(result: T | number): T {
  if (typeof result === "number") throw new Errno(-result);
  return result;
}
