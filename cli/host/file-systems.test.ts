/** The file systems behave as the host's own: the same operations, made through system calls here and node:fs there. */

import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { HostFs } from "../../kernel/fs/hostfs.ts";
import { OverlayFs } from "../../kernel/fs/overlayfs.ts";
import { RamFs } from "../../kernel/fs/ramfs.ts";
import { GuestCalls, HostCalls } from "../../kernel/fs/testing/calls.ts";
import { Guest, testClock } from "../../kernel/fs/testing/guest.ts";
import { randomSteps, type Step, transcript, tree } from "../../kernel/fs/testing/scenario.ts";
import type { FileSystem } from "../../kernel/vfs/inode.ts";
import { NodeDirectory } from "./node-directory.ts";

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "osv-fs-"));
afterAll(() => fs.rmSync(scratch, { recursive: true }), 60_000);

/** Random runs; more by hand: OSV_FS_SEEDS=2000. */
const SEEDS = Number(process.env.OSV_FS_SEEDS ?? 40);

let counter = 0;

/** A fresh directory of the host, in which paths may climb a few levels. */
function freshHostDirectory(): string {
  const directory = path.join(scratch, `${counter++}`);
  fs.mkdirSync(path.join(directory, "up/base"), { recursive: true });
  return directory;
}

interface Candidate {
  readonly name: string;
  make(): FileSystem;
}

const candidates: Candidate[] = [
  { name: "ramfs", make: () => new RamFs(testClock) },
  { name: "hostfs", make: () => new HostFs(new NodeDirectory(freshHostDirectory()), testClock) },
  {
    name: "overlayfs over an empty directory",
    make: () =>
      new OverlayFs(
        new HostFs(new NodeDirectory(freshHostDirectory(), { readOnly: true }), testClock),
        testClock,
      ),
  },
];

function guestCalls(fileSystem: FileSystem): GuestCalls {
  const guest = new Guest(fileSystem);
  guest.now("mkdir", "/up", 0o755);
  guest.now("mkdir", "/up/base", 0o755);
  return new GuestCalls(guest, "/up/base");
}

function hostCalls(): HostCalls {
  return new HostCalls(path.join(freshHostDirectory(), "up/base"));
}

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } =
  fs.constants;
const long = "n".repeat(255);

const scenarios: Record<string, Step[]> = {
  "reads what was written": [
    ["open", 0, "f", O_RDWR | O_CREAT | O_EXCL, 0o666],
    ["write", 0, "hello world"],
    ["read", 0, 10],
    ["read", 0, 5, 6],
    ["fstat", 0],
    ["open", 1, "f", O_RDONLY, 0],
    ["read", 1, 5],
    ["read", 1, 100],
    ["read", 1, 100],
    ["write", 1, "x"],
    ["open", 1, "f", O_WRONLY | O_APPEND, 0],
    ["write", 1, "!"],
    ["write", 1, "?", 2],
    ["read", 1, 1],
    ["read", 0, 100, 0],
  ],
  "keeps an unlinked file while it is open": [
    ["open", 0, "f", O_RDWR | O_CREAT, 0o600],
    ["write", 0, "still here"],
    ["unlink", "f"],
    ["fstat", 0],
    ["stat", "f"],
    ["read", 0, 20, 0],
    ["write", 0, " and growing"],
    ["open", 1, "f", O_RDWR | O_CREAT, 0o600],
    ["fstat", 1],
    ["read", 0, 100, 0],
    ["ftruncate", 0, 3],
    ["read", 0, 100, 0],
  ],
  "has holes that read as zero": [
    ["open", 0, "f", O_RDWR | O_CREAT, 0o600],
    ["write", 0, "end", 10000],
    ["read", 0, 5, 9998],
    ["read", 0, 5, 4094],
    ["ftruncate", 0, 4099],
    ["ftruncate", 0, 20000],
    ["read", 0, 8, 9998],
    ["fstat", 0],
  ],
  "zeroes what a truncation cut off when the file grows again": [
    ["open", 0, "f", O_RDWR | O_CREAT, 0o600],
    ["write", 0, "0123456789"],
    ["ftruncate", 0, 4],
    ["ftruncate", 0, 8],
    ["read", 0, 20, 0],
    ["open", 1, "f", O_RDWR | O_TRUNC, 0],
    ["fstat", 0],
    ["read", 0, 20, 0],
  ],
  "gives one file several names": [
    ["open", 0, "a", O_RDWR | O_CREAT, 0o644],
    ["link", "a", "b"],
    ["link", "a", "b"],
    ["link", "missing", "c"],
    ["mkdir", "d", 0o755],
    ["link", "d", "e"],
    ["link", "a", "d/c"],
    ["open", 1, "d/c", O_WRONLY, 0],
    ["write", 1, "shared"],
    ["read", 0, 10, 0],
    ["stat", "b"],
    ["unlink", "a"],
    ["stat", "b"],
    ["chmod", "b", 0o600],
    ["fstat", 0],
    ["rename", "b", "d/c"],
    ["stat", "b"],
    ["readdir", "."],
  ],
  "renames over what is there, if it may": [
    ["mkdir", "d", 0o755],
    ["mkdir", "e", 0o755],
    ["mkdir", "e/x", 0o755],
    ["open", 0, "f", O_RDWR | O_CREAT, 0o644],
    ["write", 0, "f"],
    ["open", 1, "g", O_RDWR | O_CREAT, 0o644],
    ["rename", "f", "d"],
    ["rename", "d", "f"],
    ["rename", "d", "e"],
    ["rename", "e", "d"],
    ["rename", "d", "d/x/y"],
    ["rename", "d/x", "d"],
    ["rename", "f", "g"],
    ["fstat", 1],
    ["stat", "f"],
    ["rename", "g", "g"],
    ["rename", "g/", "h"],
    ["rename", "g", "h/"],
    ["rename", "d", "h/"],
    ["rename", "h/.", "i"],
    ["rename", "h", "i/."],
    ["rename", "missing", "i"],
    ["rename", "h", ""],
    ["readdir", "."],
    ["stat", "."],
  ],
  "removes only what may be removed": [
    ["mkdir", "d", 0o755],
    ["mkdir", "d/e", 0o755],
    ["open", 0, "f", O_CREAT | O_WRONLY, 0o644],
    ["symlink", "d", "l"],
    ["rmdir", "d"],
    ["rmdir", "f"],
    ["rmdir", "l"],
    ["rmdir", "l/"],
    ["rmdir", "missing"],
    ["rmdir", "d/e/."],
    ["rmdir", "d/e/.."],
    ["rmdir", "/"],
    ["unlink", "d"],
    ["unlink", "d/"],
    ["unlink", "f/"],
    ["unlink", "l/"],
    ["unlink", "f/x"],
    ["unlink", "."],
    ["unlink", ""],
    ["rmdir", "d/e/"],
    ["rmdir", "d"],
    ["unlink", "l"],
    ["unlink", "f"],
    ["readdir", "."],
  ],
  "follows symbolic links as Linux does": [
    ["mkdir", "d", 0o755],
    ["open", 0, "d/f", O_CREAT | O_WRONLY, 0o644],
    ["symlink", "d", "ld"],
    ["symlink", "d/", "lds"],
    ["symlink", "d/f", "lf"],
    ["symlink", "d/f/", "lfs"],
    ["symlink", "loop", "loop"],
    ["symlink", "nowhere", "dangling"],
    ["symlink", "", "empty"],
    ["symlink", "x", "ld"],
    ["stat", "ld/f"],
    ["stat", "lds/f"],
    ["stat", "lf"],
    ["stat", "lf/"],
    ["stat", "lfs"],
    ["lstat", "ld"],
    ["lstat", "ld/"],
    ["lstat", "lf"],
    ["lstat", "lf/"],
    ["stat", "loop"],
    ["stat", "loop/x"],
    ["lstat", "loop"],
    ["stat", "dangling"],
    ["readlink", "dangling"],
    ["readlink", "d"],
    ["readlink", "d/f"],
    ["readlink", "ld/"],
    ["readlink", "missing"],
    ["open", 1, "ld", O_RDONLY | O_NOFOLLOW, 0],
    ["open", 1, "ld", O_RDONLY | O_NOFOLLOW | O_DIRECTORY, 0],
    ["open", 1, "ld/", O_RDONLY | O_NOFOLLOW, 0],
    ["open", 1, "dangling", O_RDONLY, 0],
    ["open", 1, "dangling", O_RDWR | O_CREAT | O_EXCL, 0o644],
    ["open", 1, "dangling", O_RDWR | O_CREAT, 0o644],
    ["readdir", "."],
    ["mkdir", "ld", 0o755],
    ["symlink", "made", "todir"],
    ["mkdir", "todir", 0o755],
    ["mkdir", "todir/", 0o755],
    ["rename", "lf", "renamed"],
    ["lstat", "renamed"],
    ["link", "ld", "hard"],
    ["lstat", "hard"],
    ["chmod", "ld", 0o700],
    ["stat", "d"],
  ],
  "opens with every combination of flags that matter": [
    ["mkdir", "d", 0o755],
    ["open", 0, "d", O_RDONLY, 0],
    ["read", 0, 10],
    ["read", 0, 10, 0],
    ["write", 0, "x"],
    ["ftruncate", 0, 0],
    ["open", 0, "d", O_WRONLY, 0],
    ["open", 0, "d", O_RDWR, 0],
    ["open", 0, "d", O_RDONLY | O_TRUNC, 0],
    ["open", 0, "d", O_RDONLY | O_CREAT, 0o644],
    ["open", 0, "d", O_RDONLY | O_CREAT | O_EXCL, 0o644],
    ["open", 0, "d/", O_RDONLY | O_CREAT, 0o644],
    ["open", 0, "new/", O_RDONLY | O_CREAT, 0o644],
    ["open", 0, "new", O_RDONLY | O_CREAT | O_DIRECTORY, 0o644],
    ["open", 0, "new/x", O_RDONLY | O_CREAT, 0o644],
    ["open", 0, ".", O_RDONLY | O_CREAT, 0o644],
    ["open", 0, "d/..", O_RDONLY | O_CREAT, 0o644],
    ["open", 0, "", O_RDONLY | O_CREAT, 0o644],
    ["open", 0, "f", O_RDONLY | O_CREAT, 0o200],
    ["write", 0, "x"],
    ["open", 0, "f", O_RDONLY | O_CREAT | O_EXCL, 0o200],
    ["open", 0, "f", O_RDONLY | O_DIRECTORY, 0],
    ["open", 0, "f/", O_RDONLY, 0],
    ["open", 0, "f/x", O_RDONLY, 0],
    ["open", 0, "f/../f", O_RDONLY, 0],
    ["open", 0, "d/../f", O_RDONLY, 0],
    ["open", 0, "f", O_WRONLY, 0],
    ["write", 0, "abc"],
    ["open", 1, "f", O_RDONLY | O_TRUNC, 0],
    ["fstat", 0],
    ["open", 0, long, O_RDWR | O_CREAT, 0o644],
    ["open", 0, `${long}n`, O_RDWR | O_CREAT, 0o644],
    ["open", 0, `${long}n`, O_RDONLY, 0],
    ["open", 0, `f/${long}n`, O_RDONLY, 0],
    ["mkdir", `${long}n`, 0o755],
    ["stat", `missing/${long}n`],
    ["readdir", "."],
  ],
  "keeps modes and times": [
    ["open", 0, "f", O_CREAT | O_WRONLY, 0o666],
    ["stat", "f"],
    ["mkdir", "d", 0o777],
    ["mkdir", "t", 0o1777],
    ["stat", "d"],
    ["stat", "t"],
    ["chmod", "f", 0o4755],
    ["stat", "f"],
    ["utimes", "f", 1000, 2000],
    ["stat", "f"],
    ["chmod", "f", 0o000],
    ["access", "f", 4],
    ["access", "f", 2],
    ["access", "f", 1],
    ["access", "f", 0],
    ["access", "d", 7],
    ["access", "missing", 0],
    ["chmod", "missing", 0],
    ["utimes", "missing", 0, 0],
    ["chmod", "f", 0o010],
    ["access", "f", 1],
  ],
  "stops at things that are no directories": [
    ["open", 0, "f", O_CREAT | O_WRONLY, 0o644],
    ["mkdir", "f/d", 0o755],
    ["mkdir", "f", 0o755],
    ["mkdir", "missing/d", 0o755],
    ["mkdir", ".", 0o755],
    ["mkdir", "..", 0o755],
    ["mkdir", "/", 0o755],
    ["mkdir", "", 0o755],
    ["symlink", "x", "f/l"],
    ["symlink", "x", "l/"],
    ["symlink", "x", "missing/l"],
    ["link", "f", "f/l"],
    ["link", "f", "l/"],
    ["link", "f/", "l"],
    ["readdir", "f"],
    ["stat", "f/."],
    ["stat", "f/.."],
    ["stat", "./f"],
    ["stat", ".//f"],
    ["stat", "missing/.."],
  ],
};

/** What everything below a host directory is, to see that nothing changes it. */
function snapshot(directory: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const at = path.join(directory, name);
      const stat = fs.lstatSync(at, { bigint: true });
      const content = stat.isFile() ? fs.readFileSync(at, "utf8") : "";
      return `${name} ${stat.mode} ${stat.nlink} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${content}`;
    });
}

describe("overlayfs over a directory with files", () => {
  it("agrees with the host on random operations, and leaves what is below alone", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const [below, copy] = [freshHostDirectory(), freshHostDirectory()];
      const before = randomSteps(seed, 120);
      for (const directory of [below, copy])
        transcript(new HostCalls(path.join(directory, "up/base")), before);
      const untouched = snapshot(below);
      const lower = new HostFs(new NodeDirectory(below, { readOnly: true }), testClock);
      const guest = new GuestCalls(new Guest(new OverlayFs(lower, testClock)), "/up/base");
      const host = new HostCalls(path.join(copy, "up/base"));
      expect(tree(guest, "."), `seed ${seed}, before`).toEqual(tree(host, "."));
      const steps = randomSteps(seed + 100_000, 250);
      expectSame(seed, transcript(guest, steps), transcript(host, steps));
      expect(tree(guest, "."), `seed ${seed}`).toEqual(tree(host, "."));
      expect(snapshot(below)).toEqual(untouched);
    }
  });
});

function expectSame(seed: number, actual: string[], expected: string[]): void {
  const at = actual.findIndex((line, i) => line !== expected[i]);
  if (at < 0) return;
  const before = actual.slice(Math.max(0, at - 12), at).join("\n");
  expect.fail(`seed ${seed}, step ${at}:\n${before}\nhere  ${actual[at]}\nLinux ${expected[at]}`);
}

describe.each(candidates)("$name", ({ make }) => {
  it.each(Object.entries(scenarios))("%s", (_name, steps) => {
    const host = hostCalls();
    const guest = guestCalls(make());
    expect(transcript(guest, steps)).toEqual(transcript(host, steps));
    expect(tree(guest, ".")).toEqual(tree(host, "."));
  });

  it("agrees with the host on random operations", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const steps = randomSteps(seed, 250);
      const host = hostCalls();
      const guest = guestCalls(make());
      expectSame(seed, transcript(guest, steps), transcript(host, steps));
      expect(tree(guest, "."), `seed ${seed}`).toEqual(tree(host, "."));
    }
  });
});
