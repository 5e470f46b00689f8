/** A board without a processor, with a device on its PCI bus that has all that a function can have. */

import { PlainMemory } from "../../guest-memory.ts";
import { PciDevice } from "../../pci/pci-device.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { Board } from "../board.ts";
import type { StopReason } from "../stop-reason.ts";

export const TEST_RAM = 2 ** 20;

/** BARs of each kind, INTx, MSI, MSI-X. */
export class TestFunction extends PciDevice {
  readonly registers = new Uint32Array(64);

  constructor() {
    super({ vendorId: 0x1af4, deviceId: 0x1234, classCode: 0xff0000, subsystemId: 7 });
    this.addBar(0, {
      kind: "memory",
      size: 0x100,
      is64Bit: true,
      device: {
        readMemory: (offset) => this.registers[offset >> 2],
        writeMemory: (offset, _size, value) => this.write(offset >> 2, value),
      },
    });
    this.addBar(2, {
      kind: "io",
      size: 32,
      device: {
        readPort: (offset) => this.registers[offset >> 2],
        writePort: (offset, _size, value) => this.write(offset >> 2, value),
      },
    });
    this.useIntx();
    this.addMsi(3);
    this.addMsiX(4, 4);
  }

  /** Register 0 raises events, register 1 drives INTA#. */
  private write(register: number, value: number): void {
    if (register === 0) this.notify(value & 7);
    else if (register === 1) this.setIntx((value & 1) !== 0);
  }
}

export interface TestBoard {
  readonly board: Board;
  readonly clock: ManualClock;
  readonly memory: PlainMemory;
  readonly stops: StopReason[];
  /** What was sent by the serial port and printed at the debug ports. */
  readonly sent: number[];
  /** Level of the processor's INTR pin. */
  isRequested(): boolean;
}

/** @param wallSeconds time of day when the clock is 0 */
export function createTestBoard(wallSeconds = 1_700_000_000): TestBoard {
  const memory = new PlainMemory(new Uint8Array(TEST_RAM));
  const clock = new ManualClock();
  const stops: StopReason[] = [];
  const sent: number[] = [];
  let request = false;
  const board = new Board({
    memory,
    clock,
    wall: {
      realtime: () => {
        const now = clock.now();
        return { seconds: wallSeconds + Math.floor(now / 1e9), nanoseconds: now % 1e9 };
      },
    },
    pins: {
      interruptRequest: (pending) => {
        request = pending;
      },
      nmi: () => {},
      init: () => {},
      startUp: () => {},
    },
    tscOffset: () => 0,
    stop: (reason) => stops.push(reason),
    serial: { transmit: (byte) => sent.push(byte) },
    debugOutput: (byte) => sent.push(byte),
    debugExit: { port: 0xf4, ports: 4 },
    version: "0",
  });
  board.pci.add(new TestFunction());
  board.reset();
  return { board, clock, memory, stops, sent, isRequested: () => request };
}
