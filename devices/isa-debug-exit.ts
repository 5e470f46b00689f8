/**
 * `-device isa-debug-exit` of QEMU: a write ends the machine, and the exit status is (value << 1) | 1, so that a guest can
 * never report 0 by accident.
 */

import type { AccessSize, PortDevice } from "./bus.ts";

export const DEBUG_EXIT_PORT = 0xf4;
export const DEBUG_EXIT_PORTS = 4;

export class IsaDebugExit implements PortDevice {
  /** @param exit ends the machine with this exit status (0…255) */
  constructor(private readonly exit: (status: number) => void) {}

  readPort(_offset: number, size: AccessSize): number {
    return 2 ** (8 * size) - 1;
  }

  writePort(_offset: number, _size: AccessSize, value: number): void {
    this.exit(((value << 1) | 1) & 0xff);
  }
}
