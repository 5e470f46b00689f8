/** Standard streams of the process that are not terminals: pipes, sockets, files, /dev/null. */

import * as fs from "node:fs";
import type { HostFile, HostStat, HostStream } from "../../kernel/host.ts";
import { HostError } from "../../kernel/host.ts";

/** What to wait before trying a full pipe again, growing from the first to the last. */
const FIRST_RETRY_MS = 1;
const LAST_RETRY_MS = 16;
/** What may pile up for a reader that does not come before the program has to wait. */
const QUEUE_LIMIT = 65536;

/**
 * An output descriptor, written synchronously: what a program has written is out before it goes on, in order, and
 * cannot be lost when the process ends. When a non-blocking pipe is full, the rest waits here.
 */
export class NodeOutput implements HostStream {
  readonly isTerminal: boolean = false;
  private queue: Uint8Array[] = [];
  private queued = 0;
  private retry: NodeJS.Timeout | undefined;
  private failure: HostError | undefined;
  private drained: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(protected readonly fd: number) {}

  stat(): HostStat {
    return statOf(this.fd);
  }

  write(bytes: Uint8Array): void | Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    let rest = bytes;
    if (this.queue.length === 0) {
      const written = this.writeSome(bytes);
      if (written === bytes.length) return;
      rest = bytes.subarray(written);
    }
    this.queue.push(rest.slice());
    this.queued += rest.length;
    this.retryLater(FIRST_RETRY_MS);
    if (this.queued < QUEUE_LIMIT) return;
    this.drained ??= settleable();
    return this.drained.promise;
  }

  /** Writes until the descriptor takes no more; returns how much it took. */
  private writeSome(bytes: Uint8Array): number {
    let written = 0;
    while (written < bytes.length) {
      try {
        written += fs.writeSync(this.fd, bytes, written, bytes.length - written);
      } catch (error) {
        const code = codeOf(error);
        if (code === "EAGAIN") break;
        if (code === "EINTR") continue;
        this.failure = new HostError(code);
        throw this.failure;
      }
    }
    return written;
  }

  private retryLater(delay: number): void {
    this.retry ??= setTimeout(() => {
      this.retry = undefined;
      const before = this.queued;
      this.writeQueue();
      if (this.queue.length > 0)
        this.retryLater(this.queued < before ? FIRST_RETRY_MS : Math.min(delay * 2, LAST_RETRY_MS));
    }, delay);
  }

  private writeQueue(): void {
    try {
      while (this.queue.length > 0) {
        const [chunk] = this.queue;
        const written = this.writeSome(chunk);
        this.queued -= written;
        if (written < chunk.length) {
          this.queue[0] = chunk.subarray(written);
          break;
        }
        this.queue.shift();
      }
    } catch {
      // Nobody reads any more; the next write() says so.
      this.queue = [];
      this.queued = 0;
    }
    if (this.queued >= QUEUE_LIMIT || this.drained === undefined) return;
    this.drained.resolve();
    this.drained = undefined;
  }

  /** Writes everything that waits, however long it takes: for the end of the process. */
  flushSync(): void {
    clearTimeout(this.retry);
    this.writeQueue();
    if (this.queue.length === 0) return;
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    while (this.queue.length > 0) {
      Atomics.wait(sleeper, 0, 0, FIRST_RETRY_MS);
      this.writeQueue();
    }
  }
}

/** An input descriptor. A regular file is read by position; anything else is read once somebody listens. */
export class NodeInput implements HostStream {
  readonly isTerminal = false;
  readonly source?: { readonly file: HostFile; readonly start: number };
  private opened = false;

  constructor(private readonly fd: number) {
    let isFile = false;
    try {
      isFile = fs.fstatSync(fd).isFile();
    } catch {
      // Closed: reads as empty.
    }
    if (isFile) this.source = { file: new InputFile(fd), start: positionOf(fd) };
  }

  stat(): HostStat {
    return statOf(this.fd);
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    const end = (): void => listener(new Uint8Array(0));
    try {
      this.opened = true;
      process.stdin.on("data", listener);
      process.stdin.on("end", end);
      process.stdin.on("error", end);
    } catch {
      end(); // no standard input, or of a kind Node does not know
    }
  }

  pause(): void {
    if (this.opened) process.stdin.pause();
  }

  resume(): void {
    if (this.opened) process.stdin.resume();
  }

  /** Lets the process end although more input could come. */
  dispose(): void {
    if (!this.opened) return;
    process.stdin.removeAllListeners("data");
    process.stdin.pause();
    process.stdin.unref?.();
  }
}

/** Standard input that is a regular file. */
class InputFile implements HostFile {
  constructor(private readonly fd: number) {}

  read(buffer: Uint8Array, position: number): number {
    try {
      return fs.readSync(this.fd, buffer, 0, buffer.length, position);
    } catch (error) {
      throw new HostError(codeOf(error));
    }
  }

  write(): number {
    throw new HostError("EBADF");
  }

  truncate(): void {
    throw new HostError("EINVAL");
  }

  sync(): void {}

  stat(): HostStat {
    return statOf(this.fd);
  }

  close(): void {}
}

function statOf(fd: number): HostStat {
  try {
    const s = fs.fstatSync(fd, { bigint: true });
    return {
      dev: Number(s.dev),
      ino: s.ino,
      mode: Number(s.mode),
      nlink: Number(s.nlink),
      uid: Number(s.uid),
      gid: Number(s.gid),
      rdev: Number(s.rdev),
      size: Number(s.size),
      blocks: Number(s.blocks),
      atime: s.atimeNs,
      mtime: s.mtimeNs,
      ctime: s.ctimeNs,
    };
  } catch (error) {
    throw new HostError(codeOf(error));
  }
}

/** Where a descriptor that we inherited stands in its file (proc(5), fdinfo); the beginning where that is unknown. */
function positionOf(fd: number): number {
  try {
    return Number(/^pos:\s*(\d+)/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "EIO";
}

function settleable(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
