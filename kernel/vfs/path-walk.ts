/**
 * Path resolution (path_resolution(7)): one walk over the components of a name, with symbolic links, "..", mounts and the
 * limits of Linux (fs/namei.c: link_path_walk, walk_component, step_into).
 *
 * Steps return 0 or a negative errno and do not throw: programs look for files that are not there all day, and an
 * exception costs ten times what the search does.
 */

import { EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EXDEV } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import type { Dentry } from "./dentry.ts";
import { type Inode, S_IFDIR, S_IFLNK } from "./inode.ts";
import type { Mount } from "./mount.ts";
import { NAME_MAX, nameLength } from "./names.ts";
import { Path } from "./path.ts";

/** Symbolic links followed in one resolution (MAXSYMLINKS, linux/namei.h). */
const MAXSYMLINKS = 40;

const SLASH = 0x2f;

/** openat2(2) RESOLVE_* (linux/openat2.h). */
export const RESOLVE_NO_XDEV = 0x01;
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_NO_SYMLINKS = 0x04;
export const RESOLVE_BENEATH = 0x08;
export const RESOLVE_IN_ROOT = 0x10;
export const RESOLVE_CACHED = 0x20;

/** What the last component of a name is; only a "name" can be created, removed or renamed. */
export type LastKind = "name" | "." | ".." | "/";

/** Has a component more than NAME_MAX bytes? A UTF-16 unit is at most three. */
export function isTooLong(name: string): boolean {
  return name.length * 3 > NAME_MAX && nameLength(name) > NAME_MAX;
}

export class PathWalk {
  mount: Mount;
  dentry: Dentry;
  /** After {@link toParent}: the last component, not looked up. */
  last = "";
  kind: LastKind = "/";
  /** Slashes followed the last component: it has to be a directory. */
  trailingSlash = false;
  private links = 0;

  constructor(
    private readonly thread: Thread | undefined,
    private readonly root: Path,
    base: Path,
    /** RESOLVE_* */
    private readonly restrict = 0,
  ) {
    this.mount = base.mount;
    this.dentry = base.dentry;
  }

  get path(): Path {
    return new Path(this.mount, this.dentry);
  }

  /** Walks all of `name`; `follow`: also through a symbolic link at its end. */
  to(name: string, follow: boolean): number {
    return this.walk(name, follow, false);
  }

  /** Walks all but the last component, which {@link last}, {@link kind} and {@link trailingSlash} then tell. */
  toParent(name: string): number {
    return this.walk(name, false, true);
  }

  /**
   * After {@link toParent}: goes on to the last component, if it is there (1) and not if it is not (0). A symbolic link
   * with `follow` is followed: if it leads to nothing the walk ends at the place where that nothing is.
   */
  stepLast(follow: boolean): number {
    for (;;) {
      if (this.kind === "/" || this.kind === ".") return 1;
      if (this.kind === "..") return this.up() || 1;
      const inode = this.find(this.last);
      if (typeof inode === "number") return inode === -ENOENT ? 0 : inode;
      if (inode.type !== S_IFLNK || !follow) return this.enter(this.last, inode) || 1;
      const target = this.followLink(inode);
      if (typeof target === "number") return target;
      if (target === undefined) return 1;
      const failed = this.walk(target, false, true);
      if (failed !== 0) return failed;
      // Only open(2) with O_CREAT follows here: a name that ends in a slash cannot be created (open_last_lookups).
      if (this.trailingSlash && this.kind === "name") return -EISDIR;
    }
  }

  private walk(name: string, follow: boolean, parentOnly: boolean): number {
    let text = name;
    let failed = 0;
    if (text.charCodeAt(0) === SLASH) failed = this.toRoot();
    let at = 0;
    this.kind = "/";
    this.trailingSlash = false;
    while (failed === 0) {
      while (text.charCodeAt(at) === SLASH) at++;
      if (at >= text.length) return 0;
      const slash = text.indexOf("/", at);
      const end = slash < 0 ? text.length : slash;
      let next = end;
      while (text.charCodeAt(next) === SLASH) next++;
      const isLast = next >= text.length;
      const component = text.slice(at, end);
      if (this.dentry.inode.type !== S_IFDIR) return -ENOTDIR;
      if (isLast) {
        this.trailingSlash = next > end;
        if (parentOnly) {
          this.last = component;
          this.kind = component === "." ? "." : component === ".." ? ".." : "name";
          return 0;
        }
      }
      if (component === "..") failed = this.up();
      else if (component !== ".") {
        const inode = this.find(component);
        if (typeof inode === "number") return inode;
        if (inode.type === S_IFLNK && (!isLast || follow || this.trailingSlash)) {
          const target = this.followLink(inode);
          if (typeof target === "number") return target;
          const rest = text.slice(end);
          if (target === undefined) {
            text = rest;
          } else {
            text = target + rest;
            if (target.charCodeAt(0) === SLASH) failed = this.toRoot();
          }
          at = 0;
          continue;
        }
        failed = this.enter(component, inode);
      }
      if (isLast && failed === 0) {
        return this.trailingSlash && this.dentry.inode.type !== S_IFDIR ? -ENOTDIR : 0;
      }
      at = next;
    }
    return failed;
  }

  private find(name: string): Inode | number {
    if (isTooLong(name)) return -ENAMETOOLONG;
    const inode = this.dentry.inode.lookup(name);
    if (inode !== undefined) return inode;
    this.dentry.forget(name);
    return -ENOENT;
  }

  private enter(name: string, inode: Inode): number {
    this.dentry = this.dentry.child(name, inode);
    return this.dentry.mounts > 0 ? this.crossMounts() : 0;
  }

  private crossMounts(): number {
    for (;;) {
      const mounted = this.mount.children.get(this.dentry);
      if (mounted === undefined) return 0;
      if ((this.restrict & RESOLVE_NO_XDEV) !== 0) return -EXDEV;
      this.mount = mounted;
      this.dentry = mounted.root;
    }
  }

  private toRoot(): number {
    if ((this.restrict & RESOLVE_BENEATH) !== 0) return -EXDEV;
    if ((this.restrict & RESOLVE_NO_XDEV) !== 0 && this.mount !== this.root.mount) return -EXDEV;
    this.mount = this.root.mount;
    this.dentry = this.root.dentry;
    return 0;
  }

  private up(): number {
    const { root } = this;
    if (this.dentry === root.dentry && this.mount === root.mount) {
      return (this.restrict & RESOLVE_BENEATH) !== 0 ? -EXDEV : 0;
    }
    while (this.dentry === this.mount.root) {
      const { parent, mountPoint } = this.mount;
      if (parent === undefined || mountPoint === undefined) return 0;
      if ((this.restrict & RESOLVE_NO_XDEV) !== 0) return -EXDEV;
      this.mount = parent;
      this.dentry = mountPoint;
      if (this.dentry === root.dentry && this.mount === root.mount) return 0;
    }
    if (this.dentry.parent !== undefined) this.dentry = this.dentry.parent;
    return this.dentry.mounts > 0 ? this.crossMounts() : 0;
  }

  /** The target's text; undefined when the link led straight to a file, where the walk now is. */
  private followLink(inode: Inode): string | undefined | number {
    if (this.links++ >= MAXSYMLINKS || (this.restrict & RESOLVE_NO_SYMLINKS) !== 0) return -ELOOP;
    if (inode.followLink !== undefined) {
      if ((this.restrict & RESOLVE_NO_MAGICLINKS) !== 0) return -ELOOP;
      if ((this.restrict & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) !== 0) return -EXDEV;
      const target = inode.followLink(this.thread);
      if ((this.restrict & RESOLVE_NO_XDEV) !== 0 && target.mount !== this.mount) return -EXDEV;
      this.mount = target.mount;
      this.dentry = target.dentry;
      return undefined;
    }
    const target = inode.readlink(this.thread);
    return target === "" ? -ENOENT : target;
  }
}
