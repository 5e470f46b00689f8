/**
 * AF_UNIX sockets: streams, datagrams and sequenced packets between programs of this machine (unix(7); Linux:
 * net/unix/af_unix.c, whose order of checks is kept).
 */

import {
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EINVAL,
  EISCONN,
  EMSGSIZE,
  ENOTCONN,
  EOPNOTSUPP,
  EPERM,
  EPIPE,
  ERESTARTSYS,
  Errno,
} from "../errno.ts";
import type { Clock } from "../host.ts";
import { SIGPIPE, SiCode } from "../sched/signal-numbers.ts";
import type { Thread } from "../sched/thread.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import { FIONREAD, TIOCOUTQ } from "../tty/ioctls.ts";
import { Poll, type Result } from "../vfs/open-file.ts";
import {
  AF_UNIX,
  AF_UNSPEC,
  type Ancillary,
  type Credentials,
  MessageFlag,
  type Received,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  SOL_SOCKET,
  SocketFile,
  SocketOption,
} from "./socket-file.ts";
import { integers, SocketOptions } from "./socket-options.ts";
import {
  bindName,
  encodeAddress,
  findSocket,
  parseAddress,
  releaseName,
  type UnixName,
} from "./unix-address.ts";
import { chargeFor, DATAGRAM_HEAD, LARGEST_PIECE, STREAM_HEAD } from "./unix-message.ts";
import { ReceiveQueue } from "./unix-receive-queue.ts";

/** net.core.somaxconn, net.unix.max_dgram_qlen */
const MAXIMUM_BACKLOG = 4096;
const DATAGRAM_BACKLOG = 10;

const WRITE_EVENTS = Poll.OUT | Poll.WRNORM | Poll.WRBAND;
// Bits of the ends of a connection that are shut.
const SHUTDOWN_RECEIVE = 1;
const SHUTDOWN_SEND = 2;
const SHUTDOWN_BOTH = 3;

type State = "closed" | "listening" | "connected";

export class UnixSocket extends SocketFile {
  override readonly domain = AF_UNIX;
  private state: State = "closed";
  private name: UnixName | undefined;
  /** The other end; for datagrams, where they go by default. */
  private peer: UnixSocket | undefined;
  private peerCredentials: Credentials = { pid: 0, uid: -1, gid: -1 };
  private readonly incoming = new ReceiveQueue();
  /** Datagram sockets that send here by default. */
  private readonly connected = new Set<UnixSocket>();
  /** Listening: connections that wait for accept(2). */
  private pendingConnections: UnixSocket[] = [];
  private backlog = DATAGRAM_BACKLOG;
  private shutdownMask = 0;
  private pendingError = 0;
  /** What our messages take up in others' queues, and how much they may. */
  private sent = 0;
  private readonly options = new SocketOptions();
  private readonly receivers = new WaitQueue();
  private readonly senders = new WaitQueue();
  closed = false;

  constructor(
    override readonly type: number,
    flags: number,
    private readonly clock: Clock,
  ) {
    super(flags, clock);
  }

  /** socketpair(2) */
  static pair(thread: Thread, type: number, flags: number): [UnixSocket, UnixSocket] {
    const { clock } = thread.kernel.host;
    const one = new UnixSocket(type, flags, clock);
    const other = new UnixSocket(type, flags, clock);
    one.join(other, credentialsOf(thread));
    other.join(one, credentialsOf(thread));
    return [one, other];
  }

  private join(peer: UnixSocket, credentials: Credentials): void {
    this.peer = peer;
    this.peerCredentials = credentials;
    this.state = "connected";
  }

  private get isDatagram(): boolean {
    return this.type === SOCK_DGRAM;
  }

  // ---- names and connections --------------------------------------------------------------------------------------

  override bind(thread: Thread, address: Uint8Array): number {
    const name = parseAddress(address);
    if (this.name !== undefined) return name === undefined ? 0 : -EINVAL;
    this.name = bindName(thread, this, name);
    return 0;
  }

  override localAddress(): Uint8Array {
    return encodeAddress(this.name);
  }

  override peerAddress(): Uint8Array | number {
    return this.peer === undefined ? -ENOTCONN : encodeAddress(this.peer.name);
  }

  override listen(thread: Thread, backlog: number): number {
    if (this.isDatagram) return -EOPNOTSUPP;
    if (this.name === undefined || this.state === "connected") return -EINVAL;
    this.backlog = backlog < 0 ? MAXIMUM_BACKLOG : Math.min(backlog, MAXIMUM_BACKLOG);
    this.state = "listening";
    this.peerCredentials = credentialsOf(thread);
    this.senders.wake();
    return 0;
  }

  override connect(thread: Thread, address: Uint8Array): Result {
    if (address.length >= 2 && (address[0] | (address[1] << 8)) === AF_UNSPEC && this.isDatagram) {
      this.disconnect();
      this.state = "closed";
      return 0;
    }
    const name = parseAddress(address);
    if (name === undefined) return -EINVAL;
    if (this.isDatagram) {
      const peer = findSocket(thread, name, this.type);
      if (peer.peer !== undefined && peer.peer !== this) return -EPERM;
      this.disconnect();
      this.peer = peer;
      peer.connected.add(this);
      this.state = "connected";
      return 0;
    }
    return this.connectStream(thread, name);
  }

  private disconnect(): void {
    this.peer?.connected.delete(this);
    this.peer = undefined;
  }

  private connectStream(thread: Thread, name: UnixName): Result {
    const listener = findSocket(thread, name, this.type);
    if (listener.state !== "listening" || (listener.shutdownMask & SHUTDOWN_RECEIVE) !== 0)
      return -ECONNREFUSED;
    if (listener.pendingConnections.length > listener.backlog) {
      if (this.nonBlocking) return -EAGAIN;
      return this.connectLater(thread, name, listener);
    }
    if (this.state === "connected") return -EISCONN;
    if (this.state === "listening") return -EINVAL;
    const other = new UnixSocket(this.type, 0, this.clock);
    other.name = listener.name;
    other.join(this, credentialsOf(thread));
    this.join(other, listener.peerCredentials);
    listener.pendingConnections.push(other);
    listener.received();
    return 0;
  }

  private async connectLater(thread: Thread, name: UnixName, listener: UnixSocket): Promise<number> {
    const how = await thread.wait(listener.senders, this.deadline(this.options.sendTimeout));
    if (how === "interrupted") return -ERESTARTSYS;
    if (how === "timeout") return -EAGAIN;
    return this.connectStream(thread, name);
  }

  override accept(thread: Thread, flags: number): SocketFile | number | Promise<SocketFile | number> {
    if (this.isDatagram) return -EOPNOTSUPP;
    if (this.state !== "listening") return -EINVAL;
    const socket = this.takeConnection(flags);
    if (socket !== undefined) return socket;
    return this.nonBlocking ? -EAGAIN : this.acceptLater(thread, flags);
  }

  private takeConnection(flags: number): UnixSocket | undefined {
    const socket = this.pendingConnections.shift();
    if (socket === undefined) return undefined;
    socket.flags |= flags;
    this.senders.wake();
    return socket;
  }

  private async acceptLater(thread: Thread, flags: number): Promise<SocketFile | number> {
    const deadline = this.deadline(this.options.receiveTimeout);
    for (;;) {
      const how = await thread.wait(this.receivers, deadline);
      const socket = this.takeConnection(flags);
      if (socket !== undefined) return socket;
      if ((this.shutdownMask & SHUTDOWN_RECEIVE) !== 0) return -EINVAL;
      if (how === "interrupted") return -ERESTARTSYS;
      if (how === "timeout") return -EAGAIN;
    }
  }

  // ---- sending ----------------------------------------------------------------------------------------------------

  override send(
    thread: Thread,
    data: Uint8Array,
    address: Uint8Array | undefined,
    ancillary: Ancillary,
    flags: number,
  ): Result {
    if ((flags & MessageFlag.OOB) !== 0) return -EOPNOTSUPP;
    if (this.type === SOCK_STREAM) {
      if (address !== undefined) return this.state === "connected" ? -EISCONN : -EOPNOTSUPP;
      return this.sendStream(thread, data, ancillary, flags);
    }
    if (this.type === SOCK_SEQPACKET && this.state !== "connected") return -ENOTCONN;
    return this.sendDatagram(thread, data, this.isDatagram ? address : undefined, ancillary, flags);
  }

  private mayWait(flags: number): boolean {
    return !this.nonBlocking && (flags & MessageFlag.DONTWAIT) === 0;
  }

  private takeError(): number {
    const error = this.pendingError;
    this.pendingError = 0;
    return error;
  }

  private sendStream(thread: Thread, data: Uint8Array, ancillary: Ancillary, flags: number): Result {
    if (this.peer === undefined) return -ENOTCONN;
    const sent = this.sendPieces(thread, data, 0, ancillary, flags);
    if (sent < 0 || sent === data.length) return sent;
    if (!this.mayWait(flags)) return sent > 0 ? sent : -EAGAIN;
    return this.sendRest(thread, data, sent, ancillary, flags);
  }

  /** Sends from `start` on what there is room for; returns up to where, or an error if nothing was sent. */
  private sendPieces(
    thread: Thread,
    data: Uint8Array,
    start: number,
    ancillary: Ancillary,
    flags: number,
  ): number {
    let sent = start;
    while (sent < data.length) {
      const { peer } = this;
      if (
        peer === undefined ||
        peer.closed ||
        (peer.shutdownMask & SHUTDOWN_RECEIVE) !== 0 ||
        (this.shutdownMask & SHUTDOWN_SEND) !== 0
      ) {
        return sent > 0 ? sent : this.broken(thread, flags);
      }
      if (this.sent >= this.options.sendBuffer) break;
      const size = Math.min(data.length - sent, (this.options.sendBuffer >> 1) - 64, LARGEST_PIECE);
      this.deliver(thread, peer, data.slice(sent, sent + size), sent === 0 ? ancillary : { files: [] });
      sent += size;
    }
    return sent;
  }

  private async sendRest(
    thread: Thread,
    data: Uint8Array,
    start: number,
    ancillary: Ancillary,
    flags: number,
  ): Promise<number> {
    const deadline = this.deadline(this.options.sendTimeout);
    let sent = start;
    while (sent < data.length) {
      const how = await thread.wait(this.senders, deadline);
      const before = sent;
      sent = this.sendPieces(thread, data, sent, ancillary, flags);
      if (sent < 0) return sent;
      if (sent > before) {
        if (this.peer?.closed === true) return sent;
        continue;
      }
      if (this.cannotSend) return sent > 0 ? sent : this.broken(thread, flags);
      if (how === "interrupted") return sent > 0 ? sent : -ERESTARTSYS;
      if (how === "timeout") return sent > 0 ? sent : -EAGAIN;
    }
    return sent;
  }

  private get cannotSend(): boolean {
    const { peer } = this;
    return (
      peer === undefined ||
      peer.closed ||
      (peer.shutdownMask & SHUTDOWN_RECEIVE) !== 0 ||
      (this.shutdownMask & SHUTDOWN_SEND) !== 0
    );
  }

  private broken(thread: Thread, flags: number): number {
    if ((flags & MessageFlag.NOSIGNAL) === 0) {
      thread.kernel.signals.sendToThread(thread, SIGPIPE, { code: SiCode.USER, pid: thread.application.pid });
    }
    return -EPIPE;
  }

  private sendDatagram(
    thread: Thread,
    data: Uint8Array,
    address: Uint8Array | undefined,
    ancillary: Ancillary,
    flags: number,
  ): Result {
    if (data.length > this.options.sendBuffer - 32) return -EMSGSIZE;
    const result = this.trySendDatagram(thread, data, address, ancillary);
    if (result !== -EAGAIN || !this.mayWait(flags)) return result;
    return this.sendDatagramLater(thread, data, address, ancillary);
  }

  private destination(thread: Thread, address: Uint8Array | undefined): UnixSocket | undefined {
    if (address === undefined) return this.peer;
    const name = parseAddress(address);
    if (name === undefined) throw new Errno(EINVAL);
    return findSocket(thread, name, this.type);
  }

  private trySendDatagram(
    thread: Thread,
    data: Uint8Array,
    address: Uint8Array | undefined,
    ancillary: Ancillary,
  ): number {
    if (this.sent >= this.options.sendBuffer) return -EAGAIN;
    const to = this.destination(thread, address);
    if (to === undefined) return -ENOTCONN;
    if (to.closed) {
      if (!this.isDatagram) return -EPIPE;
      if (to === this.peer) this.disconnect();
      return -ECONNREFUSED;
    }
    if ((to.shutdownMask & SHUTDOWN_RECEIVE) !== 0 || (this.shutdownMask & SHUTDOWN_SEND) !== 0)
      return -EPIPE;
    // Two that send to each other only wait for their own buffers.
    if (to.peer !== this && to.incoming.length > to.backlog) return -EAGAIN;
    this.deliver(thread, to, data.slice(), ancillary);
    return data.length;
  }

  private async sendDatagramLater(
    thread: Thread,
    data: Uint8Array,
    address: Uint8Array | undefined,
    ancillary: Ancillary,
  ): Promise<number> {
    const deadline = this.deadline(this.options.sendTimeout);
    for (;;) {
      const to = this.destination(thread, address);
      const queues = to === undefined || to === this ? [this.senders] : [this.senders, to.senders];
      const how = await thread.wait(queues, deadline);
      const result = this.trySendDatagram(thread, data, address, ancillary);
      if (result !== -EAGAIN) return result;
      if (how === "interrupted") return -ERESTARTSYS;
      if (how === "timeout") return -EAGAIN;
    }
  }

  private deliver(thread: Thread, to: UnixSocket, data: Uint8Array, { files, credentials }: Ancillary): void {
    const charge = chargeFor(data.length, this.type === SOCK_STREAM ? STREAM_HEAD : DATAGRAM_HEAD);
    this.sent += charge;
    const address = this.name === undefined ? undefined : encodeAddress(this.name);
    to.incoming.push({
      data,
      charge,
      address,
      files,
      start: 0,
      sender: this,
      credentials: credentials ?? credentialsOf(thread),
    });
    to.received();
  }

  /** Something came in. */
  private received(): void {
    this.receivers.wake();
    this.pollQueue.wake(undefined, Poll.IN | Poll.RDNORM);
  }

  /** A message of ours has been taken out of a queue. */
  consumed(charge: number): void {
    this.sent -= charge;
    this.senders.wake();
    if (this.hasSendRoom) this.pollQueue.wake(undefined, WRITE_EVENTS);
  }

  // ---- receiving --------------------------------------------------------------------------------------------------

  override receive(
    thread: Thread,
    buffer: Uint8Array,
    flags: number,
  ): Received | number | Promise<Received | number> {
    if ((flags & MessageFlag.OOB) !== 0) return -EOPNOTSUPP;
    if (this.type === SOCK_STREAM && this.state !== "connected") return -EINVAL;
    if (this.type === SOCK_SEQPACKET && this.state !== "connected") return -ENOTCONN;
    const received = this.tryReceive(buffer, flags);
    const wanted = this.type === SOCK_STREAM && (flags & MessageFlag.WAITALL) !== 0 ? buffer.length : 1;
    if (
      received !== -EAGAIN &&
      (typeof received === "number" || received.length >= Math.min(wanted, buffer.length))
    ) {
      return received;
    }
    if (!this.mayWait(flags)) return received;
    return this.receiveLater(thread, buffer, flags, wanted, received);
  }

  private tryReceive(buffer: Uint8Array, flags: number): Received | number {
    if (this.incoming.length > 0) {
      return this.take(buffer, (flags & MessageFlag.PEEK) !== 0);
    }
    const error = this.takeError();
    if (error !== 0) return -error;
    if ((this.shutdownMask & SHUTDOWN_RECEIVE) !== 0 && !this.isDatagram) return nothing();
    if (this.type === SOCK_STREAM && buffer.length === 0) return nothing();
    return (this.shutdownMask & SHUTDOWN_RECEIVE) !== 0 ? nothing() : -EAGAIN;
  }

  private take(buffer: Uint8Array, peek: boolean): Received {
    const { passCredentials } = this.options;
    if (this.type === SOCK_STREAM) return this.incoming.takeStream(buffer, peek, passCredentials);
    const received = this.incoming.takeDatagram(buffer, peek, passCredentials);
    if (!peek) {
      // There is room for another datagram, whoever wants to send it.
      this.senders.wake();
      for (const sender of this.connected) sender.pollQueue.wake(undefined, WRITE_EVENTS);
    }
    return this.type === SOCK_SEQPACKET ? { ...received, flags: received.flags | MessageFlag.EOR } : received;
  }

  private async receiveLater(
    thread: Thread,
    buffer: Uint8Array,
    flags: number,
    wanted: number,
    first: Received | number,
  ): Promise<Received | number> {
    const deadline = this.deadline(this.options.receiveTimeout);
    let soFar = typeof first === "number" ? undefined : first;
    for (;;) {
      // Nothing more is coming, or what has come must not be mixed with what follows.
      if (soFar !== undefined && (this.shutdownMask & SHUTDOWN_RECEIVE) !== 0 && this.incoming.length === 0)
        return soFar;
      if (soFar !== undefined && soFar.ancillary.files.length > 0) return soFar;
      const how = this.incoming.length > 0 ? "woken" : await thread.wait(this.receivers, deadline);
      const next = this.tryReceive(buffer.subarray(soFar?.length ?? 0), flags);
      if (typeof next !== "number") {
        soFar =
          soFar === undefined
            ? next
            : { ...next, length: soFar.length + next.length, fullLength: soFar.length + next.length };
        if (next.length === 0 || soFar.length >= wanted || this.type !== SOCK_STREAM) return soFar;
      } else if (next !== -EAGAIN) {
        return soFar ?? next;
      } else if (how !== "woken") {
        return soFar ?? (how === "interrupted" ? -ERESTARTSYS : -EAGAIN);
      }
    }
  }

  private deadline(timeout: number): number | undefined {
    return timeout === 0 ? undefined : this.clock.monotonic() + timeout;
  }

  // ---- state ------------------------------------------------------------------------------------------------------

  /** unix_writable: three quarters of the buffer are free. */
  private get hasSendRoom(): boolean {
    return this.state !== "listening" && this.sent * 4 <= this.options.sendBuffer;
  }

  override poll(): number {
    let events = 0;
    if (this.pendingError !== 0) events |= Poll.ERR;
    if (this.shutdownMask === SHUTDOWN_BOTH) events |= Poll.HUP;
    if ((this.shutdownMask & SHUTDOWN_RECEIVE) !== 0) events |= Poll.RDHUP | Poll.IN | Poll.RDNORM;
    if (this.incoming.length > 0 || this.pendingConnections.length > 0) events |= Poll.IN | Poll.RDNORM;
    if (!this.isDatagram && this.state === "closed") events |= Poll.HUP;
    const { peer } = this;
    const peerFull =
      this.isDatagram && peer !== undefined && peer.peer !== this && peer.incoming.length > peer.backlog;
    if (this.hasSendRoom && !peerFull) events |= WRITE_EVENTS;
    return events;
  }

  override shutdown(how: number): number {
    if (how < 0 || how > 2) return -EINVAL;
    const mask = how + 1;
    this.endings(mask);
    const { peer } = this;
    if (peer !== undefined && !this.isDatagram) {
      // What one end will not send, the other cannot receive.
      peer.endings(
        ((mask & SHUTDOWN_RECEIVE) !== 0 ? SHUTDOWN_SEND : 0) |
          ((mask & SHUTDOWN_SEND) !== 0 ? SHUTDOWN_RECEIVE : 0),
      );
    }
    return 0;
  }

  private endings(mask: number): void {
    this.shutdownMask |= mask;
    this.receivers.wake();
    this.senders.wake();
    this.pollQueue.wake();
  }

  override close(): void {
    this.closed = true;
    releaseName(this, this.name);
    const { peer } = this;
    const wasListening = this.state === "listening";
    this.state = "closed";
    if (peer !== undefined && !this.isDatagram) {
      // Data that nobody will read was lost: the other end is to know.
      if (this.incoming.length > 0) peer.pendingError = ECONNRESET;
      peer.endings(SHUTDOWN_BOTH);
    }
    if (this.isDatagram) this.disconnect();
    this.incoming.clear();
    if (wasListening) {
      for (const socket of this.pendingConnections.splice(0)) {
        if (socket.peer !== undefined) socket.peer.pendingError = ECONNRESET;
        socket.close();
      }
    }
    this.senders.wake();
  }

  // ---- options ----------------------------------------------------------------------------------------------------

  override setOption(_thread: Thread, level: number, name: number, value: Uint8Array): number {
    return level === SOL_SOCKET ? this.options.set(name, value) : -EOPNOTSUPP;
  }

  override getOption(_thread: Thread, level: number, name: number): Uint8Array | number {
    if (level !== SOL_SOCKET) return -EOPNOTSUPP;
    const { pid, uid, gid } = this.peerCredentials;
    switch (name) {
      case SocketOption.TYPE:
        return integers(this.type);
      case SocketOption.DOMAIN:
        return integers(AF_UNIX);
      case SocketOption.PROTOCOL:
        return integers(0);
      case SocketOption.ERROR:
        return integers(this.takeError());
      case SocketOption.ACCEPTCONN:
        return integers(this.state === "listening" ? 1 : 0);
      case SocketOption.PEERCRED:
        return integers(pid, uid, gid);
      default:
        return this.options.get(name);
    }
  }

  override ioctl(thread: Thread, request: number, argument: number): Result {
    if (request === FIONREAD) {
      if (this.state === "listening") return -EINVAL;
      thread.memory.writeU32(argument, this.isDatagram ? this.incoming.firstLength : this.incoming.bytes);
      return 0;
    }
    if (request === TIOCOUTQ) {
      thread.memory.writeU32(argument, this.sent);
      return 0;
    }
    return super.ioctl(thread, request, argument);
  }
}

function nothing(): Received {
  return { length: 0, fullLength: 0, flags: 0, ancillary: { files: [] } };
}

/** What the kernel says about the sender when the sender does not. */
export function credentialsOf(thread: Thread): Credentials {
  return { pid: thread.application.pid, uid: 0, gid: 0 };
}
