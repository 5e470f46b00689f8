/** The descriptors of an application. */

import { EBADF, EMFILE } from "../errno.ts";
import type { OpenFile } from "./open-file.ts";

/** /proc/sys/fs/nr_open */
export const NR_OPEN = 1048576;

export class FileTable {
  private files: (OpenFile | undefined)[] = [];
  private closeOnExecFlags: boolean[] = [];
  /** No descriptor below this one is free. */
  private firstFree = 0;
  private users = 1;

  /** `limit`: the soft RLIMIT_NOFILE. */
  constructor(public limit = 1024) {}

  get(fd: number): OpenFile | undefined {
    return this.files[fd];
  }

  /** The lowest free descriptor from `minimum` on, or -EMFILE. */
  install(file: OpenFile, closeOnExec = false, minimum = 0): number {
    const fd = this.free(minimum);
    if (fd < 0) return fd;
    this.set(fd, file, closeOnExec);
    return fd;
  }

  /** The descriptor that {@link install} would give, or -EMFILE. */
  free(minimum = 0): number {
    let fd = Math.max(minimum, this.firstFree);
    while (this.files[fd] !== undefined) fd++;
    if (minimum <= this.firstFree) this.firstFree = fd;
    return fd >= this.limit ? -EMFILE : fd;
  }

  /** dup2(2), dup3(2): at a given descriptor, closing what was there. -EBADF beyond the limit. */
  installAt(fd: number, file: OpenFile, closeOnExec: boolean): number {
    if (fd < 0 || fd >= this.limit) return -EBADF;
    const previous = this.files[fd];
    if (previous === undefined) {
      this.set(fd, file, closeOnExec);
      return fd;
    }
    file.retain();
    this.dropRecordLocks(previous);
    this.files[fd] = file;
    this.closeOnExecFlags[fd] = closeOnExec;
    previous.release();
    return fd;
  }

  /** close(2): 0 or -EBADF. */
  remove(fd: number): number {
    const file = this.files[fd];
    if (file === undefined) return -EBADF;
    this.dropRecordLocks(file);
    this.files[fd] = undefined;
    this.closeOnExecFlags[fd] = false;
    if (fd < this.firstFree) this.firstFree = fd;
    while (this.files.length > 0 && this.files[this.files.length - 1] === undefined) this.files.pop();
    file.release();
    return 0;
  }

  isCloseOnExec(fd: number): boolean {
    return this.closeOnExecFlags[fd] === true;
  }

  setCloseOnExec(fd: number, on: boolean): void {
    this.closeOnExecFlags[fd] = on;
  }

  /** execve(2): closes what is marked. */
  closeOnExec(): void {
    for (let fd = this.files.length - 1; fd >= 0; fd--) if (this.closeOnExecFlags[fd]) this.remove(fd);
  }

  /** One past the highest descriptor in use. */
  get size(): number {
    return this.files.length;
  }

  *entries(): Iterable<[fd: number, file: OpenFile]> {
    for (let fd = 0; fd < this.files.length; fd++) {
      const file = this.files[fd];
      if (file !== undefined) yield [fd, file];
    }
  }

  /** A table with the same open files, for a new application without CLONE_FILES. */
  clone(): FileTable {
    const copy = new FileTable(this.limit);
    copy.files = [...this.files];
    copy.closeOnExecFlags = [...this.closeOnExecFlags];
    copy.firstFree = this.firstFree;
    for (const file of copy.files) file?.retain();
    return copy;
  }

  /** CLONE_FILES: one more application uses this table. */
  share(): this {
    this.users++;
    return this;
  }

  get isShared(): boolean {
    return this.users > 1;
  }

  /** An application that used this table is gone; the last one closes everything. */
  release(): void {
    if (--this.users > 0) return;
    for (let fd = this.files.length - 1; fd >= 0; fd--) if (this.files[fd] !== undefined) this.remove(fd);
  }

  /** Closing any descriptor of a file gives up all record locks that this table's owners hold on it (fcntl_locking(2)). */
  private dropRecordLocks(file: OpenFile): void {
    file.inode.locks?.releaseRecordLocks(this);
  }

  private set(fd: number, file: OpenFile, closeOnExec: boolean): void {
    file.retain();
    while (this.files.length < fd) {
      this.files.push(undefined);
      this.closeOnExecFlags.push(false);
    }
    this.files[fd] = file;
    this.closeOnExecFlags[fd] = closeOnExec;
  }
}
