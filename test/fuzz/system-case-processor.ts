/**
 * Cases in user mode of a whole PC: page tables, descriptors and gates are in its RAM as Linux has them, exceptions are
 * delivered, single steps are the processor's own. Every handler is a HLT; what is compared is what the gate has pushed.
 */

import { Cpu } from "../../cpu/cpu.ts";
import type { SystemEngine } from "../../cpu/engine.ts";
import { Flag, Register, Segment, Vector } from "../../cpu/state.ts";
import { Cr0, Cr4, Efer } from "../../cpu/system/control-bits.ts";
import { SystemProcessor } from "../../cpu/system/processor.ts";
import { SystemState } from "../../cpu/system/system-state.ts";
import { barePlatform } from "../../cpu/system/testing/bare-platform.ts";
import { PAGE_SIZE } from "../../mmu/translator.ts";
import { REGIONS, SNAPSHOT_SIZE, snapshotOffset } from "./arena.ts";
import { Outcome } from "./case.ts";
import { type CaseProcessor, type Ending, hasErrorCode, shownFaultCode } from "./case-processor.ts";

const RAM_SIZE = 0x4_0000;

/** The kernel's memory: one page after the other, from here in RAM and from here in its addresses. */
const KERNEL_RAM = 0x2_0000;
const KERNEL_ADDRESS = -0x8000_0000;
const TABLES = 0;
const HANDLERS = 1;
const STACK = 2;
const KERNEL_PAGES = 3;
/** Offsets in the page of tables. */
const GDT = 0;
const TSS = 0x200;
const IDT = 0x400;
/** The handler of a vector is the HLT at this offset plus the vector; behind them is that of SYSCALL. */
const SYSCALL_HANDLER = 256;

/** Page tables: a root, then whatever is needed. */
const ROOT = 0x1_0000;
const Entry = { P: 1, RW: 2, US: 4 } as const;
const NO_EXECUTE = 1n << 63n;

/** Linux's GDT as far as selectors of cases find it (arch/x86/kernel/cpu/common.c, gdt_page), and its size. */
const DESCRIPTORS: Readonly<Record<number, bigint>> = {
  8: 0x00cf9b000000ffffn,
  16: 0x00af9b000000ffffn,
  24: 0x00cf93000000ffffn,
  32: 0x00cffb000000ffffn,
  40: 0x00cff3000000ffffn,
  48: 0x00affb000000ffffn,
  120: 0x0040f50000000000n,
};
const GDT_LIMIT = 0x7f;
const KERNEL_CS = 0x10;
const USER_DS = 0x2b;
const USER_CS = 0x33;
/** As Linux sets IA32_FMASK: all but what has no meaning (syscall_init). */
const SYSCALL_MASK =
  Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.TF | Flag.IF | Flag.DF | Flag.OF | Flag.NT | Flag.AC;
const USER_RIGHTS = { code: 0x00affb00, data: 0x00cff300 };
const NULL_SEGMENT = { selector: 0, base: 0, limit: 0, rights: 0 };

/** Of a 64-bit interrupt gate, present (SDM vol. 3, figure 6-8); INT3 and INTO may come from privilege level 3. */
const INTERRUPT_GATE = 0x8e00;
const OPEN_TO_USERS = 0x6000;

export class SystemCaseProcessor implements CaseProcessor {
  readonly cpu: Cpu;
  readonly engine: SystemEngine;
  private readonly system: SystemState;
  private readonly processor: SystemProcessor;
  private readonly memory: DataView;
  private nextTable = ROOT + PAGE_SIZE;

  constructor(createEngine: (cpu: Cpu) => SystemEngine) {
    this.cpu = new Cpu({
      ramSize: RAM_SIZE,
      views: 2,
      host: { timeStampCounter: () => 0, random: (bytes) => bytes.fill(0) },
    });
    this.memory = new DataView(this.cpu.memory.buffer, 0, RAM_SIZE);
    this.system = new SystemState(this.cpu, barePlatform());
    this.engine = createEngine(this.cpu);
    this.processor = new SystemProcessor(this.cpu, this.system, this.engine);
    this.mapMemory();
    this.makeTables();
    this.enterLongMode();
  }

  // ---- what an operating system sets up ----

  private mapMemory(): void {
    for (const { address, size, writable, executable } of REGIONS) {
      for (let page = address; page < address + size; page += PAGE_SIZE) {
        const rights = Entry.P | Entry.US | (writable ? Entry.RW : 0);
        const entry = BigInt(snapshotOffset(page) | rights) | (executable ? 0n : NO_EXECUTE);
        this.memory.setBigUint64(this.tableEntry(page), entry, true);
      }
    }
    for (let page = 0; page < KERNEL_PAGES; page++) {
      const entry = BigInt((KERNEL_RAM + page * PAGE_SIZE) | Entry.P | Entry.RW);
      this.memory.setBigUint64(this.tableEntry(KERNEL_ADDRESS + page * PAGE_SIZE), entry, true);
    }
    if (this.nextTable > KERNEL_RAM || SNAPSHOT_SIZE > ROOT) throw new Error("RAM is too small");
  }

  /** Where the entry of a page is, in tables that lead there. */
  private tableEntry(address: number): number {
    const index = (shift: bigint) => Number((BigInt.asUintN(48, BigInt(address)) >> shift) & 511n);
    let table = ROOT;
    for (const shift of [39n, 30n, 21n]) {
      const at = table + 8 * index(shift);
      if (this.memory.getUint32(at, true) === 0) {
        this.memory.setUint32(at, this.nextTable | Entry.P | Entry.RW | Entry.US, true);
        this.nextTable += PAGE_SIZE;
      }
      table = this.memory.getUint32(at, true) & -PAGE_SIZE;
    }
    return table + 8 * index(12n);
  }

  private makeTables(): void {
    const { memory, cpu } = this;
    const tables = KERNEL_RAM + TABLES * PAGE_SIZE;
    for (const [offset, descriptor] of Object.entries(DESCRIPTORS))
      memory.setBigUint64(tables + GDT + Number(offset), descriptor, true);
    // RSP0 (SDM vol. 3, figure 8-11).
    memory.setBigInt64(tables + TSS + 4, BigInt(KERNEL_ADDRESS + (STACK + 1) * PAGE_SIZE), true);
    for (let vector = 0; vector < 32; vector++) {
      const gate = tables + IDT + 16 * vector;
      const target = this.handlerAddress(vector);
      const isOpen = vector === Vector.BP || vector === Vector.OF;
      memory.setUint32(gate, (KERNEL_CS << 16) | (target & 0xffff), true);
      memory.setUint32(gate + 4, (target & 0xffff0000) | INTERRUPT_GATE | (isOpen ? OPEN_TO_USERS : 0), true);
      memory.setInt32(gate + 8, Math.floor(target / 2 ** 32), true);
    }
    const handlers = KERNEL_RAM + HANDLERS * PAGE_SIZE;
    cpu.ram.fill(0xf4, handlers, handlers + PAGE_SIZE);
  }

  private handlerAddress(number: number): number {
    return KERNEL_ADDRESS + HANDLERS * PAGE_SIZE + number;
  }

  private enterLongMode(): void {
    const { system, cpu } = this;
    const tables = KERNEL_ADDRESS + TABLES * PAGE_SIZE;
    system.cr0 = Cr0.PE | Cr0.MP | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.PG;
    system.cr3 = ROOT;
    system.cr4 =
      Cr4.PAE | Cr4.PGE | Cr4.OSFXSR | Cr4.OSXMMEXCPT | Cr4.UMIP | Cr4.FSGSBASE | Cr4.OSXSAVE | Cr4.SMEP;
    system.efer = Efer.SCE | Efer.LME | Efer.LMA | Efer.NXE;
    system.xcr0 = cpu.model.xcr0;
    Object.assign(system.gdtr, { base: tables + GDT, limit: GDT_LIMIT });
    Object.assign(system.idtr, { base: tables + IDT, limit: 32 * 16 - 1 });
    Object.assign(system.ldtr, NULL_SEGMENT);
    Object.assign(system.tr, { ...system.tr, selector: 0x40, base: tables + TSS, limit: 0x67 });
    system.model.star = BigInt(KERNEL_CS) << 32n;
    system.model.lstar = this.handlerAddress(SYSCALL_HANDLER);
    system.model.syscallMask = SYSCALL_MASK;
    system.updatePaging();
    this.begin();
  }

  // ---- cases ----

  begin(): void {
    const { system } = this;
    system.halted = false;
    system.debug[6] = 0xffff0ff0;
    this.enterUserMode();
    for (const segment of [Segment.ES, Segment.DS, Segment.FS, Segment.GS])
      system.setSegment(segment, NULL_SEGMENT);
  }

  private enterUserMode(): void {
    const { system } = this;
    const flat = { base: 0, limit: 0xffffffff };
    system.setSegment(Segment.CS, { ...flat, selector: USER_CS, rights: USER_RIGHTS.code });
    system.setSegment(Segment.SS, { ...flat, selector: USER_DS, rights: USER_RIGHTS.data });
    system.setPrivilege(3);
    system.updateMode();
  }

  run(budget: number): Ending | undefined {
    const { cpu, system } = this;
    const reason = this.processor.run(budget);
    if (reason === "budget" && system.cpl === 3) return undefined;
    // The handler may have been entered, but not executed yet.
    if (!system.halted) this.processor.run(1);
    if (!system.halted) throw new Error(`no handler was entered (${reason})`);
    const number = cpu.rip - 1 - this.handlerAddress(0);
    const ending = number === SYSCALL_HANDLER ? this.leaveSystemCall() : this.leaveHandler(number);
    system.halted = false;
    return ending;
  }

  private leaveSystemCall(): Ending {
    const { cpu } = this;
    this.enterUserMode();
    cpu.rip = cpu.gpr(Register.RCX);
    cpu.rflags = cpu.gpr(Register.R11);
    return { vector: Outcome.SystemCall, error: 0, address: 0n };
  }

  /** Undoes what the gate has done. */
  private leaveHandler(vector: number): Ending {
    const { cpu, system, memory } = this;
    let at = KERNEL_RAM + cpu.gpr(Register.RSP) - KERNEL_ADDRESS;
    const word = (): bigint => {
      at += 8;
      return memory.getBigInt64(at - 8, true);
    };
    const errorCode = hasErrorCode(vector) ? Number(word()) : 0;
    const rip = Number(word());
    word(); // CS
    const rflags = Number(word());
    const rsp = word();
    this.enterUserMode();
    cpu.rip = rip;
    cpu.rflags = rflags;
    cpu.setGpr64(Register.RSP, rsp);
    const isPageFault = vector === Vector.PF;
    return {
      vector,
      error: isPageFault ? shownFaultCode(system.cr2, errorCode) : errorCode,
      address: isPageFault ? BigInt.asUintN(64, BigInt(system.cr2)) : 0n,
    };
  }
}
