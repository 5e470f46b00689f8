/** Ancillary data of sendmsg(2) and recvmsg(2) (cmsg(3), unix(7)): open files and credentials. */

import { EBADF, EINVAL, EPERM, Errno, ETOOMANYREFS } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { O_PATH } from "../vfs/open-flags.ts";
import { filesInFlight } from "./files-in-flight.ts";
import { type Ancillary, type Credentials, MessageFlag, SOL_SOCKET } from "./socket-file.ts";

export const SCM_RIGHTS = 1;
export const SCM_CREDENTIALS = 2;

/** struct cmsghdr: size_t len, int level, int type; the data follows, padded to eight bytes. */
const HEADER_SIZE = 16;
const CREDENTIALS_SIZE = 12;
/** SCM_MAX_FD */
const MAXIMUM_FILES = 253;

function align(size: number): number {
  return (size + 7) & ~7;
}

/** Reads what a program sends along. The files have a reference each. Throws EINVAL, EBADF, ETOOMANYREFS. */
export function parseControl(thread: Thread, control: Uint8Array): Ancillary {
  const view = new DataView(control.buffer, control.byteOffset, control.byteLength);
  const files: OpenFile[] = [];
  let credentials: Credentials | undefined;
  for (let at = 0; at + HEADER_SIZE <= control.length; ) {
    const length = Number(view.getBigUint64(at, true));
    if (length < HEADER_SIZE || length > control.length - at) throw new Errno(EINVAL);
    const level = view.getInt32(at + 8, true);
    const type = view.getInt32(at + 12, true);
    if (level === SOL_SOCKET && type === SCM_RIGHTS) {
      const count = Math.floor((length - HEADER_SIZE) / 4);
      if (files.length + count > MAXIMUM_FILES) throw new Errno(EINVAL);
      for (let i = 0; i < count; i++) {
        const file = thread.application.files.get(view.getInt32(at + HEADER_SIZE + 4 * i, true));
        if (file === undefined || (file.flags & O_PATH) !== 0) throw new Errno(EBADF);
        files.push(file);
      }
    } else if (level === SOL_SOCKET && type === SCM_CREDENTIALS) {
      if (length !== HEADER_SIZE + CREDENTIALS_SIZE) throw new Errno(EINVAL);
      const [pid, uid, gid] = [0, 4, 8].map((offset) => view.getInt32(at + HEADER_SIZE + offset, true));
      if (!thread.kernel.applications.has(pid)) throw new Errno(EPERM);
      credentials = { pid, uid, gid };
    } else if (level === SOL_SOCKET) {
      throw new Errno(EINVAL);
    }
    at += align(length);
  }
  // too_many_unix_fds(): what is in flight is bounded as what is open is.
  if (files.length > 0 && filesInFlight.count >= thread.application.files.limit)
    throw new Errno(ETOOMANYREFS);
  for (const file of files) file.retain();
  return { files, credentials };
}

export interface EncodedControl {
  readonly bytes: Uint8Array;
  /** MSG_CTRUNC when something did not fit. */
  readonly flags: number;
}

/** Gives a program what came along, as far as `room` bytes hold it; files that do not fit are closed. */
export function encodeControl(
  thread: Thread,
  { files, credentials }: Ancillary,
  room: number,
  flags: number,
): EncodedControl {
  const bytes = new Uint8Array(Math.min(room, 4096));
  const view = new DataView(bytes.buffer);
  let at = 0;
  let truncated = false;
  const header = (length: number, type: number): void => {
    view.setBigUint64(at, BigInt(length), true);
    view.setInt32(at + 8, SOL_SOCKET, true);
    view.setInt32(at + 12, type, true);
  };

  if (credentials !== undefined) {
    const length = HEADER_SIZE + CREDENTIALS_SIZE;
    if (at + length <= bytes.length) {
      header(length, SCM_CREDENTIALS);
      [credentials.pid, credentials.uid, credentials.gid].forEach((id, i) => {
        view.setInt32(at + HEADER_SIZE + 4 * i, id, true);
      });
      at = Math.min(bytes.length, at + align(length));
    } else {
      truncated = true;
    }
  }
  if (files.length > 0) {
    const fitting = Math.max(0, Math.min(files.length, Math.floor((bytes.length - at - HEADER_SIZE) / 4)));
    const installed: number[] = [];
    for (const file of files.slice(0, fitting)) {
      const fd = thread.application.files.install(file, (flags & MessageFlag.CMSG_CLOEXEC) !== 0);
      if (fd < 0) break;
      installed.push(fd);
    }
    if (installed.length > 0) {
      const length = HEADER_SIZE + 4 * installed.length;
      header(length, SCM_RIGHTS);
      installed.forEach((fd, i) => {
        view.setInt32(at + HEADER_SIZE + 4 * i, fd, true);
      });
      at = Math.min(bytes.length, at + align(length));
    }
    if (installed.length < files.length) truncated = true;
    for (const file of files) file.release();
  }
  return { bytes: bytes.subarray(0, at), flags: truncated ? MessageFlag.CTRUNC : 0 };
}
