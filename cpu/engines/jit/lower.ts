/**
 * Lowers a region, a piece of the guest's control flow graph, to one WebAssembly function with the guest's registers and
 * flags in locals.
 *
 * The function has the signature of an interpreter handler (state, record, budget) → leave code, so that a record can
 * lead into it; the record tells by which entry. Inside, guest registers live in locals; every way out first stores those
 * that may have changed:
 *  - to another address known now: tail call of `enter` with a record for that address;
 *  - to a computed address: back to the dispatcher if it is one of this region's entries, else tail call of `enter`;
 *  - to a function that should come back to one of the entries: the same, but by a call that is no tail call; what returns
 *    from a function while such calls are under way leaves the RIP in the state and returns Leave.Returned. Whether it has
 *    come back where it should, and to a region that is still in use, the caller looks at; if not, it goes on at that RIP
 *    as after any computed jump. So a guest may treat its stack as it likes;
 *  - where an instruction would fault, or write translated code: the interpreter goes on with that
 *    instruction. It has changed nothing, so the interpreter meets the same exception, exactly.
 */

import {
  CALL_DEPTH,
  EXIT_BUDGET,
  EXIT_RECORD,
  FLAG_CAPTURES,
  JUMP_CACHE,
  JUMP_CACHE_ENTRIES,
  JUMP_CACHE_ENTRY_SHIFT,
  MODE_KEY,
  REGION_EPOCH,
  RIP,
} from "../../state.ts";
import type { WasmType } from "../../wasm/module-builder.ts";
import { numericOpcode } from "../../wasm/opcodes.ts";
import {
  Leave,
  RECORD_COUNTER,
  RECORD_ENTERED,
  RECORD_HANDLER,
  RECORD_LINK,
  RECORD_SIZE,
} from "../interp/record.ts";
import { BLOCK, BUDGET, LOAD_OPCODE, LOOP, RECORD, STATE, STORE_OPCODE } from "../wasm-lowering.ts";
import { analyze, type BlockFacts, type RegionFacts } from "./dataflow.ts";
import { captureKey, Emitter, type FaultSite, type RegionRuntime } from "./emitter.ts";
import { FLAG_BITS, fieldBit, LOCAL_PARTS, PartSet } from "./locals.ts";
import type { Region, RegionBlock, RegionInstruction } from "./region.ts";
import { type Shape, type Structure, structure } from "./structure.ts";
import { CAPTURE_TYPES, HoleKind, MOST_CAPTURES } from "./template.ts";

/** What the engine provides while regions are lowered. */
export interface RegionHost {
  /** Linear address of a record that leads to an address outside. */
  exitRecord(rip: number): number;
  /** The same of one that tells a helper where it is called: `since` as in {@link FaultSite}. */
  helperRecord(rip: number, length: number, since: number): number;
  /** There are several execution modes, which entries of the jump cache tell apart. */
  readonly hasModes: boolean;
  /** Notes where the interpreter may have to take over, and returns a number for it. */
  addFaultSite(site: FaultSite): number;
}

export interface LoweredRegion {
  readonly locals: readonly WasmType[];
  readonly code: Uint8Array;
  /** Offsets in the code of branches that are hardly ever taken. */
  readonly unlikely: readonly number[];
}

/** What a region is to become. */
export interface LoweringOptions {
  /** The handler number that the region's records will have. */
  readonly slot: number;
  /** Code that is quickly made and entered; else, for loops that run for long, all registers stay in locals. */
  readonly writeThrough: boolean;
}

export function lowerRegion(
  region: Region,
  options: LoweringOptions,
  runtime: RegionRuntime,
  host: RegionHost,
): LoweredRegion {
  return new RegionLowering(region, options, runtime, host).lower();
}

/** Lowers a function (state) that stores the flags that an instruction left deferred, its captures being in the state. */
export function lowerMaterializer(instruction: RegionInstruction): LoweredRegion {
  return new MaterializerLowering(instruction).lower();
}

const op = (name: string): readonly number[] => numericOpcode(name).code;
const Op = {
  wrap: op("i32.wrap_i64"),
  sub: op("i32.sub"),
  add: op("i32.add"),
  and: op("i32.and"),
  xor: op("i32.xor"),
  shl: op("i32.shl"),
  shru: op("i32.shr_u"),
  eq: op("i32.eq"),
  ne: op("i32.ne"),
  lts: op("i32.lt_s"),
  ges: op("i32.ge_s"),
  i64eq: op("i64.eq"),
  i64ne: op("i64.ne"),
  i64xor: op("i64.xor"),
} as const;
/** Calls that may be under way at the same time: each takes some hundred bytes of the host's stack. */
const MOST_CALLS = 64;
/** No address of an instruction. */
const NOWHERE = -1;

const IF = 0x04;
const I32 = 0x7f;
const SELECT = 0x1b;
const DROP = 0x1a;
const RETURN = 0x0f;
const UNREACHABLE = 0x00;
const BRANCH_TABLE = 0x0e;
const END = 0x0b;

class RegionLowering extends Emitter {
  private readonly structure: Structure;
  private readonly facts: RegionFacts;
  private readonly hasDispatcher: boolean;
  /** Of the current block: written since the region was entered. */
  private dirty = new PartSet();
  /** Instructions of the block before the current one: not yet taken from the budget. */
  private sinceBlock = 0;
  private instruction: RegionInstruction;
  private current: RegionBlock;
  /** The number of the current instruction's fault site; -1: it has none yet. */
  private site = -1;
  private readonly faultSite: number;
  private readonly target: number;
  private readonly entryIndex: number;
  private readonly conditionLocal: number;
  private readonly link: number;
  private readonly exitRecord: number;
  /** Of calls, if there are any: where they should return to, and what is looked at behind them. */
  private readonly returnAddress: number;
  private readonly callsBefore: number;
  private readonly epoch: number;
  /** Depths of what branches lead to. */
  private faultDepth = 0;
  private exitDepth = 0;
  private jumpDepth = 0;
  private returnDepth = 0;
  private callDepth = 0;
  private computedCallDepth = 0;
  private dispatchDepth = 0;
  private readonly labels = new Map<RegionBlock, number>();
  /** By {@link landingOf}. */
  private readonly landings = new Map<number, number>();
  /** Labels that lead backwards. */
  private readonly loops = new Set<RegionBlock>();

  constructor(
    private readonly region: Region,
    private readonly options: LoweringOptions,
    runtime: RegionRuntime,
    private readonly host: RegionHost,
  ) {
    super(runtime, options.writeThrough);
    this.current = region.blocks[0];
    this.instruction = this.current.instructions[0];
    this.structure = structure(region);
    this.hasDispatcher = this.structure.targets.length > 0;
    this.facts = analyze(region, this.structure.order, this.structure.targets);
    this.faultSite = this.local("i32");
    this.target = this.local("i64");
    this.entryIndex = this.local("i32");
    this.conditionLocal = this.local("i32");
    this.link = this.local("i32");
    this.exitRecord = this.local("i32");
    const calls = region.blocks.some((block) => block.calls);
    this.returnAddress = calls ? this.local("i64") : -1;
    this.callsBefore = calls ? this.local("i32") : -1;
    this.epoch = calls ? this.local("i32") : -1;
  }

  lower(): LoweredRegion {
    const { code } = this;
    if (this.writeThrough) this.countEntry();
    if (!this.hasDispatcher) this.checkEntryBudget(undefined);
    this.reloadAll();
    if (this.hasDispatcher) this.get(RECORD).memory(LOAD_OPCODE.i32, RECORD_COUNTER).set(this.entryIndex);
    const { blocks } = this.region;
    const hasReturns = blocks.some(({ returns, expected }) => returns && expected === undefined);
    const hasJumps = hasReturns || blocks.some(({ jumps }) => jumps);
    const callers = blocks.filter(({ calls }) => calls);
    if (this.hasDispatcher) {
      this.open(LOOP);
      this.dispatchDepth = this.depth;
      this.checkEntryBudget(this.facts.written);
    }
    if (hasJumps) {
      this.open(BLOCK);
      this.jumpDepth = this.depth;
    }
    if (hasReturns) {
      this.open(BLOCK);
      this.returnDepth = this.depth;
    }
    if (callers.some(({ jumps }) => jumps)) {
      this.open(BLOCK);
      this.computedCallDepth = this.depth;
    }
    if (callers.some(({ jumps }) => !jumps)) {
      this.open(BLOCK);
      this.callDepth = this.depth;
    }
    this.open(BLOCK);
    this.exitDepth = this.depth;
    this.open(BLOCK);
    this.faultDepth = this.depth;
    this.openLandings();
    this.shape(this.structure.shapes);
    code.byte(UNREACHABLE);
    this.closeLandings();
    this.close();
    this.emitFault();
    this.close();
    this.emitExit();
    if (this.callDepth > 0) {
      this.close();
      this.emitCall();
    }
    if (this.computedCallDepth > 0) {
      this.close();
      this.emitComputedCall();
    }
    if (hasReturns) {
      this.close();
      this.emitReturn();
    }
    if (hasJumps) {
      this.close();
      this.emitJump();
    }
    if (this.hasDispatcher) {
      code.byte(UNREACHABLE);
      this.close();
    }
    code.byte(UNREACHABLE).byte(END);
    return { locals: this.locals, code: code.toBytes().slice(), unlikely: this.unlikely };
  }

  private countEntry(): void {
    this.get(RECORD).get(RECORD).memory(LOAD_OPCODE.i32, RECORD_ENTERED);
    this.i32(1).numeric(Op.add).memory(STORE_OPCODE.i32, RECORD_ENTERED);
  }

  /** No path through the region may be longer than the budget: else the interpreter goes on behind the entry record. */
  private checkEntryBudget(dirty: PartSet | undefined): void {
    this.get(BUDGET).i32(this.region.instructionCount).numeric(Op.lts).openUnlikely();
    if (dirty !== undefined) this.spill(dirty);
    this.get(STATE).get(RECORD).i32(RECORD_SIZE).numeric(Op.add).get(BUDGET).tailCall(this.runtime.enter);
    this.close();
  }

  /** Loads every part that the region touches into its local. */
  private reloadAll(): void {
    if (this.writeThrough) this.available = new PartSet();
    else
      this.facts.touched.forEach((bit) => {
        this.reload(bit);
      });
  }

  private reload(bit: number): void {
    const part = LOCAL_PARTS[bit];
    if (part !== undefined) this.get(STATE).memory(LOAD_OPCODE[part.type], part.offset).set(this.part(bit));
  }

  private spill(parts: PartSet): void {
    if (this.writeThrough) return;
    parts.forEach((bit) => {
      const part = LOCAL_PARTS[bit];
      if (part !== undefined)
        this.get(STATE).get(this.part(bit)).memory(STORE_OPCODE[part.type], part.offset);
    });
  }

  private factsOf(block: RegionBlock): BlockFacts {
    const facts = this.facts.blocks.get(block);
    if (facts === undefined) throw new Error("a block was not analyzed");
    return facts;
  }

  // ---- control flow between blocks ----

  private shape(shapes: readonly Shape[]): void {
    for (const shape of shapes) {
      switch (shape.kind) {
        case "block":
          this.open(BLOCK);
          this.labels.set(shape.target, this.depth);
          this.shape(shape.body);
          this.close();
          break;
        case "loop":
          if (shape.target.rip === -1) {
            // The dispatcher's: it is open already.
            this.shape(shape.body);
            break;
          }
          this.open(LOOP);
          this.labels.set(shape.target, this.depth);
          this.loops.add(shape.target);
          this.shape(shape.body);
          this.close();
          break;
        case "code":
          this.block(shape.block);
          break;
        case "if": {
          const { flags } = this;
          const dirty = this.dirty.copy();
          this.get(this.conditionLocal).open(IF);
          this.shape(shape.yes);
          this.otherwise();
          this.flags = flags;
          this.dirty = dirty;
          this.shape(shape.no);
          this.close();
          break;
        }
        case "goto": {
          const depth = this.labels.get(shape.target);
          if (depth === undefined) throw new Error("a branch leads to a block that is not open");
          if (this.loops.has(shape.target)) this.exitIfBudgetBelow(shape.target.rip);
          this.branchTo(depth);
          break;
        }
        case "table":
          this.table();
          break;
        case "dispatch":
          this.exitIfBudgetBelow(shape.target.rip);
          this.i32(shape.index).set(this.entryIndex).branchTo(this.dispatchDepth);
          break;
        case "exit":
          this.exit(shape.rip, shape.from);
          break;
      }
    }
  }

  private table(): void {
    this.get(this.entryIndex);
    const { targets } = this.structure;
    this.code.byte(BRANCH_TABLE).u32(targets.length - 1);
    for (const target of targets) this.code.u32(this.depth - (this.labels.get(target) ?? 0));
  }

  /** A loop goes round only if the budget covers the whole region once: no path through it is longer. */
  private exitIfBudgetBelow(rip: number): void {
    this.get(BUDGET).i32(this.region.instructionCount).numeric(Op.lts).openUnlikely();
    this.exit(rip);
    this.close();
  }

  /** Leaves the region for an address that is known now: perhaps only for a call. */
  private exit(rip: number, from?: RegionBlock): void {
    const { flags } = this;
    const available = this.available.copy();
    this.materialize();
    this.spill(this.dirty);
    this.i32(this.host.exitRecord(rip)).set(this.exitRecord);
    if (from?.calls === true) this.expectReturn(from).branchTo(this.callDepth);
    else this.branchTo(this.exitDepth);
    this.flags = flags;
    this.available = available;
  }

  private block(block: RegionBlock): void {
    const { flagsIn, flagsOut, dirty, available } = this.factsOf(block);
    this.flags = flagsIn;
    this.dirty = dirty.copy();
    this.available = available.copy();
    this.sinceBlock = 0;
    this.forgetNarrow();
    this.current = block;
    for (const instruction of block.instructions) {
      this.instruction = instruction;
      this.site = -1;
      this.emitInstruction(instruction);
      this.dirty.addAll(instruction.writes);
      this.sinceBlock++;
    }
    if (block.jumps && block.expected === undefined) return;
    if (!block.jumps) this.retire();
    const stores = block.successors.some((successor) => {
      if (typeof successor === "number") return false;
      const next = this.factsOf(successor);
      return next.flagsIn === undefined && next.needsFlags;
    });
    if (stores && flagsOut !== undefined) this.materialize();
  }

  private retire(): void {
    if (this.sinceBlock !== 0) this.get(BUDGET).i32(this.sinceBlock).numeric(Op.sub).set(BUDGET);
  }

  // ---- ways out of an instruction ----

  protected override fault(): void {
    this.noteSite().branchTo(this.landing());
  }

  protected override faultIf(): this {
    this.unlikely.push(this.noteSite().code.length);
    return this.branchIfTo(this.landing());
  }

  /**
   * One landing for each way in which flags may be deferred where an instruction faults: it stores just what that way
   * needs, so that nothing else has to be kept alive for it.
   */
  private openLandings(): void {
    this.open(BLOCK);
    this.landings.set(landingOf(undefined), this.depth);
    for (const { instructions } of this.region.blocks) {
      for (const instruction of instructions) {
        const landing = landingOf(instruction);
        if (instruction.template.deferred === undefined || this.landings.has(landing)) continue;
        this.open(BLOCK);
        this.landings.set(landing, this.depth);
      }
    }
  }

  private closeLandings(): void {
    for (const landing of [...this.landings.keys()].reverse()) {
      this.close();
      const fields = new PartSet();
      fields.low = this.facts.written.low & (landing & FLAG_BITS);
      this.spill(fields);
      for (const [key, local] of this.captures) {
        if ((landing & (1 << key)) === 0) continue;
        const isWide = (key & 4) === 0;
        this.get(STATE)
          .get(local)
          .memory(isWide ? STORE_OPCODE.i64 : STORE_OPCODE.i32, FLAG_CAPTURES + key * 8);
      }
      this.branchTo(this.faultDepth);
    }
  }

  private landing(): number {
    const depth = this.landings.get(landingOf(this.flags));
    if (depth === undefined) throw new Error("flags deferred by an instruction of no block");
    return depth;
  }

  private noteSite(): this {
    if (this.site < 0) {
      const { rip } = this.instruction;
      this.site = this.host.addFaultSite({ rip, since: this.sinceBlock, flags: this.flags });
    }
    return this.i32(this.site).set(this.faultSite);
  }

  /** Goes on at the exit record, or where that leads to. */
  private emitExit(): void {
    this.get(STATE).get(this.exitRecord).memory(LOAD_OPCODE.i32, RECORD_LINK).tee(this.link);
    this.get(this.exitRecord).get(this.link);
    this.code.byte(SELECT);
    this.get(BUDGET).tailCall(this.runtime.enter);
  }

  /** Notes where the function that a block calls should come back, for {@link endCall}. */
  private expectReturn({ returnsTo }: RegionBlock): this {
    if (!this.hasDispatcher) return this;
    this.i64(returnsTo?.rip ?? NOWHERE).set(this.returnAddress);
    if (returnsTo !== undefined) this.i32(this.structure.targets.indexOf(returnsTo)).set(this.entryIndex);
    return this;
  }

  private emitCall(): void {
    this.get(STATE).memory(LOAD_OPCODE.i32, CALL_DEPTH).tee(this.callsBefore).i32(MOST_CALLS).numeric(Op.ges);
    this.openUnlikely().emitExit();
    this.close();
    this.get(this.exitRecord).memory(LOAD_OPCODE.i32, RECORD_LINK).tee(this.link);
    this.get(this.exitRecord).get(this.link);
    this.code.byte(SELECT);
    this.set(this.link);
    this.beginCall().get(STATE).get(this.link).get(BUDGET).call(this.runtime.enter);
    this.endCall();
  }

  /** The address is in the state. */
  private emitComputedCall(): void {
    this.get(STATE).memory(LOAD_OPCODE.i32, CALL_DEPTH).tee(this.callsBefore).i32(MOST_CALLS).numeric(Op.ges);
    this.openUnlikely().get(STATE).get(RECORD).get(BUDGET).tailCall(this.runtime.jump).close();
    this.beginCall().get(STATE).get(RECORD).get(BUDGET).call(this.runtime.jump);
    this.endCall();
  }

  private beginCall(): this {
    this.get(STATE).get(this.callsBefore).i32(1).numeric(Op.add).memory(STORE_OPCODE.i32, CALL_DEPTH);
    if (this.hasDispatcher) this.get(STATE).memory(LOAD_OPCODE.i32, REGION_EPOCH).set(this.epoch);
    return this;
  }

  /** Pops the leave code. If all is as it should be goes on at the entry, else at the RIP in the state. */
  private endCall(): void {
    this.set(this.link);
    this.get(STATE).get(this.callsBefore).memory(STORE_OPCODE.i32, CALL_DEPTH);
    this.get(this.link).i32(Leave.Returned).numeric(Op.ne).openUnlikely().get(this.link).return().close();
    this.get(STATE).memory(LOAD_OPCODE.i32, EXIT_BUDGET).set(BUDGET);
    if (this.hasDispatcher) {
      this.get(STATE).memory(LOAD_OPCODE.i64, RIP).get(this.returnAddress).numeric(Op.i64eq);
      this.get(STATE).memory(LOAD_OPCODE.i32, REGION_EPOCH).get(this.epoch).numeric(Op.eq).numeric(Op.and);
      this.get(BUDGET).i32(this.region.instructionCount).numeric(Op.ges).numeric(Op.and).open(IF);
      if (this.writeThrough) this.countEntry();
      this.reloadAll();
      this.branchTo(this.dispatchDepth);
      this.close();
    }
    this.get(STATE).get(RECORD).get(BUDGET).tailCall(this.runtime.jump);
  }

  /** To the caller that waits, if one does; else it is a computed jump. */
  private emitReturn(): void {
    this.get(STATE).memory(LOAD_OPCODE.i32, CALL_DEPTH).open(IF);
    this.spill(this.writtenAtJumps());
    this.get(STATE).get(this.target).memory(STORE_OPCODE.i64, RIP);
    this.get(STATE).get(BUDGET).memory(STORE_OPCODE.i32, EXIT_BUDGET);
    this.i32(Leave.Returned).return().close();
  }

  private emitFault(): void {
    const written = this.facts.written.copy();
    written.low &= ~FLAG_BITS;
    this.spill(written);
    this.get(STATE).get(this.faultSite).memory(STORE_OPCODE.i32, EXIT_RECORD);
    this.get(STATE).get(BUDGET).memory(STORE_OPCODE.i32, EXIT_BUDGET);
    this.i32(Leave.Step);
    this.code.byte(RETURN);
  }

  /** A helper sees the whole state, and may change it. */
  protected override helper(name: string, mayFault: boolean): void {
    const stored = this.dirty.copy();
    stored.addAll(this.instruction.writes);
    this.spill(stored);
    const { rip, length } = this.instruction;
    this.get(STATE).i32(this.host.helperRecord(rip, length, this.sinceBlock));
    this.get(BUDGET).call(this.runtime.helper(name));
    if (mayFault) this.faultIf();
    else this.code.byte(DROP);
    this.reloadAll();
  }

  protected override setCondition(): void {
    this.set(this.conditionLocal);
  }

  protected override jump(): void {
    this.set(this.target);
    this.sinceBlock++;
    this.retire();
    if (this.current.expected === undefined) {
      this.materialize();
      if (this.current.calls) {
        const written = this.dirty.copy();
        written.addAll(this.instruction.writes);
        this.spill(written);
        this.get(STATE).get(this.target).memory(STORE_OPCODE.i64, RIP);
        this.expectReturn(this.current).branchTo(this.computedCallDepth);
      } else this.branchTo(this.current.returns ? this.returnDepth : this.jumpDepth);
      return;
    }
    const available = this.available.copy();
    this.get(this.target).i64(this.current.expected).numeric(Op.i64ne).openUnlikely();
    this.materialize();
    this.branchTo(this.jumpDepth);
    this.close();
    this.available = available;
  }

  /** Parts that may have been written where a block ends in a computed jump. */
  private writtenAtJumps(): PartSet {
    const written = new PartSet();
    for (const block of this.structure.order) {
      if (!block.jumps) continue;
      const facts = this.factsOf(block);
      written.addAll(facts.dirty);
      written.addAll(facts.writes);
    }
    return written;
  }

  /** Goes on at the address in `target`. */
  private emitJump(): void {
    const dirty = this.writtenAtJumps();
    // link = address of the jump cache's entry (interp/lower.ts), then the record
    const { link, target } = this;
    this.get(target).numeric(Op.wrap);
    this.get(target).numeric(Op.wrap).i32(12).numeric(Op.shru).numeric(Op.xor);
    this.i32(JUMP_CACHE_ENTRIES - 1)
      .numeric(Op.and)
      .i32(JUMP_CACHE_ENTRY_SHIFT)
      .numeric(Op.shl);
    this.get(STATE).numeric(Op.add).tee(link);
    this.memory(LOAD_OPCODE.i64, JUMP_CACHE).get(target);
    if (this.host.hasModes) this.get(STATE).memory(LOAD_OPCODE.i64, MODE_KEY).numeric(Op.i64xor);
    this.numeric(Op.i64eq);
    this.open(IF, I32)
      .get(link)
      .memory(LOAD_OPCODE.i32, JUMP_CACHE + 8);
    this.otherwise().i32(0).close();
    this.tee(link).open(IF);
    if (this.hasDispatcher) {
      this.get(link).memory(LOAD_OPCODE.i32, RECORD_HANDLER).i32(this.options.slot).numeric(Op.eq).open(IF);
      this.get(link).tee(RECORD).memory(LOAD_OPCODE.i32, RECORD_COUNTER).set(this.entryIndex);
      this.branchTo(this.dispatchDepth);
      this.close();
    }
    this.spill(dirty);
    this.get(STATE).get(link).get(BUDGET).tailCall(this.runtime.enter);
    this.close();
    this.spill(dirty);
    this.get(STATE).get(target).memory(STORE_OPCODE.i64, RIP);
    this.get(STATE).get(RECORD).get(BUDGET).tailCall(this.runtime.jump);
  }
}

/**
 * What must be stored where an instruction faults with these flags deferred: a bit for each capture ({@link captureKey}) and
 * for each flag field that is not deferred.
 */
function landingOf(flags: RegionInstruction | undefined): number {
  const deferred = flags?.template.deferred;
  let landing = FLAG_BITS;
  if (flags === undefined || deferred === undefined) return landing;
  for (const [offset, { holes }] of deferred.fields) {
    landing &= ~(1 << fieldBit(offset));
    for (const { kind, x, y } of holes)
      if (kind === HoleKind.CaptureGet) landing |= 1 << captureKey(flags.bank, x, y);
  }
  return landing;
}

class MaterializerLowering extends Emitter {
  constructor(private readonly instruction: RegionInstruction) {
    super(NO_RUNTIME, false);
  }

  lower(): LoweredRegion {
    const { instruction, code } = this;
    this.flags = instruction;
    for (let type = 0; type < CAPTURE_TYPES.length; type++) {
      for (let index = 0; index < MOST_CAPTURES[type]; index++) {
        const offset = FLAG_CAPTURES + captureKey(instruction.bank, type, index) * 8;
        this.get(STATE).memory(type === 0 ? LOAD_OPCODE.i64 : LOAD_OPCODE.i32, offset);
        this.set(this.capture(instruction.bank, type, index));
      }
    }
    this.materialize();
    for (const offset of instruction.template.deferred?.fields.keys() ?? []) {
      const bit = fieldBit(offset);
      const part = LOCAL_PARTS[bit];
      if (part !== undefined) this.get(STATE).get(this.part(bit)).memory(STORE_OPCODE[part.type], offset);
    }
    this.i32(0);
    code.byte(END);
    return { locals: this.locals, code: code.toBytes().slice(), unlikely: [] };
  }

  protected override fault(): void {
    throw new Error("flags are computed without memory");
  }
  protected override faultIf(): this {
    throw new Error("flags are computed without memory");
  }
  protected override helper(): void {
    throw new Error("flags are computed without helpers");
  }
  protected override setCondition(): void {
    throw new Error("flags are no branch");
  }
  protected override jump(): void {
    throw new Error("flags are no jump");
  }
}

const NO_RUNTIME: RegionRuntime = {
  enter: 0,
  jump: 0,
  load: 0,
  modify: 0,
  store: 0,
  probe: 0,
  commit: 0,
  stack: 0,
  helper: () => 0,
};
