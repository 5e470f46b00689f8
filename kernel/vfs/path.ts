/** A place in the name space: an entry of a file system as seen through one mount (Linux: struct path). */

import type { Dentry } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import type { Mount } from "./mount.ts";

export class Path {
  constructor(
    readonly mount: Mount,
    readonly dentry: Dentry,
  ) {}

  get inode(): Inode {
    return this.dentry.inode;
  }

  /** "..", within the whole name space: of the root of a mount, the parent of the place it is mounted on. */
  get parent(): Path {
    let { mount, dentry } = this;
    while (dentry === mount.root) {
      if (mount.parent === undefined || mount.mountPoint === undefined) return this;
      dentry = mount.mountPoint;
      mount = mount.parent;
    }
    return dentry.parent === undefined ? this : new Path(mount, dentry.parent);
  }

  equals(other: Path): boolean {
    return this.mount === other.mount && this.dentry === other.dentry;
  }

  /** Is this `other` or below it? */
  isBelow(other: Path): boolean {
    for (let at: Path = this; ; ) {
      if (at.equals(other)) return true;
      const up = at.parent;
      if (up === at) return false;
      at = up;
    }
  }

  /**
   * The absolute name as seen from `root`, as d_path() of Linux gives it: " (deleted)" follows when the file has been
   * unlinked, "(unreachable)" precedes when it is not below `root`.
   */
  toString(root?: Path): string {
    const names: string[] = [];
    let mount = this.mount;
    let dentry = this.dentry;
    let reached = root === undefined;
    for (;;) {
      if (root !== undefined && dentry === root.dentry && mount === root.mount) {
        reached = true;
        break;
      }
      if (dentry === mount.root) {
        if (mount.parent === undefined || mount.mountPoint === undefined) break;
        dentry = mount.mountPoint;
        mount = mount.parent;
      } else if (dentry.parent === undefined) {
        // A file without a place (a pipe, a memfd): its name is all there is.
        return dentry.name;
      } else {
        names.push(dentry.name);
        dentry = dentry.parent;
      }
    }
    const name = `/${names.reverse().join("/")}`;
    return (reached ? "" : "(unreachable)") + name + (this.deleted ? " (deleted)" : "");
  }

  /** Unlinked, or below something that was removed. */
  get deleted(): boolean {
    return this.dentry.deleted;
  }
}
