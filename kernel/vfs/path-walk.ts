/**
 * Path resolution (path_resolution(7)): one walk over the components of a name, with symbolic links, "..", mounts and the
 * limits of Linux (fs/namei.c: link_path_walk, walk_component, step_into).
 */

import { EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, Errno, EXDEV } from "../errno.ts";
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

/** ENAMETOOLONG for a component of more than NAME_MAX bytes; a UTF-16 unit is at most three. */
export function checkName(name: string): void {
  if (name.length * 3 > NAME_MAX && nameLength(name) > NAME_MAX) throw new Errno(ENAMETOOLONG);
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
  to(name: string, follow: boolean): void {
    this.walk(name, follow, false);
  }

  /** Walks all but the last component, which {@link last}, {@link kind} and {@link trailingSlash} then tell. */
  toParent(name: string): void {
    this.walk(name, false, true);
  }

  /**
   * After {@link toParent}: is the last component there? If so the walk goes on to it, and returns true. A symbolic link
   * with `follow` is followed: the walk then ends at the parent of what it leads to, and this is asked again by itself.
   */
  stepLast(follow: boolean): boolean {
    for (;;) {
      if (this.kind === "/") return true;
      if (this.kind === ".") return true;
      if (this.kind === "..") {
        this.up();
        return true;
      }
      const inode = this.find(this.last);
      if (inode === undefined) return false;
      if (inode.type !== S_IFLNK || !follow) {
        this.enter(this.last, inode);
        return true;
      }
      const target = this.followLink(inode);
      if (target === undefined) {
        this.kind = ".";
        return true;
      }
      this.walk(target, false, true);
      // Only open(2) with O_CREAT follows here: a name that ends in a slash cannot be created (open_last_lookups).
      if (this.trailingSlash && this.kind === "name") throw new Errno(EISDIR);
    }
  }

  private walk(name: string, follow: boolean, parentOnly: boolean): void {
    let text = name;
    if (text.charCodeAt(0) === SLASH) this.toRoot();
    let at = 0;
    this.kind = "/";
    this.trailingSlash = false;
    for (;;) {
      while (text.charCodeAt(at) === SLASH) at++;
      if (at >= text.length) return;
      const slash = text.indexOf("/", at);
      const end = slash < 0 ? text.length : slash;
      let next = end;
      while (text.charCodeAt(next) === SLASH) next++;
      const isLast = next >= text.length;
      const component = text.slice(at, end);
      if (this.dentry.inode.type !== S_IFDIR) throw new Errno(ENOTDIR);
      if (isLast) {
        this.trailingSlash = next > end;
        if (parentOnly) {
          this.last = component;
          this.kind = component === "." ? "." : component === ".." ? ".." : "name";
          return;
        }
      }
      if (component === "..") this.up();
      else if (component !== ".") {
        const inode = this.find(component);
        if (inode === undefined) throw new Errno(ENOENT);
        if (inode.type === S_IFLNK && (!isLast || follow || this.trailingSlash)) {
          const target = this.followLink(inode);
          const rest = text.slice(end);
          if (target === undefined) {
            text = rest;
          } else {
            text = target + rest;
            if (target.charCodeAt(0) === SLASH) this.toRoot();
          }
          at = 0;
          continue;
        }
        this.enter(component, inode);
      }
      if (isLast) {
        if (this.trailingSlash && this.dentry.inode.type !== S_IFDIR) throw new Errno(ENOTDIR);
        return;
      }
      at = next;
    }
  }

  private find(name: string): Inode | undefined {
    checkName(name);
    const inode = this.dentry.inode.lookup(name);
    if (inode === undefined) this.dentry.forget(name);
    return inode;
  }

  private enter(name: string, inode: Inode): void {
    this.dentry = this.dentry.child(name, inode);
    if (this.dentry.mounts > 0) this.crossMounts();
  }

  private crossMounts(): void {
    for (;;) {
      const mounted = this.mount.children.get(this.dentry);
      if (mounted === undefined) return;
      if ((this.restrict & RESOLVE_NO_XDEV) !== 0) throw new Errno(EXDEV);
      this.mount = mounted;
      this.dentry = mounted.root;
    }
  }

  private toRoot(): void {
    if ((this.restrict & RESOLVE_BENEATH) !== 0) throw new Errno(EXDEV);
    if ((this.restrict & RESOLVE_NO_XDEV) !== 0 && this.mount !== this.root.mount) throw new Errno(EXDEV);
    this.mount = this.root.mount;
    this.dentry = this.root.dentry;
  }

  private up(): void {
    const { root } = this;
    if (this.dentry === root.dentry && this.mount === root.mount) {
      if ((this.restrict & RESOLVE_BENEATH) !== 0) throw new Errno(EXDEV);
      return;
    }
    while (this.dentry === this.mount.root) {
      const { parent, mountPoint } = this.mount;
      if (parent === undefined || mountPoint === undefined) return;
      if ((this.restrict & RESOLVE_NO_XDEV) !== 0) throw new Errno(EXDEV);
      this.mount = parent;
      this.dentry = mountPoint;
      if (this.dentry === root.dentry && this.mount === root.mount) return;
    }
    if (this.dentry.parent !== undefined) this.dentry = this.dentry.parent;
    if (this.dentry.mounts > 0) this.crossMounts();
  }

  /** The target's text; undefined when the link led straight to a file, where the walk now is. */
  private followLink(inode: Inode): string | undefined {
    if (this.links++ >= MAXSYMLINKS || (this.restrict & RESOLVE_NO_SYMLINKS) !== 0) throw new Errno(ELOOP);
    if (inode.followLink !== undefined) {
      if ((this.restrict & RESOLVE_NO_MAGICLINKS) !== 0) throw new Errno(ELOOP);
      if ((this.restrict & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) !== 0) throw new Errno(EXDEV);
      const target = inode.followLink(this.thread);
      if ((this.restrict & RESOLVE_NO_XDEV) !== 0 && target.mount !== this.mount) throw new Errno(EXDEV);
      this.mount = target.mount;
      this.dentry = target.dentry;
      return undefined;
    }
    const target = inode.readlink(this.thread);
    if (target === "") throw new Errno(ENOENT);
    return target;
  }
}
