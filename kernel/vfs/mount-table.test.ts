import { describe, expect, it } from "vitest";
import { EBUSY, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EROFS, EXDEV } from "../errno.ts";
import { DevFs } from "../fs/devfs.ts";
import { registerMemoryDevices } from "../fs/memory-devices.ts";
import { RamFs } from "../fs/ramfs.ts";
import { FlatMemory, Guest, testClock } from "../fs/testing/guest.ts";
import { decodeName } from "./names.ts";

const [O_RDONLY, O_CREAT, O_RDWR] = [0, 0o100, 0o2];
const MS_RDONLY = 1;
const MS_REMOUNT = 32;
const MS_BIND = 4096;

function mounted(): Guest {
  const guest = new Guest(new RamFs(testClock));
  for (const name of ["/a", "/a/b", "/mnt"]) guest.now("mkdir", name, 0o755);
  const inner = new RamFs(testClock, { type: "tmpfs" });
  guest.mounts.mount(inner, guest.mounts.resolve(undefined, "/mnt"), { source: "inner" });
  guest.mounts.fileSystemTypes.set("tmpfs", () => new RamFs(testClock, { type: "tmpfs" }));
  return guest;
}

function cwd(guest: Guest): string {
  const length = guest.now("getcwd", FlatMemory.BASE, 4096);
  return length < 0 ? `${length}` : decodeName(guest.memory.read(FlatMemory.BASE, length - 1));
}

describe("mounts", () => {
  it("cover the directory they are mounted on, and '..' leads out of them", () => {
    const guest = mounted();
    expect(guest.now("mkdir", "/mnt/x", 0o755)).toBe(0);
    expect(guest.mounts.resolve(undefined, "/mnt/x/../../a/b").toString()).toBe("/a/b");
    expect(guest.now("chdir", "/mnt/x")).toBe(0);
    expect(cwd(guest)).toBe("/mnt/x");
    expect(guest.now("chdir", "../..")).toBe(0);
    expect(cwd(guest)).toBe("/");
  });

  it("are borders for rename and link", () => {
    const guest = mounted();
    guest.now("close", guest.now("open", "/a/file", O_CREAT, 0o644));
    expect(guest.now("rename", "/a/file", "/mnt/file")).toBe(-EXDEV);
    expect(guest.now("link", "/a/file", "/mnt/file")).toBe(-EXDEV);
    expect(guest.now("rename", "/mnt", "/other")).toBe(-EBUSY);
    expect(guest.now("rmdir", "/mnt")).toBe(-EBUSY);
  });

  it("come and go by system call", () => {
    const guest = mounted();
    expect(guest.now("mount", "none", "/a", "tmpfs", 0, 0)).toBe(0);
    expect(guest.now("stat", "/a/b", FlatMemory.BASE)).toBe(-ENOENT);
    expect(guest.now("mount", "none", "/a", "tmpfs", 0, 0)).toBe(0);
    expect(guest.now("umount2", "/a", 0)).toBe(0);
    expect(guest.now("stat", "/a/b", FlatMemory.BASE)).toBe(-ENOENT);
    expect(guest.now("umount2", "/a", 0)).toBe(0);
    expect(guest.now("stat", "/a/b", FlatMemory.BASE)).toBe(0);
    expect(guest.now("umount2", "/a", 0)).toBe(-EINVAL);
  });

  it("stay while they are used", () => {
    const guest = mounted();
    const fd = guest.now("open", "/mnt/file", O_CREAT | O_RDWR, 0o644);
    expect(guest.now("umount2", "/mnt", 0)).toBe(-EBUSY);
    guest.now("close", fd);
    guest.now("chdir", "/mnt");
    expect(guest.now("umount2", "/mnt", 0)).toBe(-EBUSY);
    guest.now("chdir", "/");
    expect(guest.now("umount2", "/mnt", 0)).toBe(0);
  });

  it("can show a directory at a second place", () => {
    const guest = mounted();
    expect(guest.now("mount", "/a/b", "/mnt", 0, MS_BIND, 0)).toBe(0);
    guest.now("close", guest.now("open", "/mnt/file", O_CREAT, 0o644));
    expect(guest.now("stat", "/a/b/file", FlatMemory.BASE)).toBe(0);
    expect(guest.mounts.resolve(undefined, "/mnt/file").toString()).toBe("/mnt/file");
    expect(guest.mounts.resolve(undefined, "/mnt/..").toString()).toBe("/");
  });

  it("refuse every change when they are read-only", () => {
    const guest = mounted();
    guest.now("close", guest.now("open", "/mnt/file", O_CREAT | O_RDWR, 0o644));
    expect(guest.now("mount", 0, "/mnt", 0, MS_REMOUNT | MS_RDONLY, 0)).toBe(0);
    const at = FlatMemory.BASE;
    expect(guest.now("open", "/mnt/new", O_CREAT, 0o644)).toBe(-EROFS);
    expect(guest.now("open", "/mnt/file", O_RDWR)).toBe(-EROFS);
    expect(guest.now("open", "/mnt/file", O_CREAT | O_RDONLY, 0o644)).toBeGreaterThanOrEqual(0);
    for (const [call, ...args] of [
      ["mkdir", "/mnt/d", 0o755],
      ["unlink", "/mnt/file"],
      ["rename", "/mnt/file", "/mnt/g"],
      ["chmod", "/mnt/file", 0],
      ["chown", "/mnt/file", 1, 1],
      ["truncate", "/mnt/file", 0],
      ["utimes", "/mnt/file", 0],
      ["symlink", "x", "/mnt/l"],
      ["link", "/mnt/file", "/mnt/l"],
      ["mknod", "/mnt/n", 0o10600, 0],
      ["access", "/mnt/file", 2],
    ] as const) {
      expect(guest.now(call, ...args), call).toBe(-EROFS);
    }
    expect(guest.now("mkdir", "/mnt/file", 0o755)).toBe(-17);
    expect(guest.now("stat", "/mnt/file", at)).toBe(0);
  });
});

describe("a root directory", () => {
  it("cannot be left, neither by '..' nor by absolute links", () => {
    const guest = mounted();
    guest.now("symlink", "/secret", "/a/absolute");
    guest.now("symlink", "../../../../secret", "/a/relative");
    guest.now("close", guest.now("open", "/secret", O_CREAT, 0o644));
    expect(guest.now("stat", "/a/absolute", FlatMemory.BASE)).toBe(0);
    expect(guest.now("chroot", "/a")).toBe(0);
    expect(guest.now("chdir", "/")).toBe(0);
    expect(cwd(guest)).toBe("/");
    for (const name of ["/absolute", "/relative", "../secret", "/../../secret"]) {
      expect(guest.now("stat", name, FlatMemory.BASE), name).toBe(-ENOENT);
    }
    expect(guest.now("stat", "/b", FlatMemory.BASE)).toBe(0);
  });

  it("is named by where it is when the working directory is outside", () => {
    const guest = mounted();
    guest.now("chdir", "/mnt");
    guest.now("chroot", "/a");
    expect(cwd(guest)).toBe("(unreachable)/mnt");
  });
});

describe("names", () => {
  it("are limited in length and in links", () => {
    const guest = mounted();
    expect(guest.mounts.find(undefined, "n".repeat(256))).toBe(-ENAMETOOLONG);
    expect(guest.mounts.find(undefined, "ä".repeat(128))).toBe(-ENAMETOOLONG);
    expect(guest.mounts.find(undefined, "ä".repeat(127))).toBe(-ENOENT);
    expect(guest.mounts.find(undefined, `missing/${"n".repeat(256)}`)).toBe(-ENOENT);
    guest.now("symlink", "loop", "/loop");
    expect(guest.mounts.find(undefined, "/loop")).toBe(-ELOOP);
    expect(guest.mounts.find(undefined, "/loop", { follow: false })).toMatchObject({});
    expect(guest.mounts.find(undefined, "/loop/x", { follow: false })).toBe(-ELOOP);
    expect(guest.mounts.find(undefined, "")).toBe(-ENOENT);
    guest.now("close", guest.now("open", "/file", O_CREAT, 0o644));
    expect(guest.mounts.find(undefined, "/file", { directory: true })).toBe(-ENOTDIR);
  });

  it("follow an open file when a directory above it is renamed, and say when it is deleted", () => {
    const guest = mounted();
    const fd = guest.now("open", "/a/b/file", O_CREAT, 0o644);
    const { path } = guest.thread.application.files.get(fd) ?? {};
    guest.now("rename", "/a", "/new");
    expect(path?.toString()).toBe("/new/b/file");
    guest.now("rename", "/new/b/file", "/moved");
    expect(path?.toString()).toBe("/moved");
    guest.now("unlink", "/moved");
    expect(path?.toString()).toBe("/moved (deleted)");
  });

  it("are remembered no longer than needed", () => {
    const guest = mounted();
    const before = guest.mounts.resolve(undefined, "/a").dentry;
    for (let i = 0; i < 100; i++) {
      const fd = guest.now("open", `/a/${i}`, O_CREAT, 0o644);
      guest.now("close", fd);
    }
    expect(Reflect.get(before, "children")).toHaveProperty("size", 0);
  });
});

describe("/dev", () => {
  it("has devices that do what their names say", () => {
    const guest = new Guest(new RamFs(testClock));
    registerMemoryDevices(guest.mounts.devices, { fill: (bytes) => bytes.fill(0x5a) });
    guest.now("mkdir", "/dev", 0o755);
    guest.mounts.mount(new DevFs(testClock), guest.mounts.resolve(undefined, "/dev"));
    const at = FlatMemory.BASE;
    const open = (name: string) => guest.now("open", name, O_RDWR);
    guest.memory.fill(at, 16, 1);
    expect(guest.now("read", open("/dev/null"), at, 16)).toBe(0);
    expect(guest.now("write", open("/dev/null"), at, 16)).toBe(16);
    expect(guest.now("read", open("/dev/zero"), at, 8)).toBe(8);
    expect([...guest.memory.read(at, 16)]).toEqual([...Array(8).fill(0), ...Array(8).fill(1)]);
    expect(guest.now("write", open("/dev/full"), at, 16)).toBe(-28);
    expect(guest.now("read", open("/dev/urandom"), at, 16)).toBe(16);
    expect(guest.memory.readU8(at + 15)).toBe(0x5a);
    expect(guest.now("open", "/dev/console", O_RDWR)).toBe(-6);
    // A node for the same device anywhere else is the same device.
    expect(guest.now("mknod", "/hole", 0o20666, 0x103)).toBe(0);
    expect(guest.now("read", open("/hole"), at, 16)).toBe(0);
  });
});
