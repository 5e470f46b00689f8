/**
 * INT 11h, 12h and 15h: what there is, how much memory, block moves, waiting. Phoenix, "System BIOS", chapters 7 to 9 and
 * 12; memory map: ACPI specification 6.3, 15.1.
 */

import type { MemoryRange } from "../boot/memory-range.ts";
import type { Clock } from "../clock.ts";
import { Bda, type BiosMemory } from "./bios-memory.ts";
import type { BiosCall, CallRegisters } from "./bios-processor.ts";
import { CONFIGURATION_TABLE_OFFSET, ROM_SEGMENT } from "./rom.ts";

const UNSUPPORTED = 0x86;
const MEBIBYTE = 2 ** 20;
const SMAP = 0x534d4150;
const E820_ENTRY_BYTES = 20;
const E820_ENTRY_BYTES_ACPI = 24;
/** 88h cannot tell of more, and some programs take it for signed. */
const MOST_88_KIB = 0xfc00;
/** E801h: KiB between 1 MiB and 16 MiB, then pieces of 64 KiB. */
const E801_FIRST_KIB = 15 * 1024;
const SIXTEEN_MEBIBYTES = 16 * MEBIBYTE;
/** Waits shorter than a tick of the timer are waited out by asking again and again. */
const TICK_NS = 55_000_000;

export interface SystemServicesOptions {
  readonly memory: BiosMemory;
  readonly memoryMap: readonly MemoryRange[];
  readonly ramSize: number;
  readonly clock: Clock;
  /** APM's "off". */
  readonly powerOff: () => void;
}

export class SystemServices {
  /** When the wait under way (86h) ends. */
  waitUntil = 0;
  private readonly memory: BiosMemory;

  constructor(private readonly options: SystemServicesOptions) {
    this.memory = options.memory;
  }

  equipment(call: BiosCall): void {
    call.registers.ax = this.memory.u16(Bda.EQUIPMENT);
  }

  memorySize(call: BiosCall): void {
    call.registers.ax = this.memory.u16(Bda.MEMORY_KIB);
  }

  /** @returns whether the caller has to wait: it goes on at the service "system-wait" */
  serve(call: BiosCall): boolean {
    const { registers } = call;
    call.setCarry(false);
    switch (registers.ah) {
      case 0x24:
        this.addressLine20(call);
        return false;
      case 0x4f: // keyboard intercept: the code goes on
        call.setCarry(true);
        return false;
      case 0x53:
        this.powerManagement(call);
        return false;
      case 0x86:
        this.waitUntil =
          this.options.clock.now() +
          ((registers.cx << 16) + registers.dx + (registers.cx >= 0x8000 ? 2 ** 32 : 0)) * 1000;
        return true;
      case 0x87:
        this.moveBlock(call);
        return false;
      case 0x88:
        registers.ax = Math.min(Math.max(0, this.options.ramSize - MEBIBYTE) / 1024, MOST_88_KIB);
        return false;
      case 0x90: // a device is busy; a device is ready
      case 0x91:
        registers.ah = 0;
        return false;
      case 0xc0:
        registers.processor.setSegment("es", ROM_SEGMENT);
        registers.bx = CONFIGURATION_TABLE_OFFSET;
        registers.ah = 0;
        return false;
      case 0xc1:
        registers.processor.setSegment("es", this.memory.u16(Bda.EBDA_SEGMENT));
        return false;
      case 0xe8:
        this.extendedMemory(call);
        return false;
      default:
        this.refuse(call);
        return false;
    }
  }

  /** @returns whether the wait goes on */
  continueWait(call: BiosCall): boolean {
    const left = this.waitUntil - this.options.clock.now();
    if (left <= 0) {
      call.setCarry(false);
      return false;
    }
    if (left > TICK_NS) call.waitForInterrupt();
    else call.again();
    return true;
  }

  private refuse(call: BiosCall): void {
    call.registers.ah = UNSUPPORTED;
    call.setCarry(true);
  }

  /** The line is always on. */
  private addressLine20(call: BiosCall): void {
    const { registers } = call;
    switch (registers.al) {
      case 0x01: // enable
        registers.ah = 0;
        return;
      case 0x02: // status: on
        registers.ax = 0x0001;
        return;
      case 0x03: // by keyboard controller and by port 92H
        registers.ah = 0;
        registers.bx = 3;
        return;
      default:
        this.refuse(call);
    }
  }

  /** APM BIOS specification 1.2: enough to be switched off. */
  private powerManagement(call: BiosCall): void {
    const { registers } = call;
    const [OFF, ALL_DEVICES, APM_MINOR] = [3, 1, 2];
    switch (registers.al) {
      case 0x00: // installation check
        registers.ax = 0x0100 | APM_MINOR;
        registers.bx = 0x504d; // "PM"
        registers.cx = 0; // no protected mode interfaces
        return;
      case 0x01: // connect, disconnect, driver version, engage
      case 0x04:
      case 0x08:
      case 0x0f:
        return;
      case 0x0e:
        registers.ax = 0x0100 | APM_MINOR;
        return;
      case 0x07:
        if (registers.bx === ALL_DEVICES && registers.cx === OFF) this.options.powerOff();
        return;
      default:
        this.refuse(call);
    }
  }

  /** 87h: CX words, between addresses in descriptors of a table at ES:SI (third the source, fourth the target). */
  private moveBlock(call: BiosCall): void {
    const { registers } = call;
    const table = registers.at("es", registers.si);
    const base = (descriptor: number): number => {
      const low = this.memory.u32(table + 8 * descriptor + 2) & 0xffffff;
      return (low | (this.memory.u8(table + 8 * descriptor + 7) << 24)) >>> 0;
    };
    const [SOURCE, TARGET] = [2, 3];
    const MOST_WORDS = 0x8000;
    if (registers.cx > MOST_WORDS) {
      registers.ah = 2;
      call.setCarry(true);
      return;
    }
    this.memory.write(base(TARGET), this.memory.read(base(SOURCE), 2 * registers.cx));
    registers.ah = 0;
    call.setZero(true);
  }

  private extendedMemory(call: BiosCall): void {
    const { registers } = call;
    if (registers.al === 0x20) {
      this.addressMap(call, registers);
      return;
    }
    if (registers.al === 0x01) {
      const { ramSize } = this.options;
      const low = Math.min(Math.max(0, ramSize - MEBIBYTE) / 1024, E801_FIRST_KIB);
      const high = Math.max(0, ramSize - SIXTEEN_MEBIBYTES) / 65536;
      registers.ax = low;
      registers.bx = high;
      registers.cx = low;
      registers.dx = high;
      return;
    }
    this.refuse(call);
  }

  /** E820h: one range of the map in each call; EBX says which one comes next, 0 that there is none. */
  private addressMap(call: BiosCall, registers: CallRegisters): void {
    const { processor } = registers;
    const { memoryMap } = this.options;
    const index = processor.get32("bx");
    const room = processor.get32("cx");
    if (processor.get32("dx") !== SMAP || index >= memoryMap.length || room < E820_ENTRY_BYTES) {
      this.refuse(call);
      return;
    }
    const { start, length, type } = memoryMap[index];
    const entry = new Uint8Array(Math.min(room, E820_ENTRY_BYTES_ACPI) < E820_ENTRY_BYTES_ACPI ? 20 : 24);
    const view = new DataView(entry.buffer);
    view.setBigUint64(0, BigInt(start), true);
    view.setBigUint64(8, BigInt(length), true);
    view.setUint32(16, type, true);
    if (entry.length > E820_ENTRY_BYTES) view.setUint32(20, 1, true); // ACPI 3.0 attributes: not to be ignored
    this.memory.write(registers.at("es", registers.di), entry);
    processor.set32("ax", SMAP);
    processor.set32("cx", entry.length);
    processor.set32("bx", index + 1 < memoryMap.length ? index + 1 : 0);
  }
}
