/** Text from the shell to an open file. */

import { EPIPE, ERESTARTSYS, Errno } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import { encodeName } from "../vfs/names.ts";
import type { OpenFile } from "../vfs/open-file.ts";

/** Ctrl-C, or another signal that ends what the shell is doing. */
export class Interrupted extends Error {
  constructor() {
    super("interrupted");
    this.name = "Interrupted";
  }
}

/** Nobody reads any more: what a program would be killed for by SIGPIPE. */
export class BrokenPipe extends Error {
  constructor() {
    super("broken pipe");
    this.name = "BrokenPipe";
  }
}

/** Bytes that are collected before they are written. */
const BUFFER_SIZE = 32768;

export class Output {
  private parts: Uint8Array[] = [];
  private size = 0;

  constructor(
    private readonly thread: Thread,
    readonly file: OpenFile,
  ) {}

  /** Collects text; it goes out with {@link flush}, or when there is much of it. */
  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encodeName(data) : data;
    this.parts.push(bytes);
    this.size += bytes.length;
    if (this.size >= BUFFER_SIZE) await this.flush();
  }

  /** Writes everything. Throws {@link BrokenPipe}, {@link Interrupted} or Errno. */
  async flush(): Promise<void> {
    const { parts } = this;
    this.parts = [];
    this.size = 0;
    for (const part of parts) await writeAll(this.thread, this.file, part);
  }
}

/** Writes all of `bytes`. Throws {@link BrokenPipe}, {@link Interrupted} or Errno. */
export async function writeAll(thread: Thread, file: OpenFile, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const result = await file.write(thread, bytes.subarray(done));
    if (result === -EPIPE) throw new BrokenPipe();
    if (result === -ERESTARTSYS) throw new Interrupted();
    if (result < 0) throw new Errno(-result);
    done += result;
  }
}

/** Reads once. Throws {@link Interrupted} or Errno. */
export async function readSome(thread: Thread, file: OpenFile, buffer: Uint8Array): Promise<number> {
  const result = await file.read(thread, buffer);
  if (result === -ERESTARTSYS) throw new Interrupted();
  if (result < 0) throw new Errno(-result);
  return result;
}
