/**
 * Reaching files below a directory without ever following a symbolic link, also while another process moves things about.
 *
 * Node has no openat(2), but on Linux /proc/self/fd/N/name does the same: N is a directory opened with O_PATH and
 * O_NOFOLLOW, one component at a time from the root, so a link put in the middle of a path leads nowhere.
 */

import * as fs from "node:fs";
import * as path from "node:path";
import { encodeName } from "../../kernel/vfs/names.ts";

/** open(2) flags that Node's constants leave out (asm-generic/fcntl.h; the same on x86-64, and on arm64 O_PATH too). */
const O_PATH = 0o10000000;

/** Open directories at most. */
const LIMIT = 256;

/** After so many ms a name is looked at again: the host may have put another directory in its place. */
const TRUST_FOR = 500;

/** A path for a call of node:fs: a Buffer where the name is not valid Unicode. */
export type NodePath = string | Buffer;

/** A name with surrogates may hold bytes that are not UTF-8 (kernel/vfs/names.ts). */
export function nodePath(name: string): NodePath {
  return /[\ud800-\udfff]/.test(name) ? Buffer.from(encodeName(name)) : name;
}

/** Finds the path by which node:fs reaches a file, given its name below the root ("" is the root). */
export interface PathFinder {
  /** For calls that do not follow a link at the end of the path themselves. */
  reach(name: string): NodePath;
  /** For calls on a directory: the path ends in it, whatever its name leads to. */
  reachDirectory(name: string): NodePath;
  /** `name` and everything below is no longer where it was. */
  forget(name: string): void;
  /**
   * Something was not found: is the directory that we remember gone, and perhaps another there by its name? Then it is
   * forgotten, and another try makes sense.
   */
  mayBeStale(name: string): boolean;
  dispose(): void;
}

interface Handle {
  readonly fd: number;
  readonly dev: bigint;
  readonly ino: bigint;
  checked: number;
}

function split(name: string): { parent: string; last: string } {
  const slash = name.lastIndexOf("/");
  return slash < 0
    ? { parent: "", last: name }
    : { parent: name.slice(0, slash), last: name.slice(slash + 1) };
}

export class HandlePathFinder implements PathFinder {
  private readonly root: number;
  /** Insertion order is age: a used handle moves to the end. */
  private readonly handles = new Map<string, Handle>();

  constructor(root: string) {
    this.root = fs.openSync(root, O_PATH | fs.constants.O_DIRECTORY);
  }

  /** Does this system have what we need? */
  static isSupported(root: string): boolean {
    if (process.platform !== "linux") return false;
    try {
      const fd = fs.openSync(root, O_PATH | fs.constants.O_DIRECTORY);
      try {
        return fs.statSync(`/proc/self/fd/${fd}/.`).isDirectory();
      } finally {
        fs.closeSync(fd);
      }
    } catch {
      return false;
    }
  }

  reach(name: string): NodePath {
    if (name === "") return `/proc/self/fd/${this.root}/.`;
    const { parent, last } = split(name);
    return nodePath(`/proc/self/fd/${this.open(parent)}/${last}`);
  }

  reachDirectory(name: string): NodePath {
    return `/proc/self/fd/${this.open(name)}/.`;
  }

  forget(name: string): void {
    for (const [key, handle] of this.handles) {
      if (key === name || key.startsWith(`${name}/`)) {
        this.handles.delete(key);
        fs.closeSync(handle.fd);
      }
    }
  }

  mayBeStale(name: string): boolean {
    let stale = false;
    for (let at = split(name).parent; at !== ""; at = split(at).parent) {
      const handle = this.handles.get(at);
      if (handle === undefined || fs.fstatSync(handle.fd).nlink > 0) break;
      stale = true;
      this.forget(at);
    }
    return stale;
  }

  dispose(): void {
    for (const { fd } of this.handles.values()) fs.closeSync(fd);
    this.handles.clear();
    fs.closeSync(this.root);
  }

  private open(name: string): number {
    if (name === "") return this.root;
    const known = this.handles.get(name);
    const now = process.uptime() * 1000;
    if (known !== undefined && now - known.checked < TRUST_FOR) return known.fd;
    const { parent, last } = split(name);
    const at = nodePath(`/proc/self/fd/${this.open(parent)}/${last}`);
    if (known !== undefined) {
      const stat = fs.lstatSync(at, { bigint: true, throwIfNoEntry: false });
      if (stat !== undefined && stat.ino === known.ino && stat.dev === known.dev) {
        known.checked = now;
        this.handles.delete(name);
        this.handles.set(name, known);
        return known.fd;
      }
      this.forget(name);
    }
    const fd = fs.openSync(at, O_PATH | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW);
    const { dev, ino } = fs.fstatSync(fd, { bigint: true });
    this.handles.set(name, { fd, dev, ino, checked: now });
    if (this.handles.size > LIMIT) this.dropOldest();
    return fd;
  }

  private dropOldest(): void {
    for (const [name, handle] of this.handles) {
      this.handles.delete(name);
      fs.closeSync(handle.fd);
      return;
    }
  }
}

/** Where there is no /proc: plain paths, with every directory on the way looked at before each call. */
export class CheckingPathFinder implements PathFinder {
  private readonly root: string;

  constructor(root: string) {
    this.root = fs.realpathSync(root);
  }

  reach(name: string): NodePath {
    if (name === "") return this.root;
    return this.below(split(name).parent, name);
  }

  reachDirectory(name: string): NodePath {
    return this.below(name, name);
  }

  private below(checked: string, name: string): NodePath {
    let at = this.root;
    for (const part of checked === "" ? [] : checked.split("/")) {
      at = path.join(at, part);
      if (!fs.lstatSync(nodePath(at)).isDirectory()) throw Object.assign(new Error(at), { code: "ENOTDIR" });
    }
    return nodePath(path.join(this.root, name));
  }

  forget(): void {}

  mayBeStale(): boolean {
    return false;
  }

  dispose(): void {}
}
