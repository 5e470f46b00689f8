/** A processor of a whole PC with RAM, a console at port E9H and an exit at port F4H: for tests. */

import { Cpu } from "../../cpu.ts";
import type { SystemEngine } from "../../engine.ts";
import { generateInterpreter } from "../../engines/interp/build.ts";
import { InterpreterEngine } from "../../engines/interp/engine.ts";
import type { InterpreterCode } from "../../engines/interp/parts.ts";
import { RegionCompiler } from "../../engines/jit/compiler.ts";
import { JitEngine } from "../../engines/jit/engine.ts";
import { COMPILE_ALL, COMPILE_ALL_FIRST } from "../../engines/testing/machine.ts";
import { Register, Segment } from "../../state.ts";
import { SystemProcessor } from "../processor.ts";
import { SystemState } from "../system-state.ts";
import { barePlatform } from "./bare-platform.ts";

const CONSOLE = 0xe9;
const EXIT = 0xf4;
/** Raises the interrupt that is written. */
const INTERRUPT = 0xf5;
export const REAL_CODE = 0x7c00;
export const REAL_STACK = 0x7000;
const RAM_SIZE = 16 << 20;
/** Where multiboot images of the tests are loaded. */
const IMAGE = 0x100000;
const SLICE = 100_000;

const bytes = (code: string): number[] => code.split(" ").map((byte) => Number.parseInt(byte, 16));

/** The engines that whole systems are tested on. */
export const SYSTEM_ENGINES = ["interp", "interp, pairs", "jit", "jit, first tier"] as const;
export type SystemTestEngine = (typeof SYSTEM_ENGINES)[number];

let compiled: { readonly long: InterpreterCode; readonly legacy: InterpreterCode } | undefined;

export class SystemMachine {
  readonly cpu: Cpu;
  readonly system: SystemState;
  readonly processor: SystemProcessor;
  readonly engine: SystemEngine;
  output = "";
  /** The interrupt that waits, or -1. */
  private vector = -1;
  exitCode: number | undefined;

  /** @param code the interpreter, if it need not be generated */
  constructor(
    engine: SystemTestEngine = "interp",
    code?: { readonly long: InterpreterCode; readonly legacy: InterpreterCode },
  ) {
    compiled ??= code ?? {
      long: generateInterpreter("long"),
      legacy: generateInterpreter("legacy"),
    };
    const platform = barePlatform({
      bus: {
        readPort: (port, size) => (port === CONSOLE ? CONSOLE : 2 ** (8 * size) - 1),
        writePort: (port, _size, value) => this.writePort(port, value),
        readMemory: (_address, size) => 2 ** (8 * size) - 1,
        writeMemory: () => undefined,
      },
      acknowledgeInterrupt: () => this.acknowledge(),
    });
    this.cpu = new Cpu({
      ramSize: RAM_SIZE,
      views: 2,
      host: { timeStampCounter: () => this.processor.instructionsExecuted, random: (bytes) => bytes.fill(0) },
    });
    this.system = new SystemState(this.cpu, platform);
    const { long, legacy } = compiled;
    const loadLegacy = () => legacy;
    const options = engine === "interp, pairs" ? { loadLegacy, pairsAfter: 0 } : { loadLegacy };
    if (engine === "interp" || engine === "interp, pairs")
      this.engine = new InterpreterEngine(this.cpu, long, options);
    else {
      const thresholds = engine === "jit" ? COMPILE_ALL : COMPILE_ALL_FIRST;
      this.engine = new JitEngine(this.cpu, long, (host) => new RegionCompiler(host), thresholds, options);
    }
    this.processor = new SystemProcessor(this.cpu, this.system, this.engine);
  }

  /** Raises an interrupt; it is withdrawn when it is acknowledged. */
  interrupt(vector: number): void {
    this.vector = vector;
    this.system.setInterruptPin(true);
  }

  private acknowledge(): number {
    const { vector } = this;
    this.vector = -1;
    this.system.setInterruptPin(false);
    return vector;
  }

  /** Starts real-mode code (in hexadecimal) at 0000:7C00 with the stack below 7000. */
  loadReal(code: string): void {
    const { cpu, system } = this;
    system.reset();
    cpu.ram.set(bytes(code), REAL_CODE);
    system.setSegment(Segment.CS, { ...system.segments[Segment.CS], selector: 0, base: 0 });
    system.updateMode();
    cpu.rip = REAL_CODE;
    cpu.setGpr(Register.RSP, REAL_STACK);
  }

  /** Has an interrupt handled by real-mode code. */
  setHandler(vector: number, code: string): void {
    const { ram } = this.cpu;
    const address = 0x600 + vector * 16;
    ram.set(bytes(code), address);
    ram.set([address & 0xff, address >> 8, 0, 0], vector * 4);
  }

  private writePort(port: number, value: number): void {
    if (port === CONSOLE) this.output += String.fromCharCode(value & 0xff);
    else if (port === INTERRUPT) this.interrupt(value & 0xff);
    else if (port === EXIT) {
      this.exitCode = value * 2 + 1;
      this.processor.endSlice();
    }
  }

  /** Loads a multiboot image and starts it as a boot loader does: 32-bit protected mode, flat segments, no paging. */
  loadMultiboot(image: Uint8Array): void {
    const { cpu, system } = this;
    cpu.ram.set(image, IMAGE);
    system.reset();
    const view = new DataView(image.buffer, image.byteOffset, image.length);
    const header = [0, 4, 8, 12, 16].find((offset) => view.getUint32(offset, true) === 0x1badb002) ?? 0;
    system.cr0 = 0x11;
    for (const segment of [Segment.ES, Segment.SS, Segment.DS, Segment.FS, Segment.GS])
      system.setSegment(segment, { selector: 0x10, base: 0, limit: 0xffffffff, rights: 0x00c09300 });
    system.setSegment(Segment.CS, { selector: 8, base: 0, limit: 0xffffffff, rights: 0x00c09b00 });
    system.updatePaging();
    system.updateMode();
    cpu.setGpr(Register.RAX, 0x2badb002);
    cpu.rip = view.getUint32(header + 28, true);
  }

  /** Loads a test image and starts it at `body`, in long mode, with the page tables that start.inc makes. */
  loadLong(image: Uint8Array): void {
    this.loadMultiboot(image);
    const { cpu, system } = this;
    const view = new DataView(cpu.ram.buffer);
    view.setUint32(0x1000, 0x2007, true);
    view.setUint32(0x2000, 0x3007, true);
    for (let page = 0; page < 512; page++) view.setUint32(0x3000 + page * 8, page * 0x200000 + 0x87, true);
    system.cr0 = 0x80010033 | 0;
    system.cr3 = 0x1000;
    system.cr4 = 0x6a0;
    system.efer = 0xd01;
    system.setSegment(Segment.CS, { selector: 0x18, base: 0, limit: 0xffffffff, rights: 0x00a09b00 });
    const align8 = (value: number) => (value + 7) & ~7;
    const header = [0, 4, 8, 12, 16].find((at) => view.getUint32(IMAGE + at, true) === 0x1badb002) ?? 0;
    cpu.rip = view.getUint32(IMAGE + align8(header + 32), true);
    cpu.setGpr(Register.RSP, 0x90000);
    const gdt = image.findIndex(
      (_, at) => at % 16 === 0 && view.getUint32(IMAGE + at + 12, true) === 0x00cf9b00,
    );
    system.gdtr.base = IMAGE + gdt;
    system.gdtr.limit = 0x67;
    system.updatePaging();
    system.updateMode();
  }

  /** Runs until the image exits, stops for good, or has used up its instructions. @returns what it printed */
  run(instructions = 10_000_000): string {
    for (let left = instructions; left > 0 && this.exitCode === undefined; left -= SLICE) {
      const reason = this.processor.run(SLICE);
      if (reason === "halt" || reason === "shutdown") return `${this.output}[${reason}]\n`;
    }
    return this.output;
  }
}
