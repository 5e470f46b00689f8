/**
 * The JIT engine: the interpreter, which counts how often its traces are entered, with compiled regions in place of the
 * hot ones. A counting record stands in front of every trace; compiled code takes its handler's place.
 */

import { PageFault } from "../../../mmu/mmu.ts";
import type { Cpu } from "../../cpu.ts";
import { InterpreterEngine } from "../interp/engine.ts";
import {
  Handler,
  RECORD_COUNTER,
  RECORD_HANDLER,
  RECORD_NEED,
  RECORD_SHIFT,
  REGION_SLOTS,
} from "../interp/record.ts";
import type { Trace } from "../interp/trace.ts";
import { type CompiledRegion, RegionCompiler } from "./compiler.ts";

export interface JitThresholds {
  /** Entries of a trace until it waits for compilation, and how many more until it does not wait any longer. */
  readonly warm: number;
  readonly hot: number;
  /** Regions that are compiled together at the least, unless one is hot. */
  readonly batch: number;
}

const THRESHOLDS: JitThresholds = { warm: 40, hot: 400, batch: 24 };
/** Records that one compilation may need for ways out; where there is not even so much room, nothing is compiled. */
const EXIT_RECORD_RESERVE = 8192;
/** Records in front of the area that {@link decode} may overwrite: the last of those for exact runs. */
const SCRATCH_RECORD = 127;

/** The code of a region came from these pages: if they change it must go. */
interface RegionTrace extends Trace {
  readonly head: Trace;
}

export class JitEngine extends InterpreterEngine {
  override readonly name = "jit";
  readonly compiler: RegionCompiler;
  private readonly table: WebAssembly.Table;
  private nextSlot: number;
  private readonly firstSlot: number;
  private readonly waiting = new Set<number>();
  /** Exit records by target. */
  private readonly exits = new Map<number, number>();

  constructor(
    cpu: Cpu,
    module: WebAssembly.Module,
    private readonly thresholds: JitThresholds = THRESHOLDS,
  ) {
    super(cpu, module);
    this.table = this.exports.table as WebAssembly.Table;
    this.firstSlot = this.table.length - REGION_SLOTS;
    this.nextSlot = this.firstSlot;
    const { env, helper } = this.moduleImports;
    this.compiler = new RegionCompiler({
      decode: (rip) => {
        try {
          return this.translator.formAt(rip, SCRATCH_RECORD);
        } catch (error) {
          if (error instanceof PageFault) return undefined;
          throw error;
        }
      },
      exitRecord: (rip) => this.exitRecord(rip),
      imports: { ...env, ...this.exports },
      helpers: helper,
    });
  }

  protected override translate(rip: number): Trace {
    const header = this.nextRecord;
    const trace = this.translator.translate(rip, header + 1, 64, false);
    const address = this.addressOf(header);
    this.memory.fill(0, address, address + 32);
    this.writeWord(header, RECORD_HANDLER, Handler.Count);
    this.writeWord(header, RECORD_COUNTER, this.thresholds.warm);
    this.memory[address + RECORD_NEED] = this.memory[this.addressOf(header + 1) + RECORD_NEED];
    this.describe(header, rip);
    return { ...trace, first: header, count: trace.count + 1 };
  }

  private addressOf(index: number): number {
    return this.cpu.recordBase + (index << RECORD_SHIFT);
  }

  private writeWord(index: number, field: number, value: number): void {
    this.records[(this.addressOf(index) + field) >> 2] = value;
  }

  /** A record that stands for no instruction. */
  private describe(index: number, rip: number): void {
    const { facts } = this;
    facts.rip[index] = rip;
    facts.target[index] = rip;
    facts.length[index] = 0;
    facts.firstLength[index] = 0;
    facts.instructions[index] = 0;
    facts.since[index] = 0;
  }

  private exitRecord(rip: number): number {
    const known = this.exits.get(rip);
    if (known !== undefined) return known;
    const index = this.nextRecord++;
    const address = this.addressOf(index);
    this.memory.fill(0, address, address + 32);
    this.writeWord(index, RECORD_HANDLER, Handler.Continue);
    this.describe(index, rip);
    this.exits.set(rip, address);
    return address;
  }

  protected override hot(record: number): void {
    const index = (record - this.cpu.recordBase) >>> RECORD_SHIFT;
    const rip = this.facts.rip[index];
    if (this.waiting.has(rip) || this.waiting.size + 1 >= this.thresholds.batch) {
      this.waiting.add(rip);
      const addresses = [...this.waiting];
      this.waiting.clear();
      // Whatever cannot be compiled is not asked for again.
      for (const address of addresses) this.setHandler(address, Handler.Skip);
      const hasRoom =
        this.nextSlot + addresses.length <= this.table.length && this.hasRecords(EXIT_RECORD_RESERVE);
      if (hasRoom) {
        for (const compiled of this.compiler.compile(addresses)) this.install(compiled);
      }
      return;
    }
    this.waiting.add(rip);
    this.writeWord(index, RECORD_COUNTER, this.thresholds.hot);
  }

  private setHandler(rip: number, handler: number): void {
    const trace = this.byRip.get(rip);
    if (trace !== undefined) this.writeWord(trace.first, RECORD_HANDLER, handler);
  }

  private install({ region, code }: CompiledRegion): void {
    const head = this.byRip.get(region.rip);
    if (head === undefined) return;
    const slot = this.nextSlot++;
    this.table.set(slot, code);
    this.writeWord(head.first, RECORD_HANDLER, slot);
    for (const block of region.blocks) this.watch(head, block.rip, block.end);
  }

  /** Has the region dropped when the code of one of its blocks changes. */
  private watch(head: Trace, rip: number, end: number): void {
    const { mmu } = this.cpu;
    const physical = mmu.fetchAddress(rip);
    const crosses = Math.floor(rip / 4096) !== Math.floor((end - 1) / 4096);
    const secondPage = crosses ? mmu.fetchAddress(end - ((end | 0) & 4095)) : -1;
    const part: RegionTrace = {
      rip,
      end,
      physical,
      secondPage,
      first: head.first,
      count: 1,
      incoming: [],
      head,
    };
    this.insertPhysical(part);
    this.insertVirtual(part);
    const inFirst = Math.min(end - rip, 4096 - (physical % 4096));
    mmu.markCode(physical, inFirst);
    if (secondPage >= 0) mmu.markCode(secondPage, end - rip - inFirst);
  }

  protected override remove(trace: Trace): void {
    super.remove(trace);
    const { head } = trace as Partial<RegionTrace>;
    if (head !== undefined && this.byRip.get(head.rip) === head) super.remove(head);
  }

  protected override flush(): void {
    super.flush();
    this.exits.clear();
    this.waiting.clear();
    this.nextSlot = this.firstSlot;
  }
}
