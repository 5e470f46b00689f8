/** The character devices of major 1: null(4), full(4), random(4) (drivers/char/mem.c, random.c). */

import { EINVAL, ENOSPC } from "../errno.ts";
import type { Entropy } from "../host.ts";
import type { Thread } from "../sched/thread.ts";
import { type DeviceRegistry, makedev } from "../vfs/character-device.ts";
import { DeviceFile } from "../vfs/device-file.ts";
import type { Result } from "../vfs/open-file.ts";
import type { Path } from "../vfs/path.ts";

/** Documentation/admin-guide/devices.txt */
export const MEMORY_DEVICES = {
  null: makedev(1, 3),
  zero: makedev(1, 5),
  full: makedev(1, 7),
  random: makedev(1, 8),
  urandom: makedev(1, 9),
} as const;

/** ioctl of random(4): bits of entropy, always plenty here. */
const RNDGETENTCNT = 0x80045200;

abstract class MemoryDeviceFile extends DeviceFile {
  override get seekable(): boolean {
    return true;
  }

  /** Any seek succeeds and stays at 0 (null_lseek). */
  override seek(): number {
    return 0;
  }

  override write(_thread: Thread, data: Uint8Array): Result {
    return data.length;
  }

  override sync(): Result {
    return -EINVAL;
  }
}

class NullFile extends MemoryDeviceFile {
  override read(): Result {
    return 0;
  }
}

class ZeroFile extends MemoryDeviceFile {
  override read(_thread: Thread, buffer: Uint8Array): Result {
    buffer.fill(0);
    return buffer.length;
  }
}

class FullFile extends ZeroFile {
  override write(): Result {
    return -ENOSPC;
  }
}

class RandomFile extends MemoryDeviceFile {
  constructor(
    flags: number,
    node: Path,
    private readonly entropy: Entropy,
  ) {
    super(flags, node);
  }

  override read(_thread: Thread, buffer: Uint8Array): Result {
    this.entropy.fill(buffer);
    return buffer.length;
  }

  override ioctl(thread: Thread, request: number, argument: number): Result {
    if (request >>> 0 !== RNDGETENTCNT) return -EINVAL;
    thread.memory.writeU32(argument, 256);
    return 0;
  }
}

export function registerMemoryDevices(devices: DeviceRegistry, entropy: Entropy): void {
  devices.register(MEMORY_DEVICES.null, { open: (_thread, flags, path) => new NullFile(flags, path) }, "mem");
  devices.register(MEMORY_DEVICES.zero, { open: (_thread, flags, path) => new ZeroFile(flags, path) });
  devices.register(MEMORY_DEVICES.full, { open: (_thread, flags, path) => new FullFile(flags, path) });
  const random = {
    open: (_thread: Thread | undefined, flags: number, path: Path) => new RandomFile(flags, path, entropy),
  };
  devices.register(MEMORY_DEVICES.random, random);
  devices.register(MEMORY_DEVICES.urandom, random);
}
