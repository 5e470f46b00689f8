/** Devices behind device nodes: whoever opens a node of that number gets the driver's file. */

import { ENXIO, Errno } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import type { OpenFile } from "./open-file.ts";
import type { Path } from "./path.ts";

/** Device numbers as glibc and the kernel pass them in stat and mknod (makedev(3), new_encode_dev). */
export function makedev(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

export function major(rdev: number): number {
  return (rdev >>> 8) & 0xfff;
}

export function minor(rdev: number): number {
  return (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
}

export interface CharacterDevice {
  /** A new open file description. Throws Errno. `rdev` tells the minors of one driver apart. */
  open(thread: Thread | undefined, flags: number, path: Path, rdev: number): OpenFile | Promise<OpenFile>;
}

export class DeviceRegistry {
  private readonly byNumber = new Map<number, CharacterDevice>();
  private readonly byMajor = new Map<number, { name: string; device: CharacterDevice }>();
  private readonly names = new Map<number, string>();

  /** `name` as /proc/devices shows the major. */
  register(rdev: number, device: CharacterDevice, name?: string): void {
    this.byNumber.set(rdev, device);
    if (name !== undefined) this.names.set(major(rdev), name);
  }

  /** All minors of a major that are not registered themselves. */
  registerMajor(number: number, device: CharacterDevice, name: string): void {
    this.byMajor.set(number, { name, device });
    this.names.set(number, name);
  }

  get(rdev: number): CharacterDevice | undefined {
    return this.byNumber.get(rdev) ?? this.byMajor.get(major(rdev))?.device;
  }

  /** ENXIO where no driver is. */
  open(thread: Thread | undefined, flags: number, path: Path, rdev: number): OpenFile | Promise<OpenFile> {
    const device = this.get(rdev);
    if (device === undefined) throw new Errno(ENXIO);
    return device.open(thread, flags, path, rdev);
  }

  /** Majors and their names, in order. */
  list(): [major: number, name: string][] {
    return [...this.names].sort(([a], [b]) => a - b);
  }
}
