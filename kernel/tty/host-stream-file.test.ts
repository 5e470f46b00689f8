import { beforeEach, describe, expect, it } from "vitest";
import { EAGAIN, EPIPE, ERESTARTSYS, ESPIPE } from "../errno.ts";
import { HostError, type HostStat, type HostStream } from "../host.ts";
import type { Thread } from "../sched/thread.ts";
import { Session, testClock } from "../shell/testing/session.ts";
import { Poll } from "../vfs/open-file.ts";
import { O_NONBLOCK, O_RDONLY, O_WRONLY, SEEK_END, SEEK_SET } from "../vfs/open-flags.ts";
import { HostStreamFile } from "./host-stream-file.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (string: string): Uint8Array => new TextEncoder().encode(string);

let thread: Thread;

beforeEach(() => {
  thread = new Session(false).shell.thread;
});

/** An input stream that a test feeds. */
class Feed implements HostStream {
  readonly isTerminal = false;
  listener: ((bytes: Uint8Array) => void) | undefined;
  paused = false;

  onData(listener: (bytes: Uint8Array) => void): void {
    this.listener = listener;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }
}

async function read(file: HostStreamFile, length: number): Promise<string | number> {
  const buffer = new Uint8Array(length);
  const n = await file.read(thread, buffer);
  return n < 0 ? n : text(buffer.subarray(0, n));
}

describe("standard input", () => {
  it("is not read from the host before a program reads, or asks whether it could", async () => {
    const feed = new Feed();
    const file = new HostStreamFile(feed, O_RDONLY, "stdin", testClock);
    expect(feed.listener).toBeUndefined();
    const pending = read(file, 10);
    feed.listener?.(bytes("hello"));
    expect(await pending).toBe("hello");
    const polled = new Feed();
    expect(new HostStreamFile(polled, O_RDONLY, "stdin", testClock).poll()).toBe(0);
    expect(polled.listener).toBeDefined();
  });

  it("gives as much as fits, then the rest, then the end again and again", async () => {
    const feed = new Feed();
    const file = new HostStreamFile(feed, O_RDONLY, "stdin", testClock);
    const pending = read(file, 3);
    feed.listener?.(bytes("abcd"));
    feed.listener?.(bytes("ef"));
    feed.listener?.(new Uint8Array(0));
    expect([await pending, await read(file, 10), await read(file, 10), await read(file, 10)]).toEqual([
      "abc",
      "def",
      "",
      "",
    ]);
    expect(file.poll() & Poll.HUP).toBe(Poll.HUP);
  });

  it("does not wait with O_NONBLOCK", async () => {
    const file = new HostStreamFile(new Feed(), O_RDONLY | O_NONBLOCK, "stdin", testClock);
    expect(await read(file, 1)).toBe(-EAGAIN);
  });

  it("stops waiting when a signal comes", async () => {
    const file = new HostStreamFile(new Feed(), O_RDONLY, "stdin", testClock);
    const pending = read(file, 1);
    thread.kernel.signals.sendToThread(thread, 15, { code: 0 });
    expect(await pending).toBe(-ERESTARTSYS);
  });

  it("asks the host to hold back what nobody reads", async () => {
    const feed = new Feed();
    const file = new HostStreamFile(feed, O_RDONLY | O_NONBLOCK, "stdin", testClock);
    await read(file, 1);
    feed.listener?.(new Uint8Array(70000));
    expect(feed.paused).toBe(true);
    for (let i = 0; i < 5; i++) await read(file, 10000);
    expect(feed.paused).toBe(false);
  });

  it("that is a regular file has positions", async () => {
    const content = bytes("0123456789");
    const stat: HostStat = {
      dev: 1,
      ino: 5n,
      mode: 0o100644,
      nlink: 1,
      uid: 0,
      gid: 0,
      rdev: 0,
      size: 10,
      blocks: 1,
      atime: 0n,
      mtime: 1_500_000_000_000_000_007n,
      ctime: 0n,
    };
    const file = new HostStreamFile(
      {
        isTerminal: false,
        stat: () => stat,
        source: {
          start: 2,
          file: {
            read: (buffer, position) => {
              const part = content.subarray(position, position + buffer.length);
              buffer.set(part);
              return part.length;
            },
            write: () => 0,
            truncate: () => {},
            sync: () => {},
            stat: () => stat,
            close: () => {},
          },
        },
      },
      O_RDONLY,
      "stdin",
      testClock,
    );
    expect([await read(file, 3), await read(file, 3)]).toEqual(["234", "567"]);
    expect(file.seek(-1, SEEK_END)).toBe(9);
    expect(await read(file, 3)).toBe("9");
    expect(file.seek(0, SEEK_SET)).toBe(0);
    expect(file.inode.stat()).toMatchObject({
      mode: 0o100644,
      size: 10,
      mtime: { seconds: 1_500_000_000, nanoseconds: 7 },
    });
  });
});

describe("standard output", () => {
  it("hands everything on, and lets the next write wait while the host is slow", async () => {
    const written: string[] = [];
    let ready = (): void => {};
    const stream: HostStream = {
      isTerminal: false,
      write: (data) => {
        written.push(text(data));
        return new Promise((resolve) => {
          ready = resolve;
        });
      },
    };
    const file = new HostStreamFile(stream, O_WRONLY, "stdout", testClock);
    expect(file.write(thread, bytes("one"))).toBe(3);
    expect(file.poll()).toBe(0);
    const second = file.write(thread, bytes("two"));
    expect(second).toBeInstanceOf(Promise);
    expect(written).toEqual(["one"]);
    ready();
    expect(await second).toBe(3);
    expect(written).toEqual(["one", "two"]);
    expect(file.seek(0, SEEK_SET)).toBe(-ESPIPE);
  });

  it("tells of a broken pipe with SIGPIPE and EPIPE", async () => {
    const stream: HostStream = {
      isTerminal: false,
      write: () => {
        throw new HostError("EPIPE");
      },
    };
    const file = new HostStreamFile(stream, O_WRONLY, "stdout", testClock);
    expect(file.write(thread, bytes("x"))).toBe(-EPIPE);
    expect(thread.pendingSignals).toBe(1n << 12n);
  });
});
