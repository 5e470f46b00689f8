/** Sequences of file operations, written or random, and running them through {@link Calls} into a transcript. */

import * as fs from "node:fs";
import type { Calls, Outcome } from "./calls.ts";

/** One operation. Descriptors are slots: 0 to 3, whatever number the system gives. */
export type Step =
  | readonly ["open", slot: number, path: string, flags: number, mode: number]
  | readonly ["close", slot: number]
  | readonly ["read", slot: number, count: number, position?: number]
  | readonly ["write", slot: number, text: string, position?: number]
  | readonly ["ftruncate", slot: number, size: number]
  | readonly ["fstat", slot: number]
  | readonly ["mkdir", path: string, mode: number]
  | readonly ["rmdir" | "unlink" | "readlink" | "stat" | "lstat" | "readdir", path: string]
  | readonly ["rename" | "link" | "symlink", from: string, to: string]
  | readonly ["chmod" | "truncate" | "access", path: string, value: number]
  | readonly ["utimes", path: string, atime: number, mtime: number];

/** Runs the steps; one line each, "what → outcome". */
export function transcript(calls: Calls, steps: readonly Step[]): string[] {
  const slots = new Map<number, number>();
  const lines = steps.map((step) => `${JSON.stringify(step)} → ${run(calls, slots, step)}`);
  for (const fd of slots.values()) calls.close(fd);
  return lines;
}

function run(calls: Calls, slots: Map<number, number>, step: Step): Outcome {
  switch (step[0]) {
    case "open": {
      const [, slot, path, flags, mode] = step;
      const old = slots.get(slot);
      if (old !== undefined) calls.close(old);
      slots.delete(slot);
      const fd = calls.open(path, flags, mode);
      if (fd < 0) return fd;
      slots.set(slot, fd);
      return "open";
    }
    case "mkdir":
      return calls.mkdir(step[1], step[2]);
    case "rmdir":
    case "unlink":
    case "readlink":
    case "stat":
    case "lstat":
    case "readdir":
      return calls[step[0]](step[1]);
    case "rename":
    case "link":
    case "symlink":
      return calls[step[0]](step[1], step[2]);
    case "chmod":
    case "truncate":
    case "access":
      return calls[step[0]](step[1], step[2]);
    case "utimes":
      return calls.utimes(step[1], step[2], step[3]);
  }
  const fd = slots.get(step[1]);
  if (fd === undefined) return "not open";
  switch (step[0]) {
    case "close":
      slots.delete(step[1]);
      return calls.close(fd);
    case "read":
      return calls.read(fd, step[2], step[3]);
    case "write":
      return calls.write(fd, step[2], step[3]);
    case "ftruncate":
      return calls.ftruncate(fd, step[2]);
    case "fstat":
      return calls.fstat(fd);
  }
}

/** mulberry32: a small generator, so that a seed repeats a failing run. */
export function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const NAMES = ["a", "b", "c", "d"];
const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } =
  fs.constants;

/** Random steps over few names, so that they meet each other's files. Paths climb at most one level above the start. */
export function randomSteps(seed: number, count: number): Step[] {
  const below = random(seed);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)];
  const path = (): string => {
    const parts: string[] = [pick(NAMES)];
    while (below(3) === 0 && parts.length < 4) parts.push(pick(NAMES));
    if (below(12) === 0) parts.splice(below(parts.length) + 1, 0, pick([".", ".."]));
    const text = parts.join(below(20) === 0 ? "//" : "/");
    return below(14) === 0 ? `${text}/` : text;
  };
  const target = (): string => {
    const parts = [pick(NAMES)];
    while (below(3) === 0 && parts.length < 3) parts.push(pick(NAMES));
    if (below(6) === 0) parts.unshift(".");
    return parts.join("/") + (below(10) === 0 ? "/" : "");
  };
  const flags = (): number =>
    pick([O_RDONLY, O_WRONLY, O_RDWR, O_RDWR]) |
    (below(2) === 0 ? O_CREAT : 0) |
    (below(6) === 0 ? O_CREAT | O_EXCL : 0) |
    (below(5) === 0 ? O_TRUNC : 0) |
    (below(5) === 0 ? O_APPEND : 0) |
    (below(8) === 0 ? O_NOFOLLOW : 0) |
    (below(12) === 0 ? O_DIRECTORY : 0);
  const text = () => pick(["x", "hello", "0123456789", "y".repeat(5000), "z".repeat(9000)]);
  const size = () => pick([0, 1, 5, 4096, 5000, 12288, 20000]);
  const slot = () => below(4);
  const makers: (() => Step)[] = [
    () => ["open", slot(), path(), flags(), pick([0o644, 0o600, 0o777])],
    () => ["open", slot(), path(), flags(), pick([0o644, 0o600, 0o777])],
    () => ["close", slot()],
    // Node answers reads of nothing without asking the system.
    () => ["read", slot(), size() + 1],
    () => ["read", slot(), size() + 1, size()],
    () => ["write", slot(), text()],
    () => ["write", slot(), text(), size()],
    () => ["ftruncate", slot(), size()],
    () => ["fstat", slot()],
    () => ["mkdir", path(), pick([0o755, 0o777, 0o1777])],
    () => ["mkdir", path(), 0o755],
    () => ["rmdir", path()],
    () => ["unlink", path()],
    () => ["rename", path(), path()],
    () => ["rename", path(), path()],
    () => ["link", path(), path()],
    () => ["symlink", target(), path()],
    () => ["readlink", path()],
    () => ["stat", path()],
    () => ["lstat", path()],
    () => ["readdir", path()],
    () => ["chmod", path(), pick([0o644, 0o755, 0o4755, 0o600])],
    () => ["access", path(), below(8)],
    () => ["utimes", path(), below(1000), below(1000)],
  ];
  return Array.from({ length: count }, () => pick(makers)());
}

/** Everything below a directory, for comparing trees after a run. */
export function tree(calls: Calls, path: string): string[] {
  const listing = calls.readdir(path);
  if (typeof listing === "number") return [`${path} → ${listing}`];
  const lines: string[] = [];
  for (const entry of listing === "" ? [] : listing.split(" ")) {
    const [name, type] = entry.split(":");
    const below = path === "." ? name : `${path}/${name}`;
    lines.push(`${below} ${calls.lstat(below)}`);
    if (type === "4") lines.push(...tree(calls, below));
    else if (type === "10") lines.push(`${below} → ${calls.readlink(below)}`);
    else {
      const fd = calls.open(below, O_RDONLY, 0);
      lines.push(`${below} ${fd < 0 ? fd : calls.read(fd, 100000, 0)}`);
      if (fd >= 0) calls.close(fd);
    }
  }
  return lines;
}
