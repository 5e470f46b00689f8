/** Ports that print: E9H (Bochs' port hack) and 402H (SeaBIOS's debug port). Both read as E9H: that is how they are found. */

import type { AccessSize, PortDevice } from "./bus.ts";

export const BOCHS_DEBUG_PORT = 0xe9;
export const SEABIOS_DEBUG_PORT = 0x402;

const PRESENT = 0xe9;

export class DebugConsole implements PortDevice {
  constructor(private readonly print: (byte: number) => void) {}

  readPort(_offset: number, _size: AccessSize): number {
    return PRESENT;
  }

  writePort(_offset: number, _size: AccessSize, value: number): void {
    this.print(value & 0xff);
  }
}
