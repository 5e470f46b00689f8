/** The options of setsockopt(2) at SOL_SOCKET that a socket keeps (socket(7)). */

import { EINVAL, ENOPROTOOPT, EOPNOTSUPP } from "../errno.ts";
import { SocketOption } from "./socket-file.ts";

/** net.core.wmem_default and rmem_default, which are also the maximum. */
const DEFAULT_BUFFER = 212992;
/** SOCK_MIN_SNDBUF, SOCK_MIN_RCVBUF */
const LEAST_SEND_BUFFER = 4608;
const LEAST_RECEIVE_BUFFER = 2304;
const TIMEVAL_SIZE = 16;

/** Told by the socket itself, not set. */
const READ_ONLY: ReadonlySet<number> = new Set([
  SocketOption.TYPE,
  SocketOption.ERROR,
  SocketOption.PEERCRED,
  SocketOption.ACCEPTCONN,
  SocketOption.PROTOCOL,
  SocketOption.DOMAIN,
]);
/** Remembered; they mean nothing between programs of one machine. */
const REMEMBERED: ReadonlySet<number> = new Set([
  SocketOption.DEBUG,
  SocketOption.REUSEADDR,
  SocketOption.DONTROUTE,
  SocketOption.BROADCAST,
  SocketOption.KEEPALIVE,
  SocketOption.OOBINLINE,
  SocketOption.PRIORITY,
  SocketOption.LINGER,
  SocketOption.RCVLOWAT,
  SocketOption.TIMESTAMP,
]);

export class SocketOptions {
  sendBuffer = DEFAULT_BUFFER;
  receiveBuffer = DEFAULT_BUFFER;
  passCredentials = false;
  /** Nanoseconds; 0 is for ever. */
  receiveTimeout = 0;
  sendTimeout = 0;
  private readonly others = new Map<number, number>();

  set(name: number, value: Uint8Array): number {
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    if (name === SocketOption.RCVTIMEO || name === SocketOption.SNDTIMEO) {
      if (value.length < TIMEVAL_SIZE) return -EINVAL;
      const timeout = Math.max(
        0,
        Number(view.getBigInt64(0, true)) * 1e9 + Number(view.getBigInt64(8, true)) * 1e3,
      );
      if (name === SocketOption.RCVTIMEO) this.receiveTimeout = timeout;
      else this.sendTimeout = timeout;
      return 0;
    }
    if (value.length < 4) return -EINVAL;
    const number = view.getInt32(0, true);
    if (READ_ONLY.has(name)) return -ENOPROTOOPT;
    if (REMEMBERED.has(name)) {
      this.others.set(name, number);
      return 0;
    }
    // Sizes are doubled for the bookkeeping, as the manual says.
    const size = Math.min(number, DEFAULT_BUFFER) * 2;
    switch (name) {
      case SocketOption.PASSCRED:
        this.passCredentials = number !== 0;
        return 0;
      case SocketOption.SNDBUF:
      case SocketOption.SNDBUFFORCE:
        this.sendBuffer = Math.max(LEAST_SEND_BUFFER, size);
        return 0;
      case SocketOption.RCVBUF:
      case SocketOption.RCVBUFFORCE:
        this.receiveBuffer = Math.max(LEAST_RECEIVE_BUFFER, size);
        return 0;
      case SocketOption.REUSEPORT:
        return -EOPNOTSUPP;
      default:
        return -ENOPROTOOPT;
    }
  }

  get(name: number): Uint8Array | number {
    switch (name) {
      case SocketOption.SNDBUF:
        return integers(this.sendBuffer);
      case SocketOption.RCVBUF:
        return integers(this.receiveBuffer);
      case SocketOption.PASSCRED:
        return integers(this.passCredentials ? 1 : 0);
      case SocketOption.RCVTIMEO:
        return timeval(this.receiveTimeout);
      case SocketOption.SNDTIMEO:
        return timeval(this.sendTimeout);
      case SocketOption.LINGER:
        return integers(this.others.get(name) ?? 0, 0);
      case SocketOption.RCVLOWAT:
      case SocketOption.SNDLOWAT:
        return integers(this.others.get(name) ?? 1);
      case SocketOption.REUSEPORT:
        return integers(0);
      default:
        return REMEMBERED.has(name) ? integers(this.others.get(name) ?? 0) : -ENOPROTOOPT;
    }
  }
}

/** ints, as options have them. */
export function integers(...values: number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer);
}

function timeval(ns: number): Uint8Array {
  const seconds = Math.floor(ns / 1e9);
  return new Uint8Array(
    BigInt64Array.of(BigInt(seconds), BigInt(Math.floor((ns - seconds * 1e9) / 1e3))).buffer,
  );
}
