/** A thread with flat memory that makes file system calls, for tests: no processor, no scheduler, no signals. */

import { EFAULT, ENAMETOOLONG, Errno } from "../../errno.ts";
import type { Clock } from "../../host.ts";
import type { UserMemory } from "../../mm/user-memory.ts";
import type { Thread } from "../../sched/thread.ts";
import { Waiter, type WaitQueue } from "../../sched/wait-queue.ts";
import { ATTRIBUTE_SYSCALLS } from "../../syscalls/attributes.ts";
import type { SyscallDefinition } from "../../syscalls/definition.ts";
import { DIRECTORY_SYSCALLS } from "../../syscalls/directories.ts";
import { DESCRIPTOR_SYSCALLS } from "../../syscalls/fcntl.ts";
import { FILE_SPACE_SYSCALLS } from "../../syscalls/file-space.ts";
import { FILE_SYSCALLS } from "../../syscalls/files.ts";
import { MOUNT_SYSCALLS } from "../../syscalls/mounts.ts";
import { READ_WRITE_SYSCALLS } from "../../syscalls/read-write.ts";
import { STAT_SYSCALLS } from "../../syscalls/stat.ts";
import { XATTR_SYSCALLS } from "../../syscalls/xattr.ts";
import { FileTable } from "../../vfs/file-table.ts";
import type { FileSystem } from "../../vfs/inode.ts";
import { MountTable } from "../../vfs/mount-table.ts";
import { decodeName, encodeName } from "../../vfs/names.ts";

/** All calls of the groups under test. */
export const TABLE: ReadonlyMap<string, SyscallDefinition> = new Map<string, SyscallDefinition>(
  [
    ...READ_WRITE_SYSCALLS,
    ...FILE_SYSCALLS,
    ...DIRECTORY_SYSCALLS,
    ...STAT_SYSCALLS,
    ...ATTRIBUTE_SYSCALLS,
    ...FILE_SPACE_SYSCALLS,
    ...DESCRIPTOR_SYSCALLS,
    ...MOUNT_SYSCALLS,
    ...XATTR_SYSCALLS,
  ].map((definition) => [definition.name, definition]),
);

/** Program memory: one range of addresses, with a hole of one page that nothing may touch. */
export class FlatMemory implements UserMemory {
  static readonly BASE = 0x10000;
  readonly bytes = new Uint8Array(1 << 20);
  readonly view = new DataView(this.bytes.buffer);
  /** First address of the page that is not there. */
  readonly hole = FlatMemory.BASE + 0x8000;

  check(address: number, length: number): boolean {
    if (length === 0) return true;
    const end = address + length;
    if (!(address >= FlatMemory.BASE && end <= FlatMemory.BASE + this.bytes.length)) return false;
    return end <= this.hole || address >= this.hole + 4096;
  }

  private at(address: number, length: number): number {
    if (!this.check(address, length)) throw new Errno(EFAULT);
    return address - FlatMemory.BASE;
  }

  read(address: number, length: number): Uint8Array {
    const at = this.at(address, length);
    return this.bytes.slice(at, at + length);
  }

  readInto(address: number, target: Uint8Array): void {
    const at = this.at(address, target.length);
    target.set(this.bytes.subarray(at, at + target.length));
  }

  write(address: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at(address, bytes.length));
  }

  fill(address: number, length: number, value: number): void {
    const at = this.at(address, length);
    this.bytes.fill(value, at, at + length);
  }

  readU8(address: number): number {
    return this.view.getUint8(this.at(address, 1));
  }

  readU16(address: number): number {
    return this.view.getUint16(this.at(address, 2), true);
  }

  readU32(address: number): number {
    return this.view.getUint32(this.at(address, 4), true);
  }

  readI32(address: number): number {
    return this.view.getInt32(this.at(address, 4), true);
  }

  readU64(address: number): bigint {
    return this.view.getBigUint64(this.at(address, 8), true);
  }

  readI64(address: number): number {
    return Number(this.view.getBigInt64(this.at(address, 8), true));
  }

  writeU8(address: number, value: number): void {
    this.view.setUint8(this.at(address, 1), value);
  }

  writeU16(address: number, value: number): void {
    this.view.setUint16(this.at(address, 2), value, true);
  }

  writeU32(address: number, value: number): void {
    this.view.setUint32(this.at(address, 4), value, true);
  }

  writeU64(address: number, value: bigint): void {
    this.view.setBigUint64(this.at(address, 8), value, true);
  }

  writeI64(address: number, value: number): void {
    this.view.setBigInt64(this.at(address, 8), BigInt(value), true);
  }

  readString(address: number, limit = 4096): string {
    for (let length = 0; length < limit; length++) {
      if (this.readU8(address + length) === 0) return decodeName(this.read(address, length));
    }
    throw new Errno(ENAMETOOLONG);
  }
}

/** The time of the host's clock. */
export const testClock: Clock = {
  monotonic: () => performance.now() * 1e6,
  realtime: () => {
    const now = Date.now();
    return { seconds: Math.floor(now / 1000), nanoseconds: (now % 1000) * 1_000_000 };
  },
  after: () => () => {},
  yield: async () => {},
};

export class Guest {
  readonly memory = new FlatMemory();
  readonly mounts: MountTable;
  readonly thread: Thread;

  constructor(root: FileSystem, clock: Clock = testClock) {
    this.mounts = new MountTable(root, clock);
    const application = {
      pid: 1,
      files: new FileTable(),
      cwd: this.mounts.root,
      root: this.mounts.root,
      umask: 0o022,
    };
    const applications = new Map([[1, application]]);
    const kernel = { mounts: this.mounts, host: { clock }, memory: this.memory, applications };
    const wait = (queue: WaitQueue) => {
      const waiter = new Waiter();
      waiter.join(queue);
      return waiter.done;
    };
    // What file system calls see of a thread; the rest of the kernel is not there in these tests.
    this.thread = { application, kernel, memory: this.memory, wait } as unknown as Thread;
  }

  /** A second application, with the same open files and memory. */
  fork(): Guest {
    const child = new Guest(this.mounts.root.mount.fileSystem, this.mounts.clock);
    const { application } = this.thread;
    const twin = { ...application, pid: 2, files: application.files.clone() };
    return Object.assign(child, {
      mounts: this.mounts,
      memory: this.memory,
      thread: { ...this.thread, application: twin } as unknown as Thread,
    });
  }

  /** Where strings and buffers of a call are put, one after the other. */
  private static readonly ARENA = FlatMemory.BASE + 0x10000;

  /** Makes a call; strings are put into memory. Returns the result or a negative errno. */
  call(name: string, ...args: (number | string | Uint8Array)[]): number | Promise<number> {
    const definition = TABLE.get(name);
    if (definition?.call === undefined) throw new Error(`no system call ${name}`);
    let free = Guest.ARENA;
    const values = args.map((argument) => {
      if (typeof argument === "number") return argument;
      const bytes = typeof argument === "string" ? encodeName(`${argument}\0`) : argument;
      const address = free;
      this.memory.write(address, bytes);
      free += (bytes.length + 15) & ~15;
      return address;
    });
    const [a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0] = values;
    try {
      const result = definition.call(this.thread, a0, a1, a2, a3, a4, a5);
      return typeof result === "number" ? result : result.catch(errnoResult);
    } catch (error) {
      return errnoResult(error);
    }
  }

  /** A call that does not have to wait. */
  now(name: string, ...args: (number | string | Uint8Array)[]): number {
    const result = this.call(name, ...args);
    if (typeof result !== "number") throw new Error(`${name} waits`);
    return result;
  }
}

function errnoResult(error: unknown): number {
  if (error instanceof Errno) return -error.errno;
  throw error;
}
