/**
 * The registers of system software (Intel SDM vol. 3, chapter 2) besides those in the state struct, and what follows from
 * them: how addresses are translated, and in which mode code is executed.
 */

import { pageFault } from "../../mmu/mmu.ts";
import { createPagingState, PageTableWalker, type PagingState } from "../../mmu/page-table-walker.ts";
import { Access, PAGE_SIZE, type Translation } from "../../mmu/translator.ts";
import type { Platform } from "../bus.ts";
import type { Cpu } from "../cpu.ts";
import type { SystemEngine } from "../engine.ts";
import { GuestException } from "../helpers.ts";
import {
  CPL,
  FLAGS_OTHER,
  Flag,
  INTERRUPT_REQUEST,
  KERNEL_GS_BASE,
  MODE_KEY,
  Register,
  Segment,
  SHADOW_RIP,
  Vector,
} from "../state.ts";
import { Cr0, Cr4, Efer } from "./control-bits.ts";
import { applyBreakpoints, type PortBreakpoint } from "./debug-registers.ts";
import type { Event } from "./event.ts";
import { type ExecutionMode, ExecutionModes, Restriction, USER_CODE_MODE } from "./execution-mode.ts";
import { createModelRegisters } from "./model-registers.ts";
import { Rights, type SegmentRegister } from "./segment.ts";
import { guardOf, SegmentChecks, type SegmentUse } from "./segment-checks.ts";
import { systemFeatures } from "./system-model.ts";

export interface TableRegister {
  base: number;
  limit: number;
}

const NULL_SEGMENT: SegmentRegister = { selector: 0, base: 0, limit: 0, rights: 0 };
/** Present, writable, accessed data. */
const RESET_DATA = Rights.P | Rights.S | Rights.WritableOrReadable | Rights.Accessed;
const CANONICAL_LIMIT = 0x800000000000;

export class SystemState {
  cr0 = 0;
  cr2 = 0;
  cr3 = 0;
  cr4 = 0;
  efer = 0;
  xcr0 = 1;
  readonly gdtr: TableRegister = { base: 0, limit: 0xffff };
  readonly idtr: TableRegister = { base: 0, limit: 0xffff };
  readonly ldtr: SegmentRegister = { ...NULL_SEGMENT };
  readonly tr: SegmentRegister = { ...NULL_SEGMENT };
  /** In encoding order. */
  readonly segments: SegmentRegister[] = Array.from({ length: 6 }, () => ({ ...NULL_SEGMENT }));
  private readonly checks = new SegmentChecks(this.segments);
  /** DR0…DR3, DR6, DR7 at their numbers. */
  readonly debug = [0, 0, 0, 0, 0, 0, 0, 0];
  /** Breakpoints on ports that they ask for. */
  portBreakpoints: readonly PortBreakpoint[] = [];
  /** Model-specific registers that only WRMSR and RDMSR know. */
  readonly model = createModelRegisters();
  /** One NMI waits; NMIs are blocked until IRET. */
  nmiPending = false;
  nmiBlocked = false;
  halted = false;
  /** Raised behind the instruction under way: by INTO, or in the task that it has switched to. */
  afterInstruction: Event | undefined;
  /** The INTR pin. */
  private interruptPin = false;
  mode: ExecutionMode;
  readonly paging: PagingState;
  readonly walker: PageTableWalker;
  engine: SystemEngine | undefined;
  /** Instructions of the opcode tables that need another one raise #UD. */
  readonly features: ReadonlySet<string>;
  private readonly modes = new ExecutionModes();
  private readonly translation: Translation = { physicalPage: 0, rights: 0, errorCode: 0, attributes: 0 };
  private readonly bytes: DataView;

  constructor(
    readonly cpu: Cpu,
    readonly platform: Platform,
  ) {
    this.features = systemFeatures(cpu.model);
    this.paging = createPagingState();
    this.paging.alignmentCheckFlag = () => (cpu.getI32(FLAGS_OTHER) & Flag.AC) !== 0;
    this.walker = new PageTableWalker(cpu.ram, this.paging);
    this.bytes = new DataView(cpu.memory.buffer);
    this.mode = this.modes.get({ ...USER_CODE_MODE, codeSize: 16, stackSize: 16, user: false });
    this.modes.onOverflow = () => this.engine?.invalidatePhysical(0, cpu.ram.length);
    cpu.system = this;
    cpu.mmu.translator = this.walker;
    cpu.mmu.devices = {
      kind: (page) => platform.pageKind(page),
      read: (physical, size) => {
        cpu.requireAlone();
        return platform.bus.readMemory(physical, size);
      },
      write: (physical, size, value) => {
        cpu.requireAlone();
        platform.bus.writeMemory(physical, size, value);
      },
    };
    this.reset();
  }

  /** Power-on: SDM vol. 3, table 9-1. */
  reset(): void {
    const { cpu } = this;
    cpu.useView(0);
    cpu.reset();
    this.takeSegmentUse("real");
    cpu.history.clear();
    cpu.setGpr(Register.RDX, cpu.model.signature);
    cpu.rflags = 2;
    cpu.rip = 0xfff0;
    this.cr0 = Cr0.CD | Cr0.NW | Cr0.ET;
    this.cr2 = 0;
    this.cr3 = 0;
    this.cr4 = 0;
    this.efer = 0;
    this.xcr0 = 1;
    Object.assign(this.gdtr, { base: 0, limit: 0xffff });
    Object.assign(this.idtr, { base: 0, limit: 0xffff });
    Object.assign(this.ldtr, { ...NULL_SEGMENT, limit: 0xffff, rights: Rights.P | (2 << 8) });
    Object.assign(this.tr, { ...NULL_SEGMENT, limit: 0xffff, rights: Rights.P | (11 << 8) });
    this.debug.fill(0);
    this.debug[6] = 0xffff0ff0;
    this.debug[7] = 0x400;
    applyBreakpoints(this);
    Object.assign(this.model, createModelRegisters());
    this.nmiPending = false;
    this.nmiBlocked = false;
    this.halted = false;
    this.afterInstruction = undefined;
    cpu.setNumber(KERNEL_GS_BASE, 0);
    for (let segment = 0; segment < 6; segment++) {
      this.setSegment(segment, { selector: 0, base: 0, limit: 0xffff, rights: RESET_DATA });
    }
    const code = { selector: 0xf000, base: 0xffff0000, limit: 0xffff, rights: RESET_DATA | Rights.Code };
    this.setSegment(Segment.CS, code);
    this.setPrivilege(0);
    this.updatePaging();
    this.updateMode();
    cpu.mmu.flush();
    this.engine?.addressSpaceChanged();
  }

  // ---- modes ----

  get isProtected(): boolean {
    return (this.cr0 & Cr0.PE) !== 0;
  }

  /** EFLAGS.VM: a task that believes to be in real mode. */
  get isVirtual8086(): boolean {
    return (this.cpu.getI32(FLAGS_OTHER) & Flag.VM) !== 0;
  }

  /** EFER.LMA: 64-bit or compatibility mode. */
  get isLong(): boolean {
    return (this.efer & Efer.LMA) !== 0;
  }

  get is64Bit(): boolean {
    return this.isLong && (this.segments[Segment.CS].rights & Rights.L) !== 0;
  }

  get cpl(): number {
    return this.cpu.getI32(CPL);
  }

  /** Descriptors are behind selectors: protected mode, but not its virtual-8086 mode. */
  get usesDescriptors(): boolean {
    return this.isProtected && !this.isVirtual8086;
  }

  setVirtual8086(isOn: boolean): void {
    const flags = this.cpu.getI32(FLAGS_OTHER);
    this.cpu.setI32(FLAGS_OTHER, isOn ? flags | Flag.VM : flags & ~Flag.VM);
  }

  /** CR0.AM at CPL 3: EFLAGS.AC has accesses checked. At other levels it is about SMAP. */
  get allowsAlignmentCheck(): boolean {
    return this.cpl === 3 && (this.cr0 & Cr0.AM) !== 0;
  }

  get ioPrivilege(): number {
    return (this.cpu.getI32(FLAGS_OTHER) >> 12) & 3;
  }

  /** Changes CPL; user and supervisor have state structs of their own. The mode is to be updated afterwards. */
  setPrivilege(level: number): void {
    const { cpu } = this;
    cpu.useView(level === 3 ? 1 : 0);
    cpu.setI32(CPL, level);
    this.paging.user = level === 3;
    if (level !== 3) this.checkUserAccess();
  }

  /** With SMAP, the supervisor's TLB has user pages only while EFLAGS.AC is set. */
  checkUserAccess(): void {
    if (this.paging.smap && !this.paging.alignmentCheckFlag()) this.cpu.mmu.views[0].tlb.flushUser();
  }

  setSegment(segment: number, value: SegmentRegister): void {
    const register = this.segments[segment];
    register.selector = value.selector;
    register.base = value.base;
    register.limit = value.limit;
    register.rights = value.rights;
    this.cpu.setSegmentBase(segment, value.base + guardOf(segment, value, this.checks.use));
  }

  /** The base of a segment; in 64-bit mode those of FS and GS are in the state struct alone. */
  segmentBase(segment: number): number {
    return this.checks.use === "64-bit" ? this.cpu.segmentBase(segment) : this.segments[segment].base;
  }

  /** @param base in 64-bit mode a canonical address */
  setSegmentBase(segment: number, base: number): void {
    const register = this.segments[segment];
    register.base = base;
    this.setSegment(segment, register);
  }

  /** Bases in the state struct mean something else after a change between 64-bit mode and the others. */
  private updateSegmentUse(): void {
    const { checks, cpu } = this;
    const use = this.currentUse;
    if (use === checks.use) return;
    // FS and GS keep all bits of their bases.
    if (checks.use === "64-bit")
      for (const segment of [Segment.FS, Segment.GS]) this.segments[segment].base = cpu.segmentBase(segment);
    this.takeSegmentUse(use);
    for (let segment = 0; segment < 6; segment++) this.setSegment(segment, this.segments[segment]);
  }

  private get currentUse(): SegmentUse {
    if (this.is64Bit) return "64-bit";
    return this.usesDescriptors ? "protected" : "real";
  }

  private takeSegmentUse(use: SegmentUse): void {
    this.checks.use = use;
    this.cpu.mmu.guard = use === "64-bit" ? undefined : this.checks;
  }

  /** The state struct was filled in by somebody else (a saved state): its bases are those of the mode in the registers. */
  adoptSegmentBases(): void {
    this.takeSegmentUse(this.currentUse);
  }

  /** To be called when CS, SS, CPL, CR0, CR4, EFER or XCR0 may have changed. */
  updateMode(): void {
    this.updateSegmentUse();
    this.mode = this.is64Bit
      ? this.modes.getLong(this.cpl === 3, this.restrictions())
      : this.modes.get(this.legacyMode());
    this.cpu.setI32(MODE_KEY, 0);
    this.cpu.setI32(MODE_KEY + 4, this.mode.id << 16);
  }

  /** Of 16- and 32-bit code. */
  private legacyMode(): Omit<ExecutionMode, "id"> {
    const cs = this.segments[Segment.CS];
    const ss = this.segments[Segment.SS];
    const size = (rights: number) => ((rights & Rights.DB) !== 0 ? 32 : 16);
    return {
      codeSize: size(cs.rights),
      stackSize: size(ss.rights),
      user: this.cpl === 3,
      codeBase: cs.base,
      codeLimit: cs.limit,
      restrictions: this.restrictions(),
    };
  }

  private restrictions(): number {
    let bits = 0;
    if ((this.cr0 & Cr0.MP) !== 0) bits |= Restriction.MP;
    if ((this.cr0 & Cr0.EM) !== 0) bits |= Restriction.EM;
    if ((this.cr0 & Cr0.TS) !== 0) bits |= Restriction.TS;
    if ((this.cr4 & Cr4.OSFXSR) === 0) bits |= Restriction.NoSse;
    if ((this.cr4 & Cr4.OSXSAVE) === 0) bits |= Restriction.NoXsave;
    if ((this.xcr0 & 4) === 0) bits |= Restriction.NoAvx;
    if ((this.efer & Efer.SCE) === 0) bits |= Restriction.NoSyscall;
    if ((this.cr4 & Cr4.FSGSBASE) === 0) bits |= Restriction.NoFsGsBase;
    if (this.checks.use === "real") bits |= Restriction.NotProtected;
    return bits;
  }

  /** To be called when CR0, CR3, CR4 or EFER has changed. Translations are dropped by whoever changed it. */
  updatePaging(): void {
    const { paging, cr0, cr3, cr4, efer } = this;
    const isPaging = (cr0 & Cr0.PG) !== 0;
    paging.mode = !isPaging ? "none" : this.isLong ? "4-level" : (cr4 & Cr4.PAE) !== 0 ? "pae" : "32-bit";
    paging.root = this.isLong ? cr3 - (cr3 % PAGE_SIZE) : (cr3 & 0xfffff000) >>> 0;
    paging.writeProtect = (cr0 & Cr0.WP) !== 0;
    paging.pageSizeExtension = (cr4 & Cr4.PSE) !== 0;
    paging.globalPages = (cr4 & Cr4.PGE) !== 0;
    paging.smep = (cr4 & Cr4.SMEP) !== 0;
    paging.smap = (cr4 & Cr4.SMAP) !== 0;
    paging.noExecute = (efer & Efer.NXE) !== 0;
  }

  // ---- translations go ----

  /** CR3 was loaded. */
  flushAddressSpace(): void {
    this.cpu.mmu.flushTransient();
    this.engine?.addressSpaceChanged();
  }

  flushEverything(): void {
    this.cpu.mmu.flush();
    this.engine?.globalPagesChanged();
  }

  flushPage(address: number): void {
    this.cpu.mmu.flushPageOf(address);
    this.engine?.pageChanged(address);
  }

  /** Physical address of a page that the supervisor can execute, or -1. */
  executablePage(address: number): number {
    const { translation } = this;
    return this.walker.translateImplicit(address, Access.Execute, translation)
      ? translation.physicalPage
      : -1;
  }

  // ---- interrupts ----

  get interruptRequested(): boolean {
    return this.interruptPin;
  }

  /** The level of the INTR pin. */
  setInterruptPin(level: boolean): void {
    this.interruptPin = level;
    this.updateRequest();
  }

  requestNmi(): void {
    this.nmiPending = true;
    this.updateRequest();
  }

  updateRequest(): void {
    const isRequested = this.interruptPin || (this.nmiPending && !this.nmiBlocked);
    this.cpu.setEverywhere(INTERRUPT_REQUEST, isRequested ? 1 : 0);
  }

  /** No interrupt before the instruction at `rip` is complete: behind STI, MOV SS, POP SS. */
  shadow(rip: number): void {
    this.cpu.setNumber(SHADOW_RIP, rip);
  }

  // ---- the processor's own memory accesses ----

  /** Reads `size` bytes (1, 2, 4) of a descriptor table or a TSS. @throws PageFault */
  readTable(address: number, size: 1 | 2 | 4): number {
    const linear = this.tableAddress(address, Access.Read);
    if ((address & 4095) > 4096 - size) {
      let value = 0;
      for (let byte = size - 1; byte >= 0; byte--) {
        value = (value << 8) | this.readTable(address + byte, 1);
      }
      return value >>> 0;
    }
    if (linear < 0) return 0;
    return size === 4
      ? this.bytes.getUint32(linear, true)
      : size === 2
        ? this.bytes.getUint16(linear, true)
        : this.bytes.getUint8(linear);
  }

  /** 64 bits as a signed number. */
  readTable64(address: number): number {
    const low = this.readTable(address, 4);
    return (this.readTable(address + 4, 4) | 0) * 0x100000000 + low;
  }

  /** @throws PageFault, GuestException if an access of the processor's own would fault */
  requireTable(address: number, access: Access): void {
    this.tableAddress(address, access);
  }

  /** Writes 2 or 4 bytes. @throws PageFault */
  writeTable(address: number, size: 2 | 4, value: number): void {
    for (let byte = 0; byte < size; byte++) {
      const linear = this.tableAddress(address + byte, Access.Write);
      if (linear < 0) continue;
      this.bytes.setUint8(linear, value >>> (8 * byte));
      this.cpu.mmu.written(linear, 1);
    }
  }

  /** Sets bits in a byte of a table. @throws PageFault */
  setTableBits(address: number, bits: number): void {
    const linear = this.tableAddress(address, Access.Write);
    if (linear < 0) return;
    this.bytes.setUint8(linear, this.bytes.getUint8(linear) | bits);
    this.cpu.mmu.written(linear, 1);
  }

  clearTableBits(address: number, bits: number): void {
    const linear = this.tableAddress(address, Access.Write);
    if (linear < 0) return;
    this.bytes.setUint8(linear, this.bytes.getUint8(linear) & ~bits);
    this.cpu.mmu.written(linear, 1);
  }

  /** Physical address, or -1 where there is no RAM. */
  private tableAddress(address: number, access: Access): number {
    const { translation, cpu } = this;
    const linear = this.isLong ? address : address >>> 0;
    if (linear >= CANONICAL_LIMIT || linear < -CANONICAL_LIMIT) throw new GuestException(Vector.GP, 0);
    if (!this.walker.translateImplicit(linear, access, translation))
      throw pageFault(linear, translation.errorCode);
    const physical = translation.physicalPage + (linear & 4095);
    return physical < cpu.ram.length ? physical : -1;
  }
}
