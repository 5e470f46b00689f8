import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { HostError } from "../../kernel/host.ts";
import { NodeInput, NodeOutput } from "./node-stdio.ts";

const folder = fs.mkdtempSync(join(tmpdir(), "osv-vm-stdio-"));
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** A pipe whose both ends are non-blocking: a FIFO opened for reading and writing. */
function openPipe(name: string): number {
  const path = join(folder, name);
  execFileSync("mkfifo", [path]);
  return fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
}

/** What can be read from a non-blocking descriptor now. */
function drain(fd: number): Buffer {
  const parts: Buffer[] = [];
  const buffer = Buffer.alloc(65536);
  for (;;) {
    try {
      const n = fs.readSync(fd, buffer);
      parts.push(Buffer.from(buffer.subarray(0, n)));
    } catch {
      return Buffer.concat(parts);
    }
  }
}

describe("output", () => {
  it("is out when write returns, without a promise while there is room", () => {
    const fd = openPipe("room");
    const output = new NodeOutput(fd);
    expect(output.write(pattern(1000))).toBeUndefined();
    expect(drain(fd)).toEqual(Buffer.from(pattern(1000)));
  });

  it("waits for a slow reader and loses nothing, in order", async () => {
    const fd = openPipe("slow");
    const output = new NodeOutput(fd);
    const data = pattern(500_000);
    const slow = output.write(data.slice(0, 400_000));
    expect(slow).toBeInstanceOf(Promise);
    void output.write(data.slice(400_000));
    let resumed = false;
    void slow?.then(() => {
      resumed = true;
    });
    let got = Buffer.alloc(0);
    for (let i = 0; i < 500 && got.length < data.length; i++) {
      got = Buffer.concat([got, drain(fd)]);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(got.equals(data)).toBe(true);
    expect(resumed).toBe(true);
  });

  it("says that nobody reads", () => {
    const path = join(folder, "broken");
    execFileSync("mkfifo", [path]);
    const reader = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const output = new NodeOutput(fs.openSync(path, fs.constants.O_WRONLY));
    void output.write(pattern(10));
    fs.closeSync(reader);
    expect(() => output.write(pattern(10))).toThrow(new HostError("EPIPE"));
  });

  it("knows what it is", () => {
    const fd = openPipe("stat");
    expect(new NodeOutput(fd).stat().mode & 0o170000).toBe(0o010000);
    expect(() => new NodeOutput(9999).stat()).toThrow(HostError);
  });
});

describe("input", () => {
  it("from a regular file is read by position, from where the descriptor stands", () => {
    const path = join(folder, "file");
    fs.writeFileSync(path, "0123456789");
    const fd = fs.openSync(path, "r");
    fs.readSync(fd, Buffer.alloc(4));
    const { source } = new NodeInput(fd);
    expect(source?.start).toBe(4);
    const buffer = new Uint8Array(20);
    expect(source?.file.read(buffer, 4)).toBe(6);
    expect(source?.file.read(buffer, 10)).toBe(0);
    expect(source?.file.stat().size).toBe(10);
    expect(() => source?.file.write(buffer, 0)).toThrow(HostError);
  });

  it("from a pipe has no positions", () => {
    expect(new NodeInput(openPipe("input")).source).toBeUndefined();
  });
});
