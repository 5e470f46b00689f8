/** The messages that have come for an AF_UNIX socket. */

import type { OpenFile } from "../vfs/open-file.ts";
import { filesInFlight } from "./files-in-flight.ts";
import { type Ancillary, type Credentials, MessageFlag, type Received } from "./socket-file.ts";
import type { Message } from "./unix-message.ts";

export class ReceiveQueue {
  private readonly messages: Message[] = [];

  get length(): number {
    return this.messages.length;
  }

  /** FIONREAD of a stream. */
  get bytes(): number {
    return this.messages.reduce((sum, { data, start }) => sum + data.length - start, 0);
  }

  /** FIONREAD of datagrams. */
  get firstLength(): number {
    return this.messages[0]?.data.length ?? 0;
  }

  push(message: Message): void {
    filesInFlight.depart(message.files);
    this.messages.push(message);
  }

  /**
   * Bytes of a stream, up to the length of the buffer. They end where files come along, and where another sender begins
   * when the reader wants to know who it is. The queue must not be empty.
   */
  takeStream(buffer: Uint8Array, peek: boolean, passCredentials: boolean): Received {
    const [{ credentials }] = this.messages;
    let length = 0;
    let files: readonly OpenFile[] = [];
    for (let index = 0; length < buffer.length && files.length === 0 && index < this.messages.length; ) {
      const message = this.messages[index];
      if (passCredentials && !isSame(message.credentials, credentials)) break;
      const n = Math.min(buffer.length - length, message.data.length - message.start);
      buffer.set(message.data.subarray(message.start, message.start + n), length);
      length += n;
      files = message.files;
      if (peek) {
        index++;
      } else {
        message.start += n;
        message.files = [];
        filesInFlight.arrive(files);
        if (message.start < message.data.length) break;
        this.messages.shift();
        message.sender.consumed(message.charge);
      }
    }
    if (peek) for (const file of files) file.retain();
    return { length, fullLength: length, flags: 0, ancillary: along(files, credentials, passCredentials) };
  }

  /** One datagram, of which the buffer may hold only a part. The queue must not be empty. */
  takeDatagram(buffer: Uint8Array, peek: boolean, passCredentials: boolean): Received {
    const [message] = this.messages;
    const { data, files, address, credentials } = message;
    const length = Math.min(buffer.length, data.length);
    buffer.set(data.subarray(0, length));
    if (peek) {
      for (const file of files) file.retain();
    } else {
      this.messages.shift();
      filesInFlight.arrive(files);
      message.sender.consumed(message.charge);
    }
    return {
      length,
      address,
      fullLength: data.length,
      flags: length < data.length ? MessageFlag.TRUNC : 0,
      ancillary: along(files, credentials, passCredentials),
    };
  }

  /** Nobody will read what is left. */
  clear(): void {
    for (const message of this.messages.splice(0)) {
      message.sender.consumed(message.charge);
      filesInFlight.drop(message.files);
    }
  }
}

function along(files: readonly OpenFile[], credentials: Credentials, passCredentials: boolean): Ancillary {
  return { files, credentials: passCredentials ? credentials : undefined };
}

function isSame(a: Credentials, b: Credentials): boolean {
  return a.pid === b.pid && a.uid === b.uid && a.gid === b.gid;
}
