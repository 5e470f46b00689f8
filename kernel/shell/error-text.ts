/** What went wrong, in words: the sentences of strerror(3). */

import * as E from "../errno.ts";
import { ElfError } from "../loader/elf.ts";

const TEXTS: Readonly<Record<number, string>> = {
  [E.EPERM]: "Operation not permitted",
  [E.ENOENT]: "No such file or directory",
  [E.ESRCH]: "No such process",
  [E.EINTR]: "Interrupted system call",
  [E.EIO]: "Input/output error",
  [E.ENXIO]: "No such device or address",
  [E.E2BIG]: "Argument list too long",
  [E.ENOEXEC]: "Exec format error",
  [E.EBADF]: "Bad file descriptor",
  [E.EAGAIN]: "Resource temporarily unavailable",
  [E.ENOMEM]: "Cannot allocate memory",
  [E.EACCES]: "Permission denied",
  [E.EBUSY]: "Device or resource busy",
  [E.EEXIST]: "File exists",
  [E.EXDEV]: "Invalid cross-device link",
  [E.ENODEV]: "No such device",
  [E.ENOTDIR]: "Not a directory",
  [E.EISDIR]: "Is a directory",
  [E.EINVAL]: "Invalid argument",
  [E.ENFILE]: "Too many open files in system",
  [E.EMFILE]: "Too many open files",
  [E.ENOTTY]: "Inappropriate ioctl for device",
  [E.ETXTBSY]: "Text file busy",
  [E.EFBIG]: "File too large",
  [E.ENOSPC]: "No space left on device",
  [E.ESPIPE]: "Illegal seek",
  [E.EROFS]: "Read-only file system",
  [E.EMLINK]: "Too many links",
  [E.EPIPE]: "Broken pipe",
  [E.ENAMETOOLONG]: "File name too long",
  [E.ENOSYS]: "Function not implemented",
  [E.ENOTEMPTY]: "Directory not empty",
  [E.ELOOP]: "Too many levels of symbolic links",
  [E.EOPNOTSUPP]: "Operation not supported",
  [E.ETIMEDOUT]: "Connection timed out",
};

export function errnoText(errno: number): string {
  return TEXTS[errno] ?? `Unknown error ${errno}`;
}

/** The sentence for something that was thrown, or undefined when it is not an error that a user can cause. */
export function errorText(error: unknown): string | undefined {
  if (error instanceof E.Errno) return errnoText(error.errno);
  if (error instanceof ElfError) return error.reason;
  return undefined;
}
