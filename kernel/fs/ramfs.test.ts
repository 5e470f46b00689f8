import { describe, expect, it } from "vitest";
import { EEXIST, EINVAL, ENODATA, ENOENT, ENOSPC, ENOTEMPTY, ENXIO, EPERM, ERANGE } from "../errno.ts";
import { FileMemory } from "../vfs/file-memory.ts";
import { RamFs } from "./ramfs.ts";
import { FlatMemory, Guest, testClock } from "./testing/guest.ts";

const [O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TMPFILE] = [0o1, 0o2, 0o100, 0o200, 0o20200000];
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const [SEEK_DATA, SEEK_HOLE] = [3, 4];
const [KEEP_SIZE, PUNCH_HOLE] = [1, 2];
const RENAME_EXCHANGE = 2;
const at = FlatMemory.BASE;

function freePages(guest: Guest): number {
  expect(guest.now("statfs", "/", at)).toBe(0);
  return guest.memory.readI64(at + 24);
}

describe("RamFs", () => {
  it("says when it is full, and has its space back when files go", () => {
    const guest = new Guest(new RamFs(testClock, { capacity: 10 * 4096 }));
    const fd = guest.now("open", "/file", O_CREAT | O_RDWR, 0o644);
    expect(guest.now("write", fd, at, 30000)).toBe(30000);
    expect(guest.now("write", fd, at, 30000)).toBe(10960);
    expect(guest.now("write", fd, at, 1)).toBe(-ENOSPC);
    expect(guest.now("pwrite64", fd, at, 5, 0)).toBe(5);
    expect(guest.now("ftruncate", fd, 4096)).toBe(0);
    expect(freePages(guest)).toBe(9);
    guest.now("unlink", "/file");
    expect(freePages(guest)).toBe(9);
    guest.now("close", fd);
    expect(freePages(guest)).toBe(10);
  });

  it("shares an account of memory with others", () => {
    // Two directories and two files take a page of it.
    const memory = new FileMemory(10 * 4096);
    const one = new Guest(new RamFs(testClock, { memory }));
    const other = new Guest(new RamFs(testClock, { memory }));
    const fd = one.now("open", "/file", O_CREAT | O_RDWR, 0o644);
    expect(one.now("write", fd, at, 7 * 4096)).toBe(7 * 4096);
    const rest = other.now("open", "/file", O_CREAT | O_RDWR, 0o644);
    expect(other.now("write", rest, at, 7 * 4096)).toBe(2 * 4096);
    expect(one.now("ftruncate", fd, 0)).toBe(0);
    expect(other.now("pwrite64", rest, at, 7 * 4096, 2 * 4096)).toBe(7 * 4096);
  });

  it("takes no time over the holes of files that are far larger than any memory", () => {
    const guest = new Guest(new RamFs(testClock));
    const fd = guest.now("open", "/file", O_CREAT | O_RDWR, 0o644);
    const far = 2 ** 52;
    expect(guest.now("pwrite64", fd, at, 10, 0)).toBe(10);
    expect(guest.now("ftruncate", fd, 2 ** 53 - 4096)).toBe(0);
    expect(guest.now("lseek", fd, 4096, SEEK_DATA)).toBe(-ENXIO);
    expect(guest.now("pwrite64", fd, at, 10, far)).toBe(10);
    expect(guest.now("lseek", fd, 1, SEEK_DATA)).toBe(1);
    expect(guest.now("lseek", fd, 4096, SEEK_DATA)).toBe(far);
    expect(guest.now("lseek", fd, far, SEEK_HOLE)).toBe(far + 4096);
    expect(guest.now("fallocate", fd, PUNCH_HOLE | KEEP_SIZE, 0, 2 ** 53 - 4096)).toBe(0);
    expect(guest.now("lseek", fd, 0, SEEK_DATA)).toBe(-ENXIO);
  });

  it("tells mappings of the whole range that has become zero", () => {
    const guest = new Guest(new RamFs(testClock));
    const fd = guest.now("open", "/file", O_CREAT | O_RDWR, 0o644);
    guest.now("ftruncate", fd, 2 ** 52);
    const { inode } = guest.thread.application.files.get(fd) ?? {};
    if (inode === undefined) throw new Error("not open");
    const zeroed: number[][] = [];
    inode.mappings = {
      writeBack: () => undefined,
      update: () => undefined,
      zero: (position, length) => void zeroed.push([position, length]),
      truncate: () => undefined,
    };
    expect(guest.now("fallocate", fd, PUNCH_HOLE | KEEP_SIZE, 100, 2 ** 51)).toBe(0);
    expect(zeroed).toEqual([[100, 2 ** 51]]);
  });

  it("limits how many files there are", () => {
    const guest = new Guest(new RamFs(testClock, { inodes: 3 }));
    expect(guest.now("mkdir", "/a", 0o755)).toBe(0);
    expect(guest.now("mkdir", "/b", 0o755)).toBe(0);
    expect(guest.now("mkdir", "/c", 0o755)).toBe(-ENOSPC);
    expect(guest.now("rmdir", "/a")).toBe(0);
    expect(guest.now("symlink", "x", "/c")).toBe(0);
    expect(guest.now("mknod", "/d", 0o100644, 0)).toBe(-ENOSPC);
  });

  it("has files without names, which may get one", () => {
    const guest = new Guest(new RamFs(testClock));
    const fd = guest.now("open", "/", O_TMPFILE | O_RDWR, 0o600);
    expect(guest.now("write", fd, at, 5000)).toBe(5000);
    expect(guest.now("linkat", fd, "", AT_FDCWD, "/named", AT_EMPTY_PATH)).toBe(0);
    expect(guest.now("stat", "/named", at)).toBe(0);
    expect(guest.memory.readI64(at + 48)).toBe(5000);
    const secret = guest.now("open", "/", O_TMPFILE | O_EXCL | O_RDWR, 0o600);
    expect(guest.now("linkat", secret, "", AT_FDCWD, "/other", AT_EMPTY_PATH)).toBe(-ENOENT);
    expect(guest.now("open", "/", O_TMPFILE, 0o600)).toBe(-EINVAL);
  });

  it("exchanges names", () => {
    const guest = new Guest(new RamFs(testClock));
    guest.now("mkdir", "/d", 0o755);
    guest.now("mkdir", "/d/inner", 0o755);
    const fd = guest.now("open", "/file", O_CREAT | O_RDWR, 0o644);
    expect(guest.now("renameat2", AT_FDCWD, "/d/inner", AT_FDCWD, "/file", RENAME_EXCHANGE)).toBe(0);
    expect(guest.thread.application.files.get(fd)?.path?.toString()).toBe("/d/inner");
    expect(guest.now("rmdir", "/file")).toBe(0);
    expect(guest.now("unlink", "/d/inner")).toBe(0);
    expect(guest.now("stat", "/d", at)).toBe(0);
    expect(guest.memory.readI64(at + 16)).toBe(2);
    guest.now("mkdir", "/d/e", 0o755);
    expect(guest.now("renameat2", AT_FDCWD, "/d", AT_FDCWD, "/d/e", RENAME_EXCHANGE)).toBe(-EINVAL);
  });

  it("punches holes", () => {
    const guest = new Guest(new RamFs(testClock));
    const [KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE, SEEK_DATA, SEEK_HOLE] = [1, 2, 0x10, 3, 4];
    const fd = guest.now("open", "/file", O_CREAT | O_RDWR, 0o644);
    guest.memory.fill(at, 0x7000, 1);
    guest.now("write", fd, at, 0x7000);
    expect(guest.now("fallocate", fd, PUNCH_HOLE | KEEP_SIZE, 0x1800, 0x2000)).toBe(0);
    guest.now("pread64", fd, at, 0x7000, 0);
    const read = guest.memory.read(at, 0x7000);
    expect(read.indexOf(0)).toBe(0x1800);
    expect(read.indexOf(1, 0x1800)).toBe(0x3800);
    expect(guest.now("lseek", fd, 0, SEEK_HOLE)).toBe(0x2000);
    expect(guest.now("lseek", fd, 0x2000, SEEK_DATA)).toBe(0x3000);
    expect(guest.now("fallocate", fd, ZERO_RANGE, 0x6000, 0x4000)).toBe(0);
    expect(guest.now("lseek", fd, 0, 2)).toBe(0xa000);
    expect(guest.now("fallocate", fd, PUNCH_HOLE, 0, 1)).toBe(-95);
  });

  it("keeps extended attributes", () => {
    const guest = new Guest(new RamFs(testClock));
    guest.now("close", guest.now("open", "/file", O_CREAT | O_WRONLY, 0o644));
    const value = new TextEncoder().encode("value");
    expect(guest.now("getxattr", "/file", "user.x", at, 100)).toBe(-ENODATA);
    expect(guest.now("setxattr", "/file", "user.x", value, 5, 2)).toBe(-ENODATA);
    expect(guest.now("setxattr", "/file", "user.x", value, 5, 1)).toBe(0);
    expect(guest.now("setxattr", "/file", "user.x", value, 5, 1)).toBe(-EEXIST);
    expect(guest.now("getxattr", "/file", "user.x", at, 0)).toBe(5);
    expect(guest.now("getxattr", "/file", "user.x", at, 3)).toBe(-ERANGE);
    expect(guest.now("getxattr", "/file", "user.x", at, 100)).toBe(5);
    expect(guest.now("listxattr", "/file", at, 100)).toBe(7);
    expect(guest.now("setxattr", "/file", "nonsense", value, 5, 0)).toBe(-95);
    guest.now("symlink", "x", "/link");
    expect(guest.now("lsetxattr", "/link", "user.x", value, 5, 0)).toBe(-EPERM);
    expect(guest.now("removexattr", "/file", "user.x")).toBe(0);
    expect(guest.now("listxattr", "/file", at, 100)).toBe(0);
  });

  it("does not let a directory be removed while there is something in it", () => {
    const guest = new Guest(new RamFs(testClock));
    guest.now("mkdir", "/d", 0o755);
    guest.now("mknod", "/d/fifo", 0o10600, 0);
    expect(guest.now("rmdir", "/d")).toBe(-ENOTEMPTY);
    guest.now("unlink", "/d/fifo");
    expect(guest.now("rmdir", "/d")).toBe(0);
  });
});
