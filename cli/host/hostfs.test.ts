import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HostFs } from "../../kernel/fs/hostfs.ts";
import { HostDirectoryInode } from "../../kernel/fs/hostfs-inode.ts";
import { OverlayFs } from "../../kernel/fs/overlayfs.ts";
import { FlatMemory, Guest, testClock } from "../../kernel/fs/testing/guest.ts";
import { openFifo } from "../../kernel/ipc/pipe.ts";
import { NodeDirectory } from "./node-directory.ts";

const [O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_NONBLOCK] = [0, 0o1, 0o2, 0o100, 0o4000];
const at = FlatMemory.BASE;
let root: string;
let directory: NodeDirectory;
let fileSystem: HostFs;
let guest: Guest;

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "osv-hostfs-"));
  directory = new NodeDirectory(root);
  fileSystem = new HostFs(directory, testClock);
  guest = new Guest(fileSystem);
});

afterEach(() => {
  directory.dispose();
  fs.rmSync(root, { recursive: true });
});

const on = (name: string) => path.join(root, name);
const openFiles = () => fs.readdirSync("/proc/self/fd").length;
const read = (g: Guest, fd: number): string => {
  const length = g.now("pread64", fd, at, 1000, 0);
  return length < 0 ? `${length}` : Buffer.from(g.memory.read(at, length)).toString();
};

describe("HostFs", () => {
  it("gives the same inode for the names of one open file", () => {
    fs.writeFileSync(on("a"), "x");
    fs.linkSync(on("a"), on("b"));
    const [a, b] = [guest.now("open", "/a", O_RDWR), guest.now("open", "/b", O_RDONLY)];
    const { files } = guest.thread.application;
    expect(files.get(a)?.inode).toBe(files.get(b)?.inode);
    guest.now("write", a, at, 10);
    expect(guest.now("pread64", b, at, 100, 0)).toBe(10);
  });

  it("keeps no file of the host open longer than needed", () => {
    guest.now("close", guest.now("open", "/warm", O_CREAT | O_RDWR, 0o644));
    guest.now("open", "/warm", O_RDONLY);
    const before = openFiles();
    for (let i = 0; i < 50; i++) {
      const fd = guest.now("open", `/f${i}`, O_CREAT | O_RDWR, 0o644);
      guest.now("write", fd, at, 10);
      guest.now("close", guest.now("dup", fd));
      guest.now("close", fd);
      guest.now("truncate", `/f${i}`, 5);
      guest.now("mknod", `/n${i}`, 0o100644, 0);
    }
    expect(openFiles() - before).toBeLessThanOrEqual(1);
  });

  it("shows at once what the host changes", () => {
    fs.writeFileSync(on("file"), "first");
    expect(read(guest, guest.now("open", "/file", O_RDONLY))).toBe("first");
    fs.writeFileSync(on("new"), "second");
    fs.renameSync(on("new"), on("file"));
    const fd = guest.now("open", "/file", O_RDONLY);
    expect(read(guest, fd)).toBe("second");
    fs.appendFileSync(on("file"), " and more");
    expect(read(guest, fd)).toBe("second and more");
    fs.unlinkSync(on("file"));
    expect(guest.now("open", "/file", O_RDONLY)).toBe(-2);
    expect(read(guest, fd)).toBe("second and more");
  });

  it("never takes a new file for one that was unlinked", () => {
    const fd = guest.now("open", "/file", O_CREAT | O_RDONLY, 0o644);
    guest.now("unlink", "/file");
    fs.writeFileSync(on("file"), "another", { mode: 0o600 });
    fs.chmodSync(on("file"), 0o600);
    guest.now("fchmod", fd, 0o777);
    guest.now("fchown", fd, 5, 5);
    const { inode } = guest.thread.application.files.get(fd) ?? {};
    inode?.setAttributes({ size: 3, mtime: { seconds: 5, nanoseconds: 0 } });
    expect(guest.now("fstat", fd, at)).toBe(0);
    expect(guest.memory.readU32(at + 24)).toBe(0o100777);
    expect(guest.memory.readI64(at + 48)).toBe(3);
    const other = fs.statSync(on("file"));
    expect([other.mode, other.uid, other.size]).toEqual([0o100600, process.getuid?.(), 7]);
    expect(other.mtimeMs).toBeGreaterThan(1e9);
  });

  it("does not remove a directory with a fifo in it", () => {
    guest.now("mkdir", "/d", 0o755);
    guest.now("mknod", "/d/fifo", 0o10644, 0);
    expect(guest.now("rmdir", "/d")).toBe(-39);
    expect(guest.now("rename", "/d/fifo", "/d/fifo")).toBe(0);
    expect(guest.now("unlink", "/d/fifo")).toBe(0);
    expect(guest.now("rmdir", "/d")).toBe(0);
  });

  it("follows directories that the host renames, and does not insist on those that are gone", () => {
    fs.mkdirSync(on("d/sub"), { recursive: true });
    fs.writeFileSync(on("d/sub/file"), "x");
    expect(guest.now("stat", "/d/sub/file", at)).toBe(0);
    guest.now("chdir", "/d/sub");
    fs.rmSync(on("d"), { recursive: true });
    expect(guest.now("stat", "/d/sub/file", at)).toBe(-2);
    expect(guest.now("open", "file", O_RDONLY)).toBe(-2);
    expect(guest.now("open", "file", O_CREAT, 0o644)).toBe(-2);
  });

  it("makes fifos that live in the guest", async () => {
    guest.mounts.openFifo = openFifo;
    expect(guest.now("mknod", "/fifo", 0o10644, 0)).toBe(0);
    expect(guest.now("stat", "/fifo", at)).toBe(0);
    expect(guest.memory.readU32(at + 24)).toBe(0o10644);
    const reader = guest.now("open", "/fifo", O_RDONLY | O_NONBLOCK);
    const writer = guest.now("open", "/fifo", O_WRONLY);
    expect(guest.now("write", writer, at, 3)).toBe(3);
    expect(await guest.call("read", reader, at, 10)).toBe(3);
    expect(guest.now("rename", "/fifo", "/moved")).toBe(0);
    expect(guest.now("link", "/moved", "/second")).toBe(0);
    expect(guest.now("unlink", "/moved")).toBe(0);
    expect(guest.now("unlink", "/second")).toBe(0);
    expect(fs.readdirSync(root)).toEqual([]);
  });

  it("can have directories that exist only in the guest, to mount on", () => {
    const { inode } = guest.mounts.root;
    if (!(inode instanceof HostDirectoryInode)) throw new Error("no host directory");
    inode.attach("proc", fileSystem.memory.newDirectory(0o755, 0, 0));
    expect(guest.now("stat", "/proc", at)).toBe(0);
    expect(guest.now("mkdir", "/proc", 0o755)).toBe(-17);
    expect(inode.readdir().map(({ name }) => name)).toEqual(["proc"]);
    expect(fs.readdirSync(root)).toEqual([]);
  });

  it("maps pages of files, and writes them back", () => {
    fs.writeFileSync(on("file"), "a".repeat(5000));
    const fd = guest.now("open", "/file", O_RDWR);
    const { inode } = guest.thread.application.files.get(fd) ?? {};
    const page = new Uint8Array(4096).fill(1);
    expect(inode?.readPage?.(4096, page)).toBe(904);
    expect(page[903]).toBe(0x61);
    expect(page[904]).toBe(0);
    page.fill(0x62);
    inode?.writePage?.(4096, page, 4096);
    expect(fs.readFileSync(on("file"), "utf8")).toBe("a".repeat(4096) + "b".repeat(904));
  });

  it("keeps reads and writes coherent with shared mappings", () => {
    const fd = guest.now("open", "/file", O_CREAT | O_RDWR, 0o644);
    guest.now("write", fd, at, 100);
    const { inode } = guest.thread.application.files.get(fd) ?? {};
    if (inode === undefined) throw new Error("not open");
    const calls: string[] = [];
    inode.mappings = {
      writeBack: (position, length) => void calls.push(`back ${position} ${length}`),
      update: (position, data) => void calls.push(`update ${position} ${data.length}`),
      zero: (position, length) => void calls.push(`zero ${position} ${length}`),
      truncate: (size) => void calls.push(`truncate ${size}`),
    };
    guest.now("pread64", fd, at, 10, 5);
    guest.now("pwrite64", fd, at, 10, 50);
    guest.now("ftruncate", fd, 20);
    expect(calls).toEqual(["back 5 10", "back 50 10", "update 50 10", "truncate 20"]);
  });
});

describe("OverlayFs", () => {
  const overlay = () =>
    new Guest(new OverlayFs(new HostFs(new NodeDirectory(root, { readOnly: true }), testClock), testClock));

  it("reads through until something is written, and then copies only those pages", () => {
    const content = Buffer.alloc(1 << 20, "below");
    fs.writeFileSync(on("file"), content);
    const g = overlay();
    const before = freePages(g);
    const fd = g.now("open", "/file", O_RDWR);
    expect(g.now("pwrite64", fd, new TextEncoder().encode("ABOVE"), 5, 500_000)).toBe(5);
    expect(before - freePages(g)).toBe(1);
    expect(g.now("pread64", fd, at, 20, 499_990)).toBe(20);
    expect(Buffer.from(g.memory.read(at, 20)).toString()).toBe(
      `${content.toString("utf8", 499_990, 500_000)}ABOVE${content.toString("utf8", 500_005, 500_010)}`,
    );
    expect(fs.readFileSync(on("file")).equals(content)).toBe(true);
  });

  it("keeps what is below hidden where it was cut off or punched out", () => {
    fs.writeFileSync(on("file"), "x".repeat(20_000));
    const g = overlay();
    const fd = g.now("open", "/file", O_RDWR);
    g.now("ftruncate", fd, 10_000);
    g.now("ftruncate", fd, 20_000);
    g.now("fallocate", fd, 3, 4096, 4096);
    expect(g.now("pread64", fd, at, 20_000, 0)).toBe(20_000);
    const text = Buffer.from(g.memory.read(at, 20_000)).toString();
    expect(text).toBe("x".repeat(4096) + "\0".repeat(4096) + "x".repeat(10_000 - 8192) + "\0".repeat(10_000));
  });

  it("keeps changes to a file under all its names, also when it is not open", () => {
    fs.writeFileSync(on("a"), "old");
    fs.linkSync(on("a"), on("b"));
    const g = overlay();
    const fd = g.now("open", "/a", O_RDWR);
    g.now("write", fd, new TextEncoder().encode("new"), 3);
    g.now("close", fd);
    expect(read(g, g.now("open", "/b", O_RDONLY))).toBe("new");
    g.now("chmod", "/b", 0o600);
    g.now("stat", "/a", at);
    expect(g.memory.readU32(at + 24)).toBe(0o100600);
    g.now("unlink", "/a");
    g.now("stat", "/b", at);
    expect(g.memory.readI64(at + 16)).toBe(1);
  });

  it("moves directories without copying what is in them", () => {
    fs.mkdirSync(on("dir/sub"), { recursive: true });
    fs.writeFileSync(on("dir/sub/file"), "content");
    const g = overlay();
    const before = freePages(g);
    expect(g.now("rename", "/dir", "/moved")).toBe(0);
    expect(read(g, g.now("open", "/moved/sub/file", O_RDONLY))).toBe("content");
    expect(g.now("stat", "/dir", at)).toBe(-2);
    expect(g.now("mkdir", "/dir", 0o755)).toBe(0);
    expect(g.now("stat", "/dir/sub", at)).toBe(-2);
    expect(freePages(g)).toBe(before);
  });

  function freePages(g: Guest): number {
    g.now("statfs", "/", at);
    return g.memory.readI64(at + 24);
  }
});
