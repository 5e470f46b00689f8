import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HostError } from "../../kernel/host.ts";
import { CheckingPathFinder, HandlePathFinder } from "./directory-handles.ts";
import { NodeDirectory } from "./node-directory.ts";

let outside: string;
let root: string;
let directory: NodeDirectory;

beforeEach(() => {
  outside = fs.mkdtempSync(path.join(os.tmpdir(), "osv-directory-"));
  root = path.join(outside, "root");
  fs.mkdirSync(root);
  fs.writeFileSync(path.join(outside, "secret"), "secret");
  directory = new NodeDirectory(root);
});

afterEach(() => {
  directory.dispose();
  fs.rmSync(outside, { recursive: true });
});

const on = (name: string) => path.join(root, name);

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof HostError) return error.code;
    throw error;
  }
  return "no error";
}

function contentOf(name: string): string {
  const file = directory.open(name, { write: false });
  const buffer = new Uint8Array(1000);
  const length = file.read(buffer, 0);
  file.close();
  return Buffer.from(buffer.subarray(0, length)).toString();
}

describe("NodeDirectory", () => {
  it("reads, writes and truncates at positions", () => {
    const file = directory.open("file", { write: true, create: { mode: 0o640, exclusive: true } });
    expect(file.write(Buffer.from("0123456789"), 0)).toBe(10);
    expect(file.write(Buffer.from("ab"), 20)).toBe(2);
    file.truncate(21);
    const buffer = new Uint8Array(30);
    expect(file.read(buffer, 5)).toBe(16);
    expect(Buffer.from(buffer.subarray(0, 16)).toString()).toBe("56789\0\0\0\0\0\0\0\0\0\0a");
    expect(file.read(buffer, 21)).toBe(0);
    expect(file.stat()).toMatchObject({ size: 21, mode: 0o100640, nlink: 1 });
    file.sync();
    file.close();
    expect(
      codeOf(() => directory.open("file", { write: true, create: { mode: 0o600, exclusive: true } })),
    ).toBe("EEXIST");
  });

  it("gives files and directories exactly the modes it is told", () => {
    const before = process.umask(0o077);
    try {
      const strict = new NodeDirectory(root);
      strict.open("file", { write: true, create: { mode: 0o666, exclusive: true } }).close();
      strict.mkdir("dir", 0o1777);
      expect(strict.lstat("file")?.mode).toBe(0o100666);
      expect(strict.lstat("dir")?.mode).toBe(0o041777);
      strict.dispose();
    } finally {
      process.umask(before);
    }
  });

  it("shows what is there without following links", () => {
    fs.symlinkSync("../secret", on("link"));
    fs.mkdirSync(on("dir"));
    fs.writeFileSync(on("dir/file"), "x");
    expect(directory.lstat("")?.mode).toBe(fs.statSync(root).mode);
    expect(directory.lstat("link")?.mode).toBe(0o120777);
    expect(directory.readlink("link")).toBe("../secret");
    expect(directory.lstat("missing")).toBeUndefined();
    expect(directory.lstat("missing/below")).toBeUndefined();
    const listing = directory.readdir("").sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(listing.map(({ name, type }) => [name, type])).toEqual([
      ["dir", 4],
      ["link", 10],
    ]);
    expect(listing[0]?.ino).toBe(fs.statSync(on("dir"), { bigint: true }).ino);
  });

  it("never leaves its root through links, at the end or in the middle of a path", () => {
    fs.symlinkSync("..", on("up"));
    fs.symlinkSync(path.join(outside, "secret"), on("link"));
    expect(codeOf(() => directory.open("link", { write: false }))).toBe("ELOOP");
    expect(codeOf(() => directory.open("up/secret", { write: false }))).toBe("ENOTDIR");
    expect(codeOf(() => directory.unlink("up/secret"))).toBe("ENOTDIR");
    expect(codeOf(() => directory.rename("link", "up/stolen"))).toBe("ENOTDIR");
    expect(codeOf(() => directory.mkdir("up/made", 0o755))).toBe("ENOTDIR");
    expect(codeOf(() => directory.readdir("up"))).toBe("ENOTDIR");
    expect(fs.readdirSync(outside).sort()).toEqual(["root", "secret"]);
  });

  it("does not change what a link leads to", () => {
    fs.chmodSync(path.join(outside, "secret"), 0o644);
    fs.symlinkSync("../secret", on("link"));
    expect(codeOf(() => directory.chmod("link", 0o777))).toBe("ENOTSUP");
    directory.chown("link", 0, 0);
    directory.utimes("link", 5_000_000_000n, 5_000_000_000n);
    const { mode, mtimeMs } = fs.statSync(path.join(outside, "secret"));
    expect(mode).toBe(0o100644);
    expect(mtimeMs).toBeGreaterThan(1e9);
    expect(directory.lstat("link")?.mtime).toBe(5_000_000_000n);
  });

  it("does not follow a link that is put in the place of a directory it knows", () => {
    fs.mkdirSync(on("dir"));
    fs.writeFileSync(on("dir/secret"), "mine");
    expect(contentOf("dir/secret")).toBe("mine");
    fs.renameSync(on("dir"), on("elsewhere"));
    fs.symlinkSync("..", on("dir"));
    // Until it looks again it may see the old directory, but never what the link leads to.
    expect(["mine", "ENOTDIR"]).toContain(codeOrContent("dir/secret"));
    expect(fs.readFileSync(path.join(outside, "secret"), "utf8")).toBe("secret");
  });

  function codeOrContent(name: string): string {
    const code = codeOf(() => contentOf(name));
    return code === "no error" ? contentOf(name) : code;
  }

  it("finds what is in a directory that was removed and made again behind its back", () => {
    fs.mkdirSync(on("dir"));
    fs.writeFileSync(on("dir/old"), "old");
    expect(contentOf("dir/old")).toBe("old");
    fs.rmSync(on("dir"), { recursive: true });
    expect(directory.lstat("dir/old")).toBeUndefined();
    fs.mkdirSync(on("dir"));
    fs.writeFileSync(on("dir/new"), "new");
    expect(contentOf("dir/new")).toBe("new");
    expect(directory.readdir("dir").map(({ name }) => name)).toEqual(["new"]);
  });

  it("finds what is in directories that it has renamed itself", () => {
    directory.mkdir("a", 0o755);
    directory.mkdir("a/b", 0o755);
    directory.open("a/b/file", { write: true, create: { mode: 0o644, exclusive: true } }).close();
    directory.rename("a", "c");
    expect(directory.lstat("a/b/file")).toBeUndefined();
    expect(directory.lstat("c/b/file")).toBeDefined();
    directory.mkdir("a", 0o755);
    expect(directory.readdir("a")).toEqual([]);
  });

  it("reaches more directories than it keeps open", () => {
    for (let i = 0; i < 600; i++) {
      fs.mkdirSync(on(`d${i}/sub`), { recursive: true });
      fs.writeFileSync(on(`d${i}/sub/f`), `${i}`);
    }
    const openBefore = fs.readdirSync("/proc/self/fd").length;
    for (let i = 0; i < 600; i++) expect(contentOf(`d${i}/sub/f`)).toBe(`${i}`);
    expect(contentOf("d0/sub/f")).toBe("0");
    expect(fs.readdirSync("/proc/self/fd").length - openBefore).toBeLessThan(300);
  });

  it("keeps names of any bytes", () => {
    const raw = Buffer.from([0x61, 0xff, 0xfe, 0x20, 0xc3]);
    fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), raw]), "bytes");
    fs.symlinkSync(Buffer.from([0xff, 0x2f, 0x80]), on("link"));
    const names = directory.readdir("").map(({ name }) => name);
    expect(names).toContain("a\udcff\udcfe \udcc3");
    expect(contentOf("a\udcff\udcfe \udcc3")).toBe("bytes");
    expect(directory.readlink("link")).toBe("\udcff/\udc80");
    directory.rename("a\udcff\udcfe \udcc3", "日本\udc80");
    directory.mkdir("\udc99", 0o755);
    expect(directory.lstat("日本\udc80")?.size).toBe(5);
    expect(directory.readdir("\udc99")).toEqual([]);
  });

  it("shows fifos and devices but never waits for them", () => {
    execFileSync("mkfifo", [on("fifo")]);
    expect((directory.lstat("fifo")?.mode ?? 0) & 0o170000).toBe(0o010000);
    expect(codeOf(() => directory.open("fifo", { write: false }))).toBe("ENXIO");
    expect(codeOf(() => directory.open("fifo", { write: true }))).toBe("ENXIO");
    expect(directory.readdir("")).toMatchObject([{ name: "fifo", type: 1 }]);
  });

  it("keeps times to the nanosecond while it runs", () => {
    fs.writeFileSync(on("file"), "");
    const [atime, mtime] = [1_600_000_000_123_456_789n, 1_500_000_000_987_654_321n];
    directory.utimes("file", atime, mtime);
    expect(directory.lstat("file")).toMatchObject({ atime, mtime });
    fs.utimesSync(on("file"), 1, 2);
    expect(directory.lstat("file")).toMatchObject({ atime: 1_000_000_000n, mtime: 2_000_000_000n });
    directory.utimes("file", -5_000_000_000n, -1_000_000_000n);
    expect(directory.lstat("file")).toMatchObject({ atime: -5_000_000_000n, mtime: -1_000_000_000n });
  });

  it("refuses every change when it is read-only", () => {
    fs.writeFileSync(on("file"), "x");
    const readOnly = new NodeDirectory(root, { readOnly: true });
    for (const change of [
      () => readOnly.open("file", { write: true }),
      () => readOnly.open("new", { write: false, create: { mode: 0o600, exclusive: false } }),
      () => readOnly.open("file", { write: false, truncate: true }),
      () => readOnly.mkdir("d", 0o755),
      () => readOnly.rmdir("d"),
      () => readOnly.unlink("file"),
      () => readOnly.rename("file", "g"),
      () => readOnly.link("file", "g"),
      () => readOnly.symlink("x", "l"),
      () => readOnly.chmod("file", 0),
      () => readOnly.chown("file", 0, 0),
      () => readOnly.utimes("file", 0n, 0n),
    ]) {
      expect(codeOf(change)).toBe("EROFS");
    }
    readOnly.dispose();
  });

  it("says what is wrong with a root that is none", () => {
    expect(codeOf(() => new NodeDirectory(path.join(outside, "missing")))).toBe("ENOENT");
    expect(codeOf(() => new NodeDirectory(path.join(outside, "secret")))).toBe("ENOTDIR");
  });

  it("reports errors by Linux' names", () => {
    fs.mkdirSync(on("dir"));
    fs.writeFileSync(on("dir/file"), "");
    expect(codeOf(() => directory.rmdir("dir"))).toBe("ENOTEMPTY");
    expect(codeOf(() => directory.mkdir("dir", 0o755))).toBe("EEXIST");
    expect(codeOf(() => directory.unlink("dir"))).toBe("EISDIR");
    expect(codeOf(() => directory.rmdir("dir/file"))).toBe("ENOTDIR");
    expect(codeOf(() => directory.rename("dir", "dir/sub"))).toBe("EINVAL");
    expect(codeOf(() => directory.readlink("dir"))).toBe("EINVAL");
    expect(codeOf(() => directory.mkdir("n".repeat(256), 0o755))).toBe("ENAMETOOLONG");
    expect(codeOf(() => directory.mkdir("nul\0byte", 0o755))).toBe("EINVAL");
    expect(codeOf(() => directory.open("dir", { write: false }))).toBe("ENXIO");
  });
});

describe.each([
  ["with descriptors", HandlePathFinder],
  ["without /proc", CheckingPathFinder],
] as const)("finding paths %s", (_name, Finder) => {
  it("refuses links on the way", () => {
    fs.mkdirSync(on("dir"));
    fs.symlinkSync("..", on("dir/up"));
    const finder = new Finder(root);
    expect(fs.lstatSync(finder.reach("dir/up")).isSymbolicLink()).toBe(true);
    expect(() => finder.reach("dir/up/root")).toThrow();
    expect(fs.statSync(finder.reachDirectory("dir")).isDirectory()).toBe(true);
    expect(fs.statSync(finder.reach("")).ino).toBe(fs.statSync(root).ino);
    finder.dispose();
  });
});
