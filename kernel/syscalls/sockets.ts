/** Sockets: socket(2) and all that works on them. Only AF_UNIX is there; network families come with tcpip/. */

import {
  EAFNOSUPPORT,
  EBADF,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENOTSOCK,
  EPROTONOSUPPORT,
  Errno,
  ESOCKTNOSUPPORT,
} from "../errno.ts";
import { encodeControl, parseControl } from "../ipc/control-message.ts";
import {
  AF_INET,
  AF_INET6,
  AF_NETLINK,
  AF_UNIX,
  type Ancillary,
  MessageFlag,
  type Received,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  SocketFile,
} from "../ipc/socket-file.ts";
import { UnixSocket } from "../ipc/unix-socket.ts";
import type { Thread } from "../sched/thread.ts";
import type { Result } from "../vfs/open-file.ts";
import { O_CLOEXEC, O_NONBLOCK } from "../vfs/open-flags.ts";
import type { SyscallDefinition } from "./definition.ts";
import { nanosecondsOf, readTimespec } from "./timespec.ts";
import { IOV_MAX, isUserRange, PIECE, readIovec, type Segments } from "./transfer.ts";

const FAMILIES = { AF_UNIX, AF_INET, AF_NETLINK, AF_INET6 } as const;
const TYPES = {
  SOCK_STREAM,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_CLOEXEC: O_CLOEXEC,
  SOCK_NONBLOCK: O_NONBLOCK,
} as const;
const SOCK_RAW = 3;
const SOCK_MAX = 11;
const SOCK_TYPE_MASK = 0xf;
/** sizeof(struct sockaddr_storage) */
const LONGEST_ADDRESS = 128;
/** The longest value of an option that anybody asks for. */
const LONGEST_OPTION = 256;
const LONGEST_CONTROL = 20480; // net.core.optmem_max
/** Datagrams are not longer than a send buffer can be. */
const LONGEST_DATAGRAM = 1 << 20;

function socketOf(thread: Thread, fd: number): SocketFile {
  const file = thread.application.files.get(fd | 0);
  if (file === undefined) throw new Errno(EBADF);
  if (!(file instanceof SocketFile)) throw new Errno(ENOTSOCK);
  return file;
}

// ---- making sockets -------------------------------------------------------------------------------------------------

/** The kind of an AF_UNIX socket; throws for what there is not. */
function unixType(domain: number, type: number, protocol: number): number {
  if ((type & ~(SOCK_TYPE_MASK | O_CLOEXEC | O_NONBLOCK)) !== 0) throw new Errno(EINVAL);
  const kind = type & SOCK_TYPE_MASK;
  if (kind >= SOCK_MAX) throw new Errno(EINVAL);
  if (domain !== AF_UNIX) throw new Errno(EAFNOSUPPORT);
  if (protocol !== 0 && protocol !== AF_UNIX) throw new Errno(EPROTONOSUPPORT);
  // A raw socket is a datagram socket, for historical reasons (af_unix.c, unix_create).
  if (kind === SOCK_RAW) return SOCK_DGRAM;
  if (kind !== SOCK_STREAM && kind !== SOCK_DGRAM && kind !== SOCK_SEQPACKET)
    throw new Errno(ESOCKTNOSUPPORT);
  return kind;
}

function install(thread: Thread, file: SocketFile, flags: number): number {
  return thread.application.files.install(file, (flags & O_CLOEXEC) !== 0);
}

function socket(thread: Thread, domain: number, type: number, protocol: number): number {
  const kind = unixType(domain | 0, type, protocol | 0);
  return install(thread, new UnixSocket(kind, type, thread.kernel.host.clock), type);
}

function socketpair(thread: Thread, domain: number, type: number, protocol: number, address: number): number {
  const { files } = thread.application;
  const sockets = UnixSocket.pair(thread, unixType(domain | 0, type, protocol | 0), type);
  const first = install(thread, sockets[0], type);
  if (first < 0) return first;
  const second = install(thread, sockets[1], type);
  if (second < 0) {
    files.remove(first);
    return second;
  }
  if (!thread.memory.check(address, 8, true)) {
    files.remove(first);
    files.remove(second);
    return -EFAULT;
  }
  thread.memory.write(address, new Uint8Array(Int32Array.of(first, second).buffer));
  return 0;
}

// ---- addresses ------------------------------------------------------------------------------------------------------

function readAddress(thread: Thread, address: number, length: number): Uint8Array {
  if ((length | 0) < 0 || (length | 0) > LONGEST_ADDRESS) throw new Errno(EINVAL);
  return thread.memory.read(address, length | 0);
}

/** Writes an address as far as the caller has room, and how long it is. */
function writeAddress(thread: Thread, value: Uint8Array, address: number, lengthAddress: number): void {
  const room = thread.memory.readI32(lengthAddress);
  if (room < 0) throw new Errno(EINVAL);
  thread.memory.write(address, value.subarray(0, Math.min(room, value.length)));
  thread.memory.writeU32(lengthAddress, value.length);
}

function bind(thread: Thread, fd: number, address: number, length: number): Result {
  return socketOf(thread, fd).bind(thread, readAddress(thread, address, length));
}

function listen(thread: Thread, fd: number, backlog: number): number {
  return socketOf(thread, fd).listen(thread, backlog | 0);
}

function connect(thread: Thread, fd: number, address: number, length: number): Result {
  return holding(socketOf(thread, fd), (file) => file.connect(thread, readAddress(thread, address, length)));
}

/** The socket stays while a call on it waits. */
function holding<T>(file: SocketFile, call: (file: SocketFile) => T | Promise<T>): T | Promise<T> {
  const result = call(file);
  if (!(result instanceof Promise)) return result;
  file.retain();
  return result.finally(() => file.release());
}

function accept4(thread: Thread, fd: number, address: number, lengthAddress: number, flags: number): Result {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0) return -EINVAL;
  const finish = (accepted: SocketFile | number): number => {
    if (typeof accepted === "number") return accepted;
    const newFd = install(thread, accepted, flags);
    if (newFd < 0) accepted.close();
    if (newFd < 0 || address === 0) return newFd;
    try {
      const peer = accepted.peerAddress();
      if (typeof peer !== "number") writeAddress(thread, peer, address, lengthAddress);
    } catch (error) {
      thread.application.files.remove(newFd);
      throw error;
    }
    return newFd;
  };
  const accepted = holding(socketOf(thread, fd), (file) => file.accept(thread, flags & O_NONBLOCK));
  return accepted instanceof Promise ? accepted.then(finish) : finish(accepted);
}

function getsockname(thread: Thread, fd: number, address: number, lengthAddress: number): number {
  return giveAddress(thread, socketOf(thread, fd).localAddress(), address, lengthAddress);
}

function getpeername(thread: Thread, fd: number, address: number, lengthAddress: number): number {
  return giveAddress(thread, socketOf(thread, fd).peerAddress(), address, lengthAddress);
}

function giveAddress(
  thread: Thread,
  value: Uint8Array | number,
  address: number,
  lengthAddress: number,
): number {
  if (typeof value === "number") return value;
  writeAddress(thread, value, address, lengthAddress);
  return 0;
}

// ---- sending --------------------------------------------------------------------------------------------------------

function totalLength(segments: Segments): number {
  let total = 0;
  for (let i = 1; i < segments.length; i += 2) total += segments[i];
  return total;
}

/** `length` bytes from the `skip`th byte of the segments on. */
function gather(thread: Thread, segments: Segments, skip: number, length: number): Uint8Array {
  const data = new Uint8Array(length);
  let done = 0;
  let passed = 0;
  for (let i = 0; i < segments.length && done < length; i += 2) {
    const from = Math.max(0, skip - passed);
    passed += segments[i + 1];
    const some = Math.min(segments[i + 1] - from, length - done);
    if (some <= 0) continue;
    thread.memory.readInto(segments[i] + from, data.subarray(done, done + some));
    done += some;
  }
  return data;
}

/** Sends it in one piece if it is a datagram, in bounded pieces if it is a stream. */
function sendSegments(
  thread: Thread,
  file: SocketFile,
  segments: Segments,
  address: Uint8Array | undefined,
  ancillary: Ancillary,
  flags: number,
): Result {
  const total = totalLength(segments);
  if (file.type === SOCK_STREAM && total > PIECE)
    return sendStream(thread, file, segments, address, ancillary, flags);
  if (total > LONGEST_DATAGRAM) return -EMSGSIZE;
  return file.send(thread, gather(thread, segments, 0, total), address, ancillary, flags);
}

async function sendStream(
  thread: Thread,
  file: SocketFile,
  segments: Segments,
  address: Uint8Array | undefined,
  ancillary: Ancillary,
  flags: number,
): Promise<number> {
  const total = totalLength(segments);
  let sent = 0;
  while (sent < total) {
    const length = Math.min(PIECE, total - sent);
    const along = sent === 0 ? ancillary : { files: [] };
    const result = await file.send(thread, gather(thread, segments, sent, length), address, along, flags);
    if (result < 0) return sent > 0 ? sent : result;
    sent += result;
    if (result < length) break;
  }
  return sent;
}

/** Files that were to go along and did not are given back. */
function sendWith(
  thread: Thread,
  file: SocketFile,
  segments: Segments,
  address: Uint8Array | undefined,
  ancillary: Ancillary,
  flags: number,
): Result {
  const finish = (result: number): number => {
    if (result < 0) for (const each of ancillary.files) each.release();
    return result;
  };
  const result = holding(file, () => sendSegments(thread, file, segments, address, ancillary, flags));
  return result instanceof Promise ? result.then(finish) : finish(result);
}

function sendto(
  thread: Thread,
  fd: number,
  buffer: number,
  length: number,
  flags: number,
  address: number,
  addressLength: number,
): Result {
  const file = socketOf(thread, fd);
  if (!isUserRange(buffer, length)) return -EFAULT;
  const to = address === 0 ? undefined : readAddress(thread, address, addressLength);
  return sendWith(thread, file, [buffer, length], to, { files: [] }, flags);
}

/** struct msghdr */
interface MessageHeader {
  readonly name: number;
  readonly nameLength: number;
  /** Where the vector is, and how many elements it has. */
  readonly vector: number;
  readonly count: number;
  readonly control: number;
  readonly controlLength: number;
}

const HEADER_NAME_LENGTH = 8;
const HEADER_CONTROL_LENGTH = 40;
const HEADER_FLAGS = 48;
/** struct mmsghdr: a msghdr and how many bytes it moved. */
const MMSG_SIZE = 64;
const MMSG_LENGTH = 56;
/** UIO_MAXIOV bounds the number of messages, too. */
const MOST_MESSAGES = 1024;

function readHeader(thread: Thread, address: number): MessageHeader {
  const { memory } = thread;
  const name = memory.readI64(address);
  const nameLength = memory.readI32(address + HEADER_NAME_LENGTH);
  if (nameLength < 0) throw new Errno(EINVAL);
  return {
    name,
    nameLength: name === 0 ? 0 : Math.min(nameLength, LONGEST_ADDRESS),
    vector: memory.readI64(address + 16),
    count: memory.readI64(address + 24),
    control: memory.readI64(address + 32),
    controlLength: memory.readI64(address + HEADER_CONTROL_LENGTH),
  };
}

/** The memory of a message (__copy_msghdr(), which does not say EINVAL to too much). */
function segmentsOf(thread: Thread, { vector, count }: MessageHeader): Segments {
  if (count < 0 || count > IOV_MAX) throw new Errno(EMSGSIZE);
  return readIovec(thread, vector, count);
}

function sendmsg(thread: Thread, fd: number, address: number, flags: number): Result {
  const file = socketOf(thread, fd);
  const header = readHeader(thread, address);
  const to =
    header.name === 0 || header.nameLength === 0
      ? undefined
      : readAddress(thread, header.name, header.nameLength);
  const segments = segmentsOf(thread, header);
  let ancillary: Ancillary = { files: [] };
  if (header.control !== 0 && header.controlLength > 0) {
    if (header.controlLength > LONGEST_CONTROL) return -EINVAL;
    ancillary = parseControl(thread, thread.memory.read(header.control, header.controlLength));
  }
  return sendWith(thread, file, segments, to, ancillary, flags);
}

async function sendmmsg(
  thread: Thread,
  fd: number,
  address: number,
  count: number,
  flags: number,
): Promise<number> {
  let sent = 0;
  for (; sent < Math.min(count >>> 0, MOST_MESSAGES); sent++) {
    const at = address + sent * MMSG_SIZE;
    const result = await attempt(() => sendmsg(thread, fd, at, flags));
    if (result < 0) return sent > 0 ? sent : result;
    thread.memory.writeU32(at + MMSG_LENGTH, result);
  }
  return sent;
}

/** A call whose failure is a number, too. */
async function attempt(call: () => Result): Promise<number> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Errno) return -error.errno;
    throw error;
  }
}

// ---- receiving ------------------------------------------------------------------------------------------------------

function scatter(thread: Thread, segments: Segments, data: Uint8Array): void {
  let done = 0;
  for (let i = 0; i < segments.length && done < data.length; i += 2) {
    const some = Math.min(segments[i + 1], data.length - done);
    thread.memory.write(segments[i], data.subarray(done, done + some));
    done += some;
  }
}

/** Receives into segments; `finish` tells the caller the rest and makes the result. */
function receiveInto(
  thread: Thread,
  file: SocketFile,
  segments: Segments,
  flags: number,
  finish: (received: Received) => number,
): Result {
  const limit = file.type === SOCK_STREAM && (flags & MessageFlag.WAITALL) === 0 ? PIECE : LONGEST_DATAGRAM;
  const buffer = new Uint8Array(Math.min(totalLength(segments), limit));
  const settle = (received: Received | number): number => {
    if (typeof received === "number") return received;
    scatter(thread, segments, buffer.subarray(0, received.length));
    return finish(received);
  };
  const result = holding(file, () => file.receive(thread, buffer, flags));
  return result instanceof Promise ? result.then(settle) : settle(result);
}

/** With MSG_TRUNC the caller is told how long the datagram was, not how much of it fitted. */
function countOf(received: Received, flags: number): number {
  return (flags & MessageFlag.TRUNC) !== 0 ? received.fullLength : received.length;
}

function recvfrom(
  thread: Thread,
  fd: number,
  buffer: number,
  length: number,
  flags: number,
  address: number,
  lengthAddress: number,
): Result {
  const file = socketOf(thread, fd);
  if (!isUserRange(buffer, length)) return -EFAULT;
  return receiveInto(thread, file, [buffer, length], flags, (received) => {
    for (const each of received.ancillary.files) each.release();
    if (address !== 0) writeAddress(thread, received.address ?? new Uint8Array(0), address, lengthAddress);
    return countOf(received, flags);
  });
}

function recvmsg(thread: Thread, fd: number, address: number, flags: number): Result {
  const file = socketOf(thread, fd);
  const header = readHeader(thread, address);
  return receiveInto(thread, file, segmentsOf(thread, header), flags, (received) => {
    const { memory } = thread;
    const from = received.address ?? new Uint8Array(0);
    if (header.name !== 0) {
      memory.write(header.name, from.subarray(0, Math.min(header.nameLength, from.length)));
      memory.writeU32(address + HEADER_NAME_LENGTH, from.length);
    }
    const room = header.control === 0 ? 0 : Math.max(0, header.controlLength);
    const control = encodeControl(thread, received.ancillary, room, flags);
    if (control.bytes.length > 0) memory.write(header.control, control.bytes);
    memory.writeI64(address + HEADER_CONTROL_LENGTH, control.bytes.length);
    const told = received.flags | control.flags | (flags & MessageFlag.CMSG_CLOEXEC);
    memory.writeU32(address + HEADER_FLAGS, told);
    return countOf(received, flags);
  });
}

async function recvmmsg(
  thread: Thread,
  fd: number,
  address: number,
  count: number,
  flags: number,
  timeout: number,
): Promise<number> {
  const { clock } = thread.kernel.host;
  const deadline =
    timeout === 0
      ? Number.POSITIVE_INFINITY
      : clock.monotonic() + nanosecondsOf(readTimespec(thread.memory, timeout));
  let got = 0;
  let how = flags & ~MessageFlag.WAITFORONE;
  for (; got < Math.min(count >>> 0, MOST_MESSAGES); got++) {
    const at = address + got * MMSG_SIZE;
    const result = await attempt(() => recvmsg(thread, fd, at, how));
    if (result < 0) return got > 0 ? got : result;
    thread.memory.writeU32(at + MMSG_LENGTH, result);
    if ((flags & MessageFlag.WAITFORONE) !== 0) how |= MessageFlag.DONTWAIT;
    if (clock.monotonic() > deadline) return got + 1;
  }
  return got;
}

// ---- the rest -------------------------------------------------------------------------------------------------------

function shutdown(thread: Thread, fd: number, how: number): number {
  return socketOf(thread, fd).shutdown(how | 0);
}

function setsockopt(
  thread: Thread,
  fd: number,
  level: number,
  name: number,
  address: number,
  length: number,
): number {
  const file = socketOf(thread, fd);
  if ((length | 0) < 0) return -EINVAL;
  return file.setOption(
    thread,
    level | 0,
    name | 0,
    thread.memory.read(address, Math.min(length | 0, LONGEST_OPTION)),
  );
}

function getsockopt(
  thread: Thread,
  fd: number,
  level: number,
  name: number,
  address: number,
  lengthAddress: number,
): number {
  const file = socketOf(thread, fd);
  const room = thread.memory.readI32(lengthAddress);
  if (room < 0) return -EINVAL;
  const value = file.getOption(thread, level | 0, name | 0);
  if (typeof value === "number") return value;
  const given = value.subarray(0, Math.min(room, value.length));
  thread.memory.write(address, given);
  thread.memory.writeU32(lengthAddress, given.length);
  return 0;
}

const NOTE = "AF_UNIX only; other families are EAFNOSUPPORT";
const MSG_FLAGS = {
  flags: Object.fromEntries(Object.entries(MessageFlag).map(([name, value]) => [`MSG_${name}`, value])),
};
const FD = ["fd", "fd"] as const;
const NAME = [
  ["addr", "pointer"],
  ["addrlen", "pointer"],
] as const;
const ADDRESS = [
  ["addr", "pointer"],
  ["addrlen", "int"],
] as const;
const ACCEPT_FLAGS = { flags: { SOCK_CLOEXEC: O_CLOEXEC, SOCK_NONBLOCK: O_NONBLOCK } };
const KIND = [
  ["domain", { oneOf: FAMILIES }],
  ["type", { flags: TYPES }],
  ["protocol", "int"],
] as const;

export const SOCKET_SYSCALLS: readonly SyscallDefinition[] = [
  { number: 41, name: "socket", state: "partial", note: NOTE, call: socket, arguments: KIND },
  {
    number: 53,
    name: "socketpair",
    state: "done",
    call: socketpair,
    arguments: [...KIND, ["sv", "pointer"]],
  },
  { number: 49, name: "bind", state: "done", call: bind, arguments: [FD, ...ADDRESS] },
  { number: 50, name: "listen", state: "done", call: listen, arguments: [FD, ["backlog", "int"]] },
  { number: 42, name: "connect", state: "done", call: connect, arguments: [FD, ...ADDRESS] },
  {
    number: 43,
    name: "accept",
    state: "done",
    arguments: [FD, ...NAME],
    call: (thread, fd, address, length) => accept4(thread, fd, address, length, 0),
  },
  {
    number: 288,
    name: "accept4",
    state: "done",
    call: accept4,
    arguments: [FD, ...NAME, ["flags", ACCEPT_FLAGS]],
  },
  { number: 51, name: "getsockname", state: "done", call: getsockname, arguments: [FD, ...NAME] },
  { number: 52, name: "getpeername", state: "done", call: getpeername, arguments: [FD, ...NAME] },
  {
    number: 44,
    name: "sendto",
    state: "done",
    call: sendto,
    arguments: [FD, ["buf", "buffer"], ["len", "size"], ["flags", MSG_FLAGS], ...ADDRESS],
  },
  {
    number: 46,
    name: "sendmsg",
    state: "done",
    call: sendmsg,
    arguments: [FD, ["msg", "pointer"], ["flags", MSG_FLAGS]],
  },
  {
    number: 307,
    name: "sendmmsg",
    state: "done",
    call: sendmmsg,
    arguments: [FD, ["msgvec", "pointer"], ["vlen", "uint"], ["flags", MSG_FLAGS]],
  },
  {
    number: 45,
    name: "recvfrom",
    state: "done",
    call: recvfrom,
    arguments: [FD, ["buf", "outbuffer"], ["len", "size"], ["flags", MSG_FLAGS], ...NAME],
  },
  {
    number: 47,
    name: "recvmsg",
    state: "done",
    call: recvmsg,
    arguments: [FD, ["msg", "pointer"], ["flags", MSG_FLAGS]],
  },
  {
    number: 299,
    name: "recvmmsg",
    state: "done",
    call: recvmmsg,
    arguments: [FD, ["msgvec", "pointer"], ["vlen", "uint"], ["flags", MSG_FLAGS], ["timeout", "pointer"]],
  },
  {
    number: 48,
    name: "shutdown",
    state: "done",
    call: shutdown,
    arguments: [FD, ["how", { oneOf: { SHUT_RD: 0, SHUT_WR: 1, SHUT_RDWR: 2 } }]],
  },
  {
    number: 54,
    name: "setsockopt",
    state: "done",
    call: setsockopt,
    arguments: [FD, ["level", "int"], ["optname", "int"], ["optval", "pointer"], ["optlen", "int"]],
  },
  {
    number: 55,
    name: "getsockopt",
    state: "done",
    call: getsockopt,
    arguments: [FD, ["level", "int"], ["optname", "int"], ["optval", "pointer"], ["optlen", "pointer"]],
  },
];
