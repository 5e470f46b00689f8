/** The panic device: qemu/docs/specs/pvpanic.rst. A guest kernel that dies says so at port 505H. */

import type { AccessSize, PortDevice } from "./bus.ts";

export const PVPANIC_PORT = 0x505;

/** Events, which also are the capabilities that a read shows. */
const PVPANIC_PANICKED = 1 << 0;
const PVPANIC_CRASH_LOADED = 1 << 1;

export class PvPanic implements PortDevice {
  /** @param panicked the guest has died; `loaded` if a crash kernel of its own takes over */
  constructor(private readonly panicked: (loaded: boolean) => void) {}

  readPort(_offset: number, _size: AccessSize): number {
    return PVPANIC_PANICKED | PVPANIC_CRASH_LOADED;
  }

  writePort(_offset: number, _size: AccessSize, value: number): void {
    if ((value & PVPANIC_PANICKED) !== 0) this.panicked(false);
    else if ((value & PVPANIC_CRASH_LOADED) !== 0) this.panicked(true);
  }
}
