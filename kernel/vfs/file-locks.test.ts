import { describe, expect, it } from "vitest";
import { EAGAIN, EDEADLK } from "../errno.ts";
import { RamFs } from "../fs/ramfs.ts";
import { FlatMemory, Guest, testClock } from "../fs/testing/guest.ts";
import { FileLocks, type LockType } from "./file-locks.ts";

const guest = new Guest(new RamFs(testClock));
const [one, other, third] = [{}, {}, {}];
const lock = (owner: object, type: LockType, start: number, end: number) => ({
  owner,
  type,
  start,
  end,
  pid: 1,
});

describe("record locks", () => {
  it("exclude writers from readers and from each other", () => {
    const locks = new FileLocks();
    expect(locks.lockRecord(lock(one, "read", 0, 10))).toBe(0);
    expect(locks.lockRecord(lock(other, "read", 5, 15))).toBe(0);
    expect(locks.lockRecord(lock(third, "write", 9, 10))).toBe(-EAGAIN);
    expect(locks.lockRecord(lock(third, "write", 15, 20))).toBe(0);
    expect(locks.lockRecord(lock(one, "write", 0, 5))).toBe(0);
    expect(locks.lockRecord(lock(one, "write", 0, 6))).toBe(-EAGAIN);
  });

  it("are split, joined and replaced by their owner", () => {
    const locks = new FileLocks();
    locks.lockRecord(lock(one, "write", 0, 100));
    locks.unlockRecord({ owner: one, start: 40, end: 60 });
    expect(locks.conflict(lock(other, "read", 40, 60))).toBeUndefined();
    expect(locks.conflict(lock(other, "read", 0, 100))).toMatchObject({ start: 0, end: 40 });
    locks.lockRecord(lock(one, "write", 40, 60));
    expect(locks.conflict(lock(other, "read", 50, 51))).toMatchObject({ start: 0, end: 100 });
    locks.lockRecord(lock(one, "read", 20, 30));
    expect(locks.conflict(lock(other, "read", 20, 30))).toBeUndefined();
    expect(locks.conflict(lock(other, "write", 25, 26))).toMatchObject({ type: "read", start: 20, end: 30 });
  });

  it("reach to the end of the file however long it gets", () => {
    const locks = new FileLocks();
    locks.lockRecord(lock(one, "write", 100, Number.POSITIVE_INFINITY));
    expect(locks.lockRecord(lock(other, "write", 1e15, 1e15 + 1))).toBe(-EAGAIN);
    expect(locks.lockRecord(lock(other, "write", 0, 100))).toBe(0);
  });

  it("are waited for", async () => {
    const locks = new FileLocks();
    locks.lockRecord(lock(one, "write", 0, 10));
    const waiting = locks.waitForRecord(guest.thread, lock(other, "write", 5, 6), true);
    locks.unlockRecord({ owner: one, start: 0, end: 5 });
    expect(locks.conflict(lock(third, "read", 5, 6))?.owner).toBe(one);
    locks.releaseRecordLocks(one);
    expect(await waiting).toBe(0);
    expect(locks.conflict(lock(third, "read", 5, 6))?.owner).toBe(other);
  });

  it("are refused where waiting would never end", async () => {
    const [locks, elsewhere] = [new FileLocks(), new FileLocks()];
    locks.lockRecord(lock(one, "write", 0, 1));
    elsewhere.lockRecord(lock(other, "write", 0, 1));
    const waiting = locks.waitForRecord(guest.thread, lock(other, "write", 0, 1), true);
    expect(await elsewhere.waitForRecord(guest.thread, lock(one, "write", 0, 1), true)).toBe(-EDEADLK);
    locks.releaseRecordLocks(one);
    expect(await waiting).toBe(0);
  });

  it("keep applications apart, through fcntl", async () => {
    const parent = new Guest(new RamFs(testClock));
    const fd = parent.now("open", "/file", 0o102, 0o644);
    const child = parent.fork();
    const flock = (type: number) => {
      const bytes = new Uint8Array(32);
      new DataView(bytes.buffer).setInt16(0, type, true);
      return bytes;
    };
    const [F_GETLK, F_SETLK, F_SETLKW, F_WRLCK, F_UNLCK] = [5, 6, 7, 1, 2];
    expect(parent.now("fcntl", fd, F_SETLK, flock(F_WRLCK))).toBe(0);
    expect(child.now("fcntl", fd, F_SETLK, flock(F_WRLCK))).toBe(-EAGAIN);
    const at = FlatMemory.BASE;
    child.memory.write(at, flock(F_WRLCK));
    expect(child.now("fcntl", fd, F_GETLK, at)).toBe(0);
    expect(child.memory.readI32(at + 24)).toBe(1);
    const waiting = child.call("fcntl", fd, F_SETLKW, flock(F_WRLCK));
    expect(parent.now("fcntl", fd, F_SETLK, flock(F_UNLCK))).toBe(0);
    expect(await waiting).toBe(0);
    expect(parent.now("fcntl", fd, F_SETLK, flock(F_WRLCK))).toBe(-EAGAIN);
    expect(child.now("close", fd)).toBe(0);
    expect(parent.now("fcntl", fd, F_SETLK, flock(F_WRLCK))).toBe(0);
  });
});

describe("flock", () => {
  it("belongs to the open file and not to the descriptor", async () => {
    const [LOCK_SH, LOCK_EX, LOCK_NB] = [1, 2, 4];
    const g = new Guest(new RamFs(testClock));
    const fd = g.now("open", "/file", 0o102, 0o644);
    const again = g.now("open", "/file", 0);
    const copy = g.now("dup", fd);
    expect(g.now("flock", fd, LOCK_EX)).toBe(0);
    expect(g.now("flock", copy, LOCK_EX | LOCK_NB)).toBe(0);
    expect(g.now("flock", again, LOCK_SH | LOCK_NB)).toBe(-EAGAIN);
    const waiting = g.call("flock", again, LOCK_SH);
    g.now("close", fd);
    g.now("close", copy);
    expect(await waiting).toBe(0);
  });
});
