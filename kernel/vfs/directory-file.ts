/** An open directory, of any file system. */

import { EINVAL, EISDIR } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import type { DirectoryItem, Inode } from "./inode.ts";
import { type DirectoryEntry, OpenFile, type Result } from "./open-file.ts";
import { DT_DIR, SEEK_CUR, SEEK_SET } from "./open-flags.ts";

/** Entries given at once, about what fits a getdents64 buffer of 32 KiB: large directories are not copied each time. */
const ENTRIES_AT_ONCE = 1024;

/**
 * Reads a directory as it was when the reading began (at the start, or after a rewind): names that come or go meanwhile
 * neither hide nor repeat others, which is all readdir(3) promises. A cookie is a position in that list; "." and ".."
 * are the first two.
 */
export class DirectoryFile extends OpenFile {
  private items: DirectoryItem[] | undefined;

  constructor(
    flags: number,
    readonly inode: Inode,
  ) {
    super(flags);
  }

  override describe(): string {
    return this.path?.toString() ?? "";
  }

  override read(): Result {
    return -EISDIR;
  }

  override seek(offset: number, whence: number): number {
    const position = whence === SEEK_SET ? offset : whence === SEEK_CUR ? this.offset + offset : -1;
    if (position < 0) return -EINVAL;
    this.offset = position;
    return position;
  }

  override sync(): Result {
    this.inode.fileSystem.sync();
    return 0;
  }

  override readdir(_thread: Thread): DirectoryEntry[] {
    if (this.offset === 0 || this.items === undefined) this.items = this.inode.readdir();
    const entries: DirectoryEntry[] = [];
    if (this.offset <= 0) entries.push({ name: ".", ino: this.inode.stat().ino, type: DT_DIR, next: 1 });
    if (this.offset <= 1) {
      const parent = this.path?.parent.inode ?? this.inode;
      entries.push({ name: "..", ino: parent.stat().ino, type: DT_DIR, next: 2 });
    }
    const first = Math.max(0, this.offset - 2);
    for (let i = first; i < Math.min(this.items.length, first + ENTRIES_AT_ONCE); i++) {
      const { name, ino, type } = this.items[i];
      entries.push({ name, ino, type, next: i + 3 });
    }
    return entries;
  }
}
