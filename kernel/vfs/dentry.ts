/**
 * Directory entries: names in a file system's tree. They exist so that an open file, a working directory or a mount
 * point keeps its right name (getcwd, "..", /proc/self/fd) while directories above it are renamed.
 *
 * This is no lookup cache: the inodes are always asked. Directories stay known once seen; other entries only while
 * somebody has them open ({@link pin}), so that walking over millions of files leaves nothing behind.
 */

import { type Inode, S_IFDIR } from "./inode.ts";

export class Dentry {
  private children: Map<string, Dentry> | undefined;
  private pins = 0;
  /** Mounts on this entry (in any mount of its file system); lets a path walk skip the search. */
  mounts = 0;
  /** Unlinked, or replaced by something else. */
  deleted = false;

  constructor(
    readonly inode: Inode,
    public name: string,
    /** undefined: the root of a file system, or a file without a name. */
    public parent: Dentry | undefined,
  ) {}

  /** The entry for what `name` has been found to be. */
  child(name: string, inode: Inode): Dentry {
    const known = this.children?.get(name);
    if (known !== undefined) {
      if (known.inode === inode) return known;
      known.deleted = true;
      this.children?.delete(name);
    }
    const child = new Dentry(inode, name, this);
    if (inode.type === S_IFDIR) this.remember(child);
    return child;
  }

  /** The name is gone: unlink, rmdir, or a lookup that finds nothing. */
  forget(name: string): void {
    const known = this.children?.get(name);
    if (known === undefined) return;
    known.deleted = true;
    this.children?.delete(name);
  }

  /** rename(2): the entry (if it is known) goes to `newName` below `newParent`. */
  move(name: string, newParent: Dentry, newName: string): void {
    const known = this.children?.get(name);
    newParent.forget(newName);
    if (known === undefined) return;
    this.children?.delete(name);
    known.name = newName;
    known.parent = newParent;
    newParent.remember(known);
  }

  /** renameat2(2) RENAME_EXCHANGE */
  exchange(name: string, otherParent: Dentry, otherName: string): void {
    const one = this.children?.get(name);
    const other = otherParent.children?.get(otherName);
    this.children?.delete(name);
    otherParent.children?.delete(otherName);
    if (one !== undefined) {
      one.name = otherName;
      one.parent = otherParent;
      otherParent.remember(one);
    }
    if (other !== undefined) {
      other.name = name;
      other.parent = this;
      this.remember(other);
    }
  }

  /** Somebody holds this entry: it stays the one for its name. */
  pin(): void {
    if (this.pins++ === 0 && this.inode.type !== S_IFDIR && !this.deleted) this.parent?.remember(this);
  }

  unpin(): void {
    if (--this.pins > 0 || this.inode.type === S_IFDIR) return;
    const siblings = this.parent?.children;
    if (siblings?.get(this.name) === this) siblings.delete(this.name);
  }

  /** Is `other` this entry or above it? */
  isBelow(other: Dentry): boolean {
    for (let at: Dentry | undefined = this; at !== undefined; at = at.parent) if (at === other) return true;
    return false;
  }

  /** Is anything mounted on this entry or below it? */
  hasMountsBelow(): boolean {
    // Not by recursion: directories may be far deeper than our stack.
    const left: Dentry[] = [this];
    for (let at = left.pop(); at !== undefined; at = left.pop()) {
      if (at.mounts > 0) return true;
      if (at.children !== undefined) for (const child of at.children.values()) left.push(child);
    }
    return false;
  }

  private remember(child: Dentry): void {
    if (this.children === undefined) this.children = new Map();
    this.children.set(child.name, child);
  }
}
