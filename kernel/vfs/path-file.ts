/** A file opened with O_PATH: a place in the tree that can be named, stat'ed and walked from, but not read or written. */

import { EBADF } from "../errno.ts";
import type { Inode } from "./inode.ts";
import { OpenFile, Poll, type Result } from "./open-file.ts";

export class PathFile extends OpenFile {
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
    return -EBADF;
  }

  override write(): Result {
    return -EBADF;
  }

  override seek(): number {
    return -EBADF;
  }

  override ioctl(): Result {
    return -EBADF;
  }

  override sync(): Result {
    return -EBADF;
  }

  override readdir(): number {
    return -EBADF;
  }

  override poll(): number {
    return Poll.NVAL;
  }
}
