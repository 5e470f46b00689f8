/** What every kind of socket does: the interface between the system calls of socket(7) and the protocol families. */

import type { Clock } from "../host.ts";
import type { Thread } from "../sched/thread.ts";
import { AnonymousInode } from "../vfs/anonymous-inode.ts";
import { S_IFSOCK } from "../vfs/inode.ts";
import { OpenFile, type Result } from "../vfs/open-file.ts";
import { O_NONBLOCK, O_RDWR } from "../vfs/open-flags.ts";

export const AF_UNSPEC = 0;
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;

/** Flags of send(2) and recv(2) (linux/socket.h). */
export const MessageFlag = {
  OOB: 0x1,
  PEEK: 0x2,
  DONTROUTE: 0x4,
  CTRUNC: 0x8,
  TRUNC: 0x20,
  DONTWAIT: 0x40,
  EOR: 0x80,
  WAITALL: 0x100,
  NOSIGNAL: 0x4000,
  MORE: 0x8000,
  WAITFORONE: 0x10000,
  CMSG_CLOEXEC: 0x40000000,
} as const;

export const SOL_SOCKET = 1;

/** Options at SOL_SOCKET (asm-generic/socket.h). */
export const SocketOption = {
  DEBUG: 1,
  REUSEADDR: 2,
  TYPE: 3,
  ERROR: 4,
  DONTROUTE: 5,
  BROADCAST: 6,
  SNDBUF: 7,
  RCVBUF: 8,
  KEEPALIVE: 9,
  OOBINLINE: 10,
  PRIORITY: 12,
  LINGER: 13,
  REUSEPORT: 15,
  PASSCRED: 16,
  PEERCRED: 17,
  RCVLOWAT: 18,
  SNDLOWAT: 19,
  RCVTIMEO: 20,
  SNDTIMEO: 21,
  TIMESTAMP: 29,
  ACCEPTCONN: 30,
  PEERSEC: 31,
  SNDBUFFORCE: 32,
  RCVBUFFORCE: 33,
  PROTOCOL: 38,
  DOMAIN: 39,
  PEERGROUPS: 59,
} as const;

/** struct ucred */
export interface Credentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** What goes along with data (cmsg(3)). */
export interface Ancillary {
  /** SCM_RIGHTS: open files, each with a reference. */
  readonly files: readonly OpenFile[];
  /** SCM_CREDENTIALS */
  readonly credentials?: Credentials | undefined;
}

export interface Received {
  /** Bytes put into the buffer. */
  readonly length: number;
  /** Bytes of the datagram, of which not all may have fitted. */
  readonly fullLength: number;
  /** {@link MessageFlag} bits for msg_flags. */
  readonly flags: number;
  /** The sender's address, where that is told. */
  readonly address?: Uint8Array | undefined;
  readonly ancillary: Ancillary;
}

/** Addresses are struct sockaddr as programs give them: two bytes of family, then the family's own. */
export abstract class SocketFile extends OpenFile {
  override readonly inode: AnonymousInode;
  abstract readonly domain: number;
  abstract readonly type: number;
  readonly protocol: number = 0;

  constructor(flags: number, clock: Clock) {
    super(O_RDWR | (flags & O_NONBLOCK));
    this.inode = new AnonymousInode(S_IFSOCK | 0o777, clock);
  }

  override describe(): string {
    return `socket:[${this.inode.ino}]`;
  }

  abstract bind(thread: Thread, address: Uint8Array): Result;
  abstract listen(thread: Thread, backlog: number): number;
  abstract connect(thread: Thread, address: Uint8Array): Result;
  /** A new socket for the next connection, or a negative errno. `nonBlocking` is about waiting here. */
  abstract accept(thread: Thread, flags: number): SocketFile | number | Promise<SocketFile | number>;
  abstract localAddress(): Uint8Array | number;
  abstract peerAddress(): Uint8Array | number;
  /** Takes over the references of `ancillary.files` if it sends anything. `flags`: {@link MessageFlag}. */
  abstract send(
    thread: Thread,
    data: Uint8Array,
    address: Uint8Array | undefined,
    ancillary: Ancillary,
    flags: number,
  ): Result;
  /** The receiver owns the references of the files that come. */
  abstract receive(
    thread: Thread,
    buffer: Uint8Array,
    flags: number,
  ): Received | number | Promise<Received | number>;
  abstract shutdown(how: number): number;
  abstract setOption(thread: Thread, level: number, name: number, value: Uint8Array): number;
  abstract getOption(thread: Thread, level: number, name: number): Uint8Array | number;

  override read(thread: Thread, buffer: Uint8Array): Result {
    const result = this.receive(thread, buffer, 0);
    return result instanceof Promise ? result.then(dataOnly) : dataOnly(result);
  }

  override write(thread: Thread, data: Uint8Array): Result {
    return this.send(thread, data, undefined, { files: [] }, 0);
  }
}

/** read(2) has no place for files that come along: they are closed. */
function dataOnly(received: Received | number): number {
  if (typeof received === "number") return received;
  for (const file of received.ancillary.files) file.release();
  return received.length;
}
