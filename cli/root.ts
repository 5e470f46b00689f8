/** What the guest sees as its files: the built-in image or a host directory, and what the kernel mounts over it. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { unpackCpio } from "../kernel/fs/cpio.ts";
import { DevFs } from "../kernel/fs/devfs.ts";
import { HostFs } from "../kernel/fs/hostfs.ts";
import { HostDirectoryInode } from "../kernel/fs/hostfs-inode.ts";
import { registerMemoryDevices } from "../kernel/fs/memory-devices.ts";
import { OverlayFs } from "../kernel/fs/overlayfs.ts";
import { ProcFs } from "../kernel/fs/procfs/procfs.ts";
import { RamFs } from "../kernel/fs/ramfs.ts";
import { SysFs } from "../kernel/fs/sysfs.ts";
import { type Host, HostError } from "../kernel/host.ts";
import { openFifo } from "../kernel/ipc/pipe.ts";
import type { OsvKernel } from "../kernel/osv-kernel.ts";
import type { TtyLayer } from "../kernel/tty/tty-layer.ts";
import { FileMemory } from "../kernel/vfs/file-memory.ts";
import type { FileSystem, Inode } from "../kernel/vfs/inode.ts";
import { MountTable } from "../kernel/vfs/mount-table.ts";
import { builtFile } from "./built-file.ts";
import { CommandError } from "./command-error.ts";
import { describeFileError } from "./file-error.ts";
import { NodeDirectory } from "./host/node-directory.ts";

/** A host directory as a file system. */
export interface HostMount {
  /** On the host. */
  directory: string;
  /** Changes go to memory and are gone at exit. */
  keepChangesInMemory: boolean;
}

/** @throws HostError if it is no directory that can be read */
export function createHostFileSystem(mount: HostMount, host: Host, memory?: FileMemory): FileSystem {
  const directory = new NodeDirectory(resolve(mount.directory), { readOnly: mount.keepChangesInMemory });
  const hostFs = new HostFs(directory, host.clock);
  return mount.keepChangesInMemory ? new OverlayFs(hostFs, host.clock, { memory }) : hostFs;
}

/** The same for what the command line names. @throws CommandError */
export function openHostDirectory(mount: HostMount, host: Host, memory?: FileMemory): FileSystem {
  try {
    return createHostFileSystem(mount, host, memory);
  } catch (error) {
    throw error instanceof HostError
      ? new CommandError(`${mount.directory}: ${describeHostError(error)}`)
      : describeFileError(mount.directory, error);
  }
}

function describeHostError(error: HostError): string {
  const known = describeFileError("", Object.assign(new Error(), { code: error.code }));
  return known instanceof CommandError ? known.message.replace(/^: /, "") : error.message;
}

/** The built-in image, unpacked into memory. */
export function openImage(host: Host, memory?: FileMemory): FileSystem {
  const image = new RamFs(host.clock, { memory });
  unpackCpio(readFileSync(builtFile("image.cpio")), image.root);
  return image;
}

export interface RootFileSystem {
  mounts: MountTable;
  devices: DevFs;
}

/**
 * Makes the tree of mounts: the root, and the kernel's own file systems.
 * @param root the host directory that is the root; undefined for the built-in image
 * @param ramSize of the machine, bytes: files in memory may take half as much (as a tmpfs of Linux does by default)
 */
export function mountRoot(root: HostMount | undefined, host: Host, ramSize: number): RootFileSystem {
  const memory = new FileMemory(ramSize / 2);
  const fileSystem = root === undefined ? openImage(host, memory) : openHostDirectory(root, host, memory);
  const mounts = new MountTable(fileSystem, host.clock);
  mounts.fileMemory = memory;
  const devices = new DevFs(host.clock);
  mountAt(mounts, "dev", devices, "devtmpfs");
  mountAt(mounts, "dev/shm", new RamFs(host.clock, { type: "tmpfs", mode: 0o1777, memory }), "tmpfs");
  registerMemoryDevices(mounts.devices, host.entropy);
  mounts.openFifo = openFifo;
  return { mounts, devices };
}

/** Mounts the file systems that show the kernel itself, and tells mount(2) what it may mount. */
export function mountKernelViews(kernel: OsvKernel, terminals: TtyLayer, commandLine: string): void {
  const { mounts, host } = kernel;
  const createProc = () =>
    new ProcFs(kernel, { terminalOf: (session) => terminals.controlling(session), commandLine });
  mountAt(mounts, "proc", createProc(), "proc");
  mountAt(mounts, "sys", new SysFs(host.clock), "sysfs");
  const types = mounts.fileSystemTypes;
  for (const type of ["tmpfs", "ramfs"]) {
    const mode = type === "tmpfs" ? 0o1777 : 0o755;
    types.set(type, () => new RamFs(host.clock, { type, mode, memory: mounts.fileMemory }));
  }
  types.set("proc", createProc);
  types.set("sysfs", () => new SysFs(host.clock));
}

/**
 * Makes a directory to mount something on. In a host directory it exists only for the guest: running a program must not
 * leave a /dev behind.
 */
function makeMountPoint(directory: Inode, name: string): void {
  if (directory instanceof HostDirectoryInode) {
    directory.attach(name, directory.fileSystem.memory.newDirectory(0o755, 0, 0));
  } else {
    directory.mkdir(name, 0o755, 0, 0);
  }
}

/** Mounts a file system at a path from the root, making the directories on the way. */
export function mountAt(mounts: MountTable, path: string, fileSystem: FileSystem, source: string): void {
  let place = mounts.root;
  for (const name of path.split("/").filter((part) => part !== "")) {
    if (mounts.child(place, name) === undefined) makeMountPoint(place.inode, name);
    place = mounts.resolve(undefined, name, { base: place });
  }
  mounts.mount(fileSystem, place, { source });
}
