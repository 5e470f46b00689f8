/** INT 1Ah, AH = B1h: PCI BIOS specification 2.1. */

import type { AccessSize, Bus } from "../bus.ts";
import type { BiosCall, CallRegisters } from "./bios-processor.ts";

const Result = {
  Successful: 0x00,
  NotSupported: 0x81,
  BadVendor: 0x83,
  DeviceNotFound: 0x86,
  BadRegister: 0x87,
} as const;
const SIGNATURE = 0x20494350; // "PCI "
const VERSION_BCD = 0x0210;
const MECHANISM_1 = 1;
const SLOTS = 32;
const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
const ENABLE = 0x80000000;
const CLASS_AND_REVISION = 8;

export class PciServices {
  constructor(private readonly bus: Bus) {}

  serve(call: BiosCall): void {
    const { registers } = call;
    const { processor } = registers;
    switch (registers.al) {
      case 0x01:
        processor.set32("dx", SIGNATURE);
        registers.al = MECHANISM_1;
        registers.bx = VERSION_BCD;
        registers.cl = 0; // the last bus
        this.finish(call, Result.Successful);
        return;
      case 0x02: {
        if (registers.dx === 0xffff) {
          this.finish(call, Result.BadVendor);
          return;
        }
        const wanted = ((registers.cx << 16) | registers.dx) >>> 0;
        this.find(call, (slot) => this.read(slot << 3, 0, 4) === wanted);
        return;
      }
      case 0x03: {
        const wanted = processor.get32("cx") & 0xffffff;
        this.find(
          call,
          (slot) => this.isPresent(slot) && this.read(slot << 3, CLASS_AND_REVISION, 4) >>> 8 === wanted,
        );
        return;
      }
      case 0x08:
      case 0x09:
      case 0x0a:
        this.access(call, SIZES[registers.al - 0x08], "read");
        return;
      case 0x0b:
      case 0x0c:
      case 0x0d:
        this.access(call, SIZES[registers.al - 0x0b], "write");
        return;
      default:
        this.finish(call, Result.NotSupported);
    }
  }

  private finish(call: BiosCall, result: number): void {
    call.registers.ah = result;
    call.setCarry(result !== Result.Successful);
  }

  /** The device with the index SI among those that are meant. */
  private find(call: BiosCall, isMeant: (slot: number) => boolean): void {
    const { registers } = call;
    const found = Array.from({ length: SLOTS }, (_, slot) => slot).filter(isMeant);
    const slot = found[registers.si];
    if (slot !== undefined) registers.bx = slot << 3;
    this.finish(call, slot === undefined ? Result.DeviceNotFound : Result.Successful);
  }

  private isPresent(slot: number): boolean {
    return this.read(slot << 3, 0, 2) !== 0xffff;
  }

  /** BX names bus, device and function, DI the register, CL, CX or ECX is the value. */
  private access(call: BiosCall, size: AccessSize, kind: "read" | "write"): void {
    const { registers } = call;
    if (registers.di > 0xff || registers.di % size !== 0) {
      this.finish(call, Result.BadRegister);
      return;
    }
    if (kind === "read") put(registers, size, this.read(registers.bx, registers.di, size));
    else {
      this.select(registers.bx, registers.di);
      const value = registers.processor.get32("cx");
      this.bus.writePort(
        CONFIG_DATA + (registers.di & 3),
        size,
        size === 4 ? value : value & (2 ** (8 * size) - 1),
      );
    }
    this.finish(call, Result.Successful);
  }

  private select(place: number, register: number): void {
    this.bus.writePort(CONFIG_ADDRESS, 4, (ENABLE | (place << 8) | (register & 0xfc)) >>> 0);
  }

  private read(place: number, register: number, size: AccessSize): number {
    this.select(place, register);
    return this.bus.readPort(CONFIG_DATA + (register & 3), size);
  }
}

const SIZES: readonly AccessSize[] = [1, 2, 4];

function put(registers: CallRegisters, size: AccessSize, value: number): void {
  if (size === 1) registers.cl = value;
  else if (size === 2) registers.cx = value;
  else registers.processor.set32("cx", value);
}
