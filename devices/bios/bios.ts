/**
 * The BIOS of our PC. Its code in segment F000H is a few stubs (rom.ts); their OUT instructions call the services here,
 * which see the caller's registers and the machine's buses. The machine's run loop asks {@link Bios.serve} for what is to
 * be done between two stretches of execution, so that a service may wait for the host.
 */

import type { MemoryRange } from "../boot/memory-range.ts";
import type { AccessSize, Bus, PortDevice } from "../bus.ts";
import type { Clock } from "../clock.ts";
import type { GuestMemory } from "../guest-memory.ts";
import type { I8042 } from "../i8042.ts";
import { type Saveable, type SavedState, StateReader } from "../saved-state.ts";
import type { BlockBackend } from "../storage/block-backend.ts";
import { BlockError } from "../storage/block-backend.ts";
import type { Uart16550 } from "../uart16550.ts";
import { BiosMemory } from "./bios-memory.ts";
import { type BiosCall, type BiosProcessor, CallRegisters, ReturnFlag } from "./bios-processor.ts";
import { DiskServices } from "./disk-services.ts";
import { Drives, hasBootSignature } from "./drive.ts";
import { KeyboardServices } from "./keyboard-services.ts";
import { PciServices } from "./pci-services.ts";
import { setUpMachine } from "./power-on.ts";
import {
  BIOS_CALL_PORT,
  type BiosService,
  ROM_SEGMENT,
  SYSTEM_WAIT_OFFSET,
  serviceBefore,
  WAIT_DISTANCE,
} from "./rom.ts";
import { SerialServices } from "./serial-services.ts";
import { SystemServices } from "./system-services.ts";
import { nextKey } from "./terminal-keys.ts";
import { TerminalScreen } from "./terminal-screen.ts";
import { TimeServices } from "./time-services.ts";
import { COLUMNS, VideoServices } from "./video-services.ts";

export interface BiosOptions {
  readonly memory: GuestMemory;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly keyboard: I8042;
  readonly uart: Uart16550;
  readonly disks: readonly BlockBackend[];
  readonly memoryMap: readonly MemoryRange[];
  /** What programs write to the screen, until they drive the serial port themselves. */
  readonly transmit: (byte: number) => void;
  /** The keyboard would take a key now. */
  readonly keyWanted: () => void;
  /** A service has been called: the processor is to stop behind the instruction. */
  readonly called: () => void;
  readonly stop: (reason: { kind: "power-off" } | { kind: "no-boot-device"; why: string }) => void;
}

/** A key of a terminal has at most this many bytes. */
const LONGEST_KEY = 7;
const STACK_FLAGS = 4;
/** The word that tells boot sectors of a BIOS with plug and play where there is one. */
const BOOT_MAGIC = 0xaa55;

export class Bios implements PortDevice, Saveable {
  private readonly memory: BiosMemory;
  private readonly screen: TerminalScreen;
  private readonly video: VideoServices;
  private readonly disks: DiskServices;
  private readonly system: SystemServices;
  private readonly keyboard: KeyboardServices;
  private readonly time: TimeServices;
  private readonly pci: PciServices;
  private readonly serial: SerialServices;
  private drives: Drives | undefined;
  private isCalled = false;

  constructor(private readonly options: BiosOptions) {
    const { bus, clock } = options;
    const memory = new BiosMemory(options.memory);
    this.memory = memory;
    const encoder = new TextEncoder();
    this.screen = new TerminalScreen((text) => {
      for (const byte of encoder.encode(text)) options.transmit(byte);
    }, COLUMNS);
    this.video = new VideoServices(memory, this.screen, () => !options.uart.isConfigured);
    this.disks = new DiskServices(memory, () => this.drives);
    this.system = new SystemServices({
      memory,
      memoryMap: options.memoryMap,
      ramSize: options.memory.size,
      clock,
      powerOff: () => options.stop({ kind: "power-off" }),
    });
    this.keyboard = new KeyboardServices(memory, {
      readCode: () => bus.readPort(0x60, 1),
      wanted: () => this.askForKey(),
    });
    this.time = new TimeServices(memory, bus);
    this.pci = new PciServices(bus);
    this.serial = new SerialServices(bus);
    bus.mapPorts(BIOS_CALL_PORT, 1, this);
  }

  /**
   * Finds the machine's drives.
   * @param subject the first disk, as the person named it
   * @throws BootError if it cannot be booted
   */
  async findDrives(subject: string): Promise<void> {
    this.drives = await Drives.open(subject, this.options.disks);
  }

  reset(): void {
    this.isCalled = false;
    this.disks.status = 0;
    this.system.waitUntil = 0;
  }

  /** After power-on of the devices: ROM and low memory are filled; the processor is to begin at F000:FFF0. */
  setUp(): void {
    setUpMachine(this.memory, this.options.bus, {
      hardDisks: this.drives?.hardDisks ?? 0,
      diskettes: this.drives?.diskettes ?? 0,
    });
    this.video.reset();
    this.time.setTicksFromClock();
  }

  readPort(_offset: number, size: AccessSize): number {
    return 2 ** (8 * size) - 1;
  }

  writePort(): void {
    this.isCalled = true;
    this.options.called();
  }

  // ---- keys from the terminal ----

  /** Is the keyboard what the terminal's keys go to? */
  get hasTerminal(): boolean {
    return !this.options.uart.isConfigured;
  }

  /**
   * Bytes from the terminal.
   * @returns how many have been taken: a key at a time, so that the serial port gets the rest if the guest drives it later
   */
  type(bytes: Uint8Array): number {
    if (!this.keyboard.isEmpty || !this.options.keyboard.isIdle || bytes.length === 0) return 0;
    const key = nextKey(bytes.subarray(0, LONGEST_KEY));
    for (const code of key.codes) this.options.keyboard.type(code);
    return key.length;
  }

  private askForKey(): void {
    if (this.hasTerminal && this.keyboard.isEmpty && this.options.keyboard.isIdle) this.options.keyWanted();
  }

  // ---- calls ----

  /** Serves the call that the processor has just made, if it has made one. */
  serve(processor: BiosProcessor): void | Promise<void> {
    if (!this.isCalled) return;
    this.isCalled = false;
    if (!processor.isRealMode) return;
    const service = serviceBefore(processor.nextAddress);
    if (service !== undefined) return this.carryOut(service, processor);
  }

  private carryOut(service: BiosService, processor: BiosProcessor): void | Promise<void> {
    const call = this.call(processor);
    switch (service) {
      case "power-on":
      case "bootstrap":
        return this.boot(processor);
      case "no-boot-device":
        this.options.stop({ kind: "no-boot-device", why: "the boot sector has given up (INT 18h)" });
        return;
      case "video":
        this.video.serve(call);
        return;
      case "equipment":
        this.system.equipment(call);
        return;
      case "memory-size":
        this.system.memorySize(call);
        return;
      case "disk":
        return this.disks.serve(call);
      case "serial":
        this.serial.serve(call);
        return;
      case "printer":
        this.serial.printer(call);
        return;
      case "system":
        if (this.system.serve(call)) processor.jump(ROM_SEGMENT, SYSTEM_WAIT_OFFSET);
        return;
      case "system-wait":
        this.system.continueWait(call);
        return;
      case "keyboard":
        this.video.showCursor();
        this.keyboard.serve(call);
        return;
      case "keyboard-interrupt":
        this.keyboard.interrupt();
        return;
      case "time":
        if (call.registers.ah === 0xb1) this.pci.serve(call);
        else if (!this.time.serve(call)) call.setCarry(true);
        return;
      case "timer-tick":
        this.time.tick();
        this.askForKey();
        return;
    }
  }

  private call(processor: BiosProcessor): BiosCall {
    const registers = new CallRegisters(processor);
    const flags = processor.base("ss") + ((processor.get16("sp") + STACK_FLAGS) & 0xffff);
    const setFlag = (flag: number, value: boolean) => {
      const before = this.memory.u16(flags);
      this.memory.putU16(flags, value ? before | flag : before & ~flag);
    };
    const here = processor.nextAddress - ROM_SEGMENT * 16;
    return {
      registers,
      setCarry: (value) => setFlag(ReturnFlag.Carry, value),
      setZero: (value) => setFlag(ReturnFlag.Zero, value),
      waitForInterrupt: () => processor.jump(ROM_SEGMENT, here + WAIT_DISTANCE),
      again: () => processor.jump(ROM_SEGMENT, here - 2),
    };
  }

  /** INT 19h: loads what is to be booted and goes there. */
  private async boot(processor: BiosProcessor): Promise<void> {
    const choice = this.drives?.boot;
    if (choice === undefined) return this.fail("there is no disk");
    const bytes = new Uint8Array(choice.length);
    try {
      await choice.drive.backend.read(choice.offset, bytes);
    } catch (error) {
      if (error instanceof BlockError) return this.fail(error.message);
      throw error;
    }
    if (choice.catalog === undefined && !hasBootSignature(bytes))
      return this.fail("the disk has no boot signature (55 AA at the end of its first sector) any more");
    this.memory.write(choice.segment * 16, bytes);
    for (const register of ["cx", "bx", "bp", "si", "di"] as const) processor.set32(register, 0);
    processor.set32("ax", BOOT_MAGIC);
    processor.set32("dx", choice.drive.number);
    for (const segment of ["ds", "es", "ss"] as const) processor.setSegment(segment, 0);
    processor.set32("sp", 0x7c00);
    // Boot sectors begin at 0000:7C00, not 07C0:0000: some rely on it.
    if (choice.segment === 0x7c0) processor.jump(0, 0x7c00);
    else processor.jump(choice.segment, 0);
    processor.enableInterrupts();
  }

  private fail(why: string): void {
    this.options.stop({ kind: "no-boot-device", why });
  }

  save(): SavedState {
    const { row, column } = this.screen.position;
    return {
      version: 1,
      isCalled: this.isCalled,
      diskStatus: this.disks.status,
      waitUntil: this.system.waitUntil,
      row,
      column,
    };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("the BIOS", saved, 1);
    this.isCalled = state.boolean("isCalled");
    this.disks.status = state.u8("diskStatus");
    this.system.waitUntil = state.time("waitUntil");
    this.screen.reset();
    this.screen.position.row = state.integer("row", 24);
    this.screen.position.column = state.integer("column", COLUMNS - 1);
  }
}
