/** A message between AF_UNIX sockets, and what it takes from the send buffer. */

import type { Ancillary, Credentials } from "./socket-file.ts";
import type { UnixSocket } from "./unix-socket.ts";

/** Sizes of a message on Linux: sk_buff, skb_shared_info, and what of the data is in one allocation with the latter. */
const SK_BUFF = 256;
const SHARED_INFO = 320;
export const STREAM_HEAD = 4096 - SHARED_INFO; // SKB_MAX_HEAD(0)
export const DATAGRAM_HEAD = 16384 - SHARED_INFO; // SKB_MAX_ALLOC
/** The most that one piece of a stream holds: the head and UNIX_SKB_FRAGS_SZ. */
export const LARGEST_PIECE = STREAM_HEAD + 32768;

/** A message on its way (struct sk_buff). */
export interface Message {
  readonly data: Uint8Array;
  /** Bytes of a stream that have been read already. */
  start: number;
  /** What the sender's buffer is charged. */
  readonly charge: number;
  readonly sender: UnixSocket;
  readonly address: Uint8Array | undefined;
  readonly credentials: Credentials;
  files: Ancillary["files"];
}

/**
 * What a message of this length takes from the send buffer on Linux (skb->truesize: an allocation of a power of two,
 * whole pages for what is large), so that as much fits as there.
 */
export function chargeFor(length: number, head: number): number {
  const pages = length <= head ? 0 : Math.min(length, Math.ceil((length - head) / 4096) * 4096);
  let allocation = 512;
  while (allocation < length - pages + SHARED_INFO) allocation *= 2;
  return SK_BUFF + allocation + pages;
}
