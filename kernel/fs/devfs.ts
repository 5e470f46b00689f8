/** /dev: device nodes for the registered drivers (Linux: devtmpfs). */

import type { Clock } from "../host.ts";
import { makedev } from "../vfs/character-device.ts";
import { S_IFCHR, S_IFDIR } from "../vfs/inode.ts";
import { MEMORY_DEVICES } from "./memory-devices.ts";
import { RamFs } from "./ramfs.ts";
import { RamDirectory } from "./ramfs-directory.ts";

/** Documentation/admin-guide/devices.txt, major 5 */
const TTY = makedev(5, 0);
const CONSOLE = makedev(5, 1);
const PTMX = makedev(5, 2);

export class DevFs extends RamFs {
  constructor(clock: Clock) {
    super(clock, { type: "devtmpfs", capacity: 1 << 20 });
    for (const [name, rdev] of Object.entries(MEMORY_DEVICES)) this.add(name, S_IFCHR | 0o666, rdev);
    this.add("tty", S_IFCHR | 0o666, TTY);
    this.add("console", S_IFCHR | 0o600, CONSOLE);
    this.add("ptmx", S_IFCHR | 0o666, PTMX);
    this.root.mkdir("pts", 0o755, 0, 0);
    this.root.mkdir("shm", 0o1777, 0, 0);
    this.root.symlink("fd", "/proc/self/fd", 0, 0);
    for (const [fd, name] of ["stdin", "stdout", "stderr"].entries())
      this.root.symlink(name, `/proc/self/fd/${fd}`, 0, 0);
  }

  /** A device node, e.g. add("pts/0", S_IFCHR | 0o620, makedev(136, 0)); directories on the way are made. */
  add(path: string, mode: number, rdev: number): void {
    const { directory, name } = this.place(path);
    directory.create(name, mode, rdev, 0, 0);
  }

  remove(path: string): void {
    const { directory, name } = this.place(path);
    if (directory.lookup(name) !== undefined) directory.unlink(name);
  }

  private place(path: string): { directory: RamDirectory; name: string } {
    const names = path.split("/");
    const name = names.pop() ?? path;
    let directory = this.root;
    for (const part of names) {
      const next = directory.lookup(part) ?? directory.mkdir(part, S_IFDIR | 0o755, 0, 0);
      if (next instanceof RamDirectory) directory = next;
    }
    return { directory, name };
  }
}
