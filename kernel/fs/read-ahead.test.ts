import { beforeEach, describe, expect, it } from "vitest";
import type { Clock, HostFile } from "../host.ts";
import { ReadAhead } from "./read-ahead.ts";

let content: Uint8Array;
let hostReads: number;
let now: number;
let ahead: ReadAhead;
const file = {
  read(buffer: Uint8Array, position: number) {
    hostReads++;
    const piece = content.subarray(position, position + buffer.length);
    buffer.set(piece);
    return piece.length;
  },
} as HostFile;

beforeEach(() => {
  content = Uint8Array.from({ length: 200_000 }, (_, index) => (index * 7) >>> 3);
  hostReads = 0;
  now = 0;
  ahead = new ReadAhead({ monotonic: () => now } as Clock);
});

/** Reads pieces of a length from a position on, until one is empty. */
function readAll(length: number, position = 0): Uint8Array {
  const pieces: number[] = [];
  for (;;) {
    const piece = new Uint8Array(length);
    const count = ahead.read(file, position + pieces.length, piece);
    if (count === 0) return Uint8Array.from(pieces);
    pieces.push(...piece.subarray(0, count));
  }
}

describe("reading ahead", () => {
  it("reads what the file holds, with few reads of the host", () => {
    for (const length of [1000, 424, 4096, 30_000, 65_536, 100_000]) {
      ahead.forget();
      expect(readAll(length)).toEqual(content);
    }
    hostReads = 0;
    ahead.forget();
    readAll(1000);
    expect(hostReads).toBeLessThan(8);
  });

  it("fills a buffer wholly where a piece that was read ahead ends inside it", () => {
    const piece = new Uint8Array(1000);
    for (let position = 0; position < 199_000; position += 1000)
      expect(ahead.read(file, position, piece)).toBe(1000);
  });

  it("does not read more than is asked for at random positions", () => {
    const piece = new Uint8Array(100);
    for (const position of [0, 5000, 300, 70_000]) {
      expect(ahead.read(file, position, piece)).toBe(100);
      expect(piece).toEqual(content.subarray(position, position + 100));
    }
    expect(hostReads).toBe(4);
  });

  it("sees what has been added at the end", () => {
    const all = readAll(1000);
    content = Uint8Array.from([...content, 1, 2, 3]);
    expect(readAll(1000, all.length)).toEqual(Uint8Array.of(1, 2, 3));
  });

  it("sees changes of our own at once, and those of others soon", () => {
    const piece = new Uint8Array(10);
    for (const position of [0, 10, 20]) ahead.read(file, position, piece);
    content.fill(1);
    ahead.read(file, 30, piece);
    expect(piece).not.toEqual(content.subarray(30, 40));
    now += 30e6;
    ahead.read(file, 40, piece);
    expect(piece).toEqual(content.subarray(40, 50));
    content.fill(2);
    ahead.forget();
    ahead.read(file, 50, piece);
    expect(piece).toEqual(content.subarray(50, 60));
  });
});
