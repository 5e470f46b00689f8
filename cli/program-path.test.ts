import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RamFs } from "../kernel/fs/ramfs.ts";
import { MountTable } from "../kernel/vfs/mount-table.ts";
import { findInGuest, findOnHost } from "./program-path.ts";

const clock = {
  monotonic: () => 0,
  realtime: () => ({ seconds: 0, nanoseconds: 0 }),
  after: () => () => undefined,
  yield: () => Promise.resolve(),
};

describe("a program's name in the guest", () => {
  const fileSystem = new RamFs(clock);
  const { root } = fileSystem;
  const directory = (name: string) => root.mkdir(name, 0o755, 0, 0);
  directory("first").create("plain", 0o644, 0, 0, 0);
  const second = directory("second");
  second.create("plain", 0o755, 0, 0, 0);
  second.create("program", 0o755, 0, 0, 0);
  second.mkdir("folder", 0o755, 0, 0);
  second.symlink("loop", "loop", 0, 0);
  directory("work").create("here", 0o755, 0, 0, 0);
  const mounts = new MountTable(fileSystem, clock);
  const work = mounts.resolve(undefined, "/work");
  const find = (name: string, path = "/first:/second") => findInGuest(mounts, name, work, path);

  it("is looked for in PATH, past files that cannot be executed", () => {
    expect(find("program")).toBe("/second/program");
    expect(find("plain")).toBe("/second/plain");
  });

  it("that can only be found without an x bit is found, for the loader to refuse", () => {
    expect(find("plain", "/first")).toBe("/first/plain");
  });

  it("is no directory and no broken link", () => {
    expect(find("folder")).toBeUndefined();
    expect(find("loop")).toBeUndefined();
    expect(find("nothing")).toBeUndefined();
  });

  it("with a slash is a path, from the working directory", () => {
    expect(find("./here")).toBe("./here");
    expect(find("/second/program")).toBe("/second/program");
    expect(find("./program")).toBeUndefined();
  });

  it("with a slash that leads into a loop is left to the loader", () =>
    expect(find("/second/loop")).toBe("/second/loop"));

  it("is looked for in the working directory where PATH has an empty part", () => {
    expect(find("here", "/first:")).toBe("./here");
  });
});

describe("a program's name on the host", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "osv-vm-"));
    writeFileSync(join(folder, "program"), "");
    chmodSync(join(folder, "program"), 0o755);
    symlinkSync("program", join(folder, "link"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("needs a slash", () => expect(findOnHost("sh")).toBeUndefined());

  it("is an absolute path without links", () => {
    expect(findOnHost(join(folder, "link"))).toBe(join(folder, "program"));
  });

  it("is no directory, and must exist", () => {
    expect(findOnHost(`${folder}/`)).toBeUndefined();
    expect(findOnHost(join(folder, "nothing"))).toBeUndefined();
  });
});
