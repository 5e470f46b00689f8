/**
 * Lowers a region, a piece of the guest's control flow graph, to one WebAssembly function with the guest's registers and
 * flags in locals.
 *
 * The function has the signature of an interpreter handler (state, record, budget) → leave code, so that a record can
 * lead into it. Inside, guest registers live in locals; every way out first stores those that the region writes:
 *  - to another address known now: tail call of `enter` with an exit record for that address;
 *  - to a computed address: tail call of `jump`;
 *  - where an instruction would fault, or write translated code: RIP is stored, and the interpreter is asked to execute
 *    that one instruction. It has changed nothing, so the interpreter meets the same exception, exactly.
 */

import type { Block, EncodedField, Place, RegisterRef, Value } from "../../ir/value.ts";
import {
  EXIT_BUDGET,
  FLAG_CARRIES,
  FLAG_CARRY,
  FLAG_SIGN,
  FLAG_ZERO,
  GPR,
  HELPER_ARGUMENTS,
  RIP,
  SEGMENT_BASE_ZERO,
  X87,
  X87_STRIDE,
  XMM,
  XMM_STRIDE,
  ZERO_SLOT,
} from "../../state.ts";
import type { WasmType } from "../../wasm/module-builder.ts";
import {
  Leave,
  RECORD_ABSOLUTE,
  RECORD_BASE,
  RECORD_DISPLACEMENT,
  RECORD_IMMEDIATE,
  RECORD_INDEX,
  RECORD_SCALE,
  RECORD_SEGMENT,
  RECORD_SIZE,
  RECORD_SLOT2,
  SLOT_BYTES,
} from "../interp/record.ts";
import {
  BLOCK,
  BUDGET,
  type ControlStatement,
  countUses,
  IF,
  LOAD_OPCODE,
  LOOP,
  type MemoryRuntime,
  placeLoad,
  placeStore,
  RECORD,
  STATE,
  STORE_OPCODE,
  VOID,
  WasmLowering,
} from "../wasm-lowering.ts";
import type { Region, RegionBlock, RegionInstruction } from "./region.ts";
import { type Shape, structure } from "./structure.ts";

/** Functions that regions call, by index in their module. */
export interface RegionRuntime extends MemoryRuntime {
  /** (state, record, budget) → leave code: goes on at a record */
  readonly enter: number;
  /** (state, record, budget) → leave code: goes on at the RIP in the state */
  readonly jump: number;
  helper(name: string): number;
}

export interface LoweredRegion {
  readonly locals: readonly WasmType[];
  readonly code: Uint8Array;
}

/** A register or flag that a region keeps in a local. */
interface Cached {
  readonly type: WasmType;
  readonly offset: number;
}

/** State offset → what lives in a local. */
const FLAG_TYPES: ReadonlyMap<number, WasmType> = new Map([
  [FLAG_ZERO, "i64"],
  [FLAG_SIGN, "i64"],
  [FLAG_CARRIES, "i64"],
  [FLAG_CARRY, "i32"],
]);

/** The bytes of a decoded record, as the binding of an instruction's operands. */
class Binding {
  constructor(private readonly record: DataView) {}

  slot(register: RegisterRef): number {
    return "fixed" in register ? register.fixed : this.record.getUint8(SLOT_BYTES[register.slot]);
  }

  /** State offset of a general register: high bytes are one further. */
  gprOffset(register: RegisterRef): number {
    if ("fixed" in register) return GPR + register.fixed * 8 + (register.high === true ? 1 : 0);
    return GPR + this.record.getUint8(SLOT_BYTES[register.slot]);
  }

  byte(field: number): number {
    return this.record.getUint8(field);
  }

  i64(field: number): bigint {
    return this.record.getBigInt64(field, true);
  }

  displacement(): number {
    return this.record.getInt32(RECORD_DISPLACEMENT, true);
  }
}

export function lowerRegion(region: Region, runtime: RegionRuntime): LoweredRegion {
  return new RegionLowering(region, runtime).lower();
}

class RegionLowering extends WasmLowering {
  private readonly cached = new Map<number, { readonly local: number; readonly type: WasmType }>();
  private readonly written = new Set<number>();
  private binding: Binding;
  private instruction: RegionInstruction;
  /** Open blocks around the current instruction, and whether it stores anything. */
  private instructionDepth = 0;
  private writesMemory = false;
  /** Instructions of the block before the current one: not yet taken from the budget. */
  private sinceBlock = 0;
  private readonly faultRip: number;
  private readonly target: number;
  private readonly exitRecord: number;
  /** Depths of the three ways out. */
  private faultDepth = 0;
  private exitDepth = 0;
  private jumpDepth = 0;

  constructor(
    private readonly region: Region,
    private readonly runtime: RegionRuntime,
  ) {
    super(runtime);
    this.instruction = region.blocks[0].instructions[0];
    this.binding = new Binding(this.instruction.record);
    this.collect();
    this.faultRip = this.local("i64");
    this.target = this.local("i64");
    this.exitRecord = this.local("i32");
  }

  // ---- which registers the region uses ----

  private collect(): void {
    for (const block of this.region.blocks) {
      for (const instruction of block.instructions) {
        this.binding = new Binding(instruction.record);
        this.collectBlock(instruction.instructions.body);
      }
    }
  }

  private collectBlock(statements: Block): void {
    for (const statement of statements) {
      switch (statement.do) {
        case "value":
          this.collectValue(statement.value);
          break;
        case "set":
          this.collectPlace(statement.place, true);
          break;
        case "if":
          this.collectBlock(statement.yes);
          this.collectBlock(statement.no);
          break;
        case "loop":
          this.collectBlock(statement.body);
          break;
      }
    }
  }

  private collectValue(value: Value): void {
    if (value.op === "get") this.collectPlace(value.place, false);
    else if (value.op === "encoded") {
      for (const [field, byte] of [
        ["base", RECORD_BASE],
        ["index", RECORD_INDEX],
      ] as const) {
        const offset = this.binding.byte(byte);
        if (value.field === field && offset !== ZERO_SLOT) this.cache({ type: "i64", offset: GPR + offset });
      }
    }
  }

  private collectPlace(place: Place, write: boolean): void {
    const cached = this.cachedPlace(place);
    if (cached === undefined) return;
    this.cache(cached);
    if (write) this.written.add(cached.offset);
  }

  private cache({ type, offset }: Cached): void {
    if (!this.cached.has(offset)) this.cached.set(offset, { type, local: this.local(type) });
  }

  /** Where a place lives if it is kept in a local. */
  private cachedPlace(place: Place): Cached | undefined {
    switch (place.kind) {
      case "gpr":
        return { type: "i64", offset: this.binding.gprOffset(place.register) & ~7 };
      case "xmm":
        return { type: "v128", offset: XMM + this.binding.slot(place.register) * XMM_STRIDE };
      case "mmx":
        return undefined;
      case "field": {
        const type = place.index === undefined ? FLAG_TYPES.get(place.offset) : undefined;
        return type === undefined ? undefined : { type, offset: place.offset };
      }
    }
  }

  private localAt(offset: number): number {
    const cached = this.cached.get(offset);
    if (cached === undefined) throw new Error(`state ${offset.toString(16)} was not collected`);
    return cached.local;
  }

  // ---- the function ----

  lower(): LoweredRegion {
    // No path through the region may be longer than the budget: else the interpreter goes on behind the entry record.
    this.get(BUDGET).i32(this.region.instructionCount).numeric("i32.lt_s");
    this.open(IF, VOID);
    this.get(STATE).get(RECORD).i32(RECORD_SIZE).numeric("i32.add").get(BUDGET);
    this.code.byte(0x12).u32(this.runtime.enter);
    this.close();
    for (const offset of this.cached.keys()) this.reload(offset);
    this.open(BLOCK, VOID);
    this.jumpDepth = this.depth;
    this.open(BLOCK, VOID);
    this.exitDepth = this.depth;
    this.open(BLOCK, VOID);
    this.faultDepth = this.depth;
    this.shape(structure(this.region));
    this.code.byte(0x00);
    this.close();
    this.spill();
    this.get(STATE).get(this.faultRip).memory(STORE_OPCODE.i64, RIP);
    this.get(STATE).get(BUDGET).memory(STORE_OPCODE.i32, EXIT_BUDGET);
    this.returnCode(Leave.Step);
    this.close();
    this.spill();
    this.get(STATE).get(this.exitRecord).get(BUDGET);
    this.code.byte(0x12).u32(this.runtime.enter);
    this.close();
    this.spill();
    this.get(STATE).get(this.target).memory(STORE_OPCODE.i64, RIP);
    this.get(STATE).get(RECORD).get(BUDGET);
    this.code.byte(0x12).u32(this.runtime.jump);
    this.code.byte(0x0b);
    return { locals: this.locals, code: this.code.toBytes().slice() };
  }

  private reload(offset: number): void {
    const cached = this.cached.get(offset);
    if (cached === undefined) return;
    this.get(STATE).memory(LOAD_OPCODE[cached.type], offset).setLocal(cached.local);
  }

  /** Stores every register that the region writes. */
  private spill(): void {
    for (const offset of this.written) {
      const cached = this.cached.get(offset);
      if (cached !== undefined) this.get(STATE).get(cached.local).memory(STORE_OPCODE[cached.type], offset);
    }
  }

  private branchTo(depth: number): void {
    this.code.byte(0x0c).u32(this.depth - depth);
  }

  /** Labels of the structure: block → depth of what a branch to it targets. */
  private readonly labels = new Map<RegionBlock, number>();

  private shape(shapes: readonly Shape[]): void {
    for (const shape of shapes) {
      switch (shape.kind) {
        case "block":
          this.open(BLOCK, VOID);
          this.labels.set(shape.target, this.depth);
          this.shape(shape.body);
          this.close();
          break;
        case "loop":
          this.open(LOOP, VOID);
          this.labels.set(shape.target, this.depth);
          this.checkBudget(shape.target);
          this.shape(shape.body);
          this.close();
          break;
        case "code":
          this.instructions(shape.block);
          break;
        case "if":
          this.get(this.condition);
          this.open(IF, VOID);
          this.shape(shape.yes);
          this.code.byte(0x05);
          this.shape(shape.no);
          this.close();
          break;
        case "goto": {
          const depth = this.labels.get(shape.target);
          if (depth === undefined) throw new Error("a branch leads to a block that is not open");
          this.branchTo(depth);
          break;
        }
        case "exit":
          this.i32(this.region.exitRecord(shape.rip)).setLocal(this.exitRecord);
          this.branchTo(this.exitDepth);
          break;
      }
    }
  }

  /** A loop goes round only if the budget covers the whole region once: no path through it is longer. */
  private checkBudget(block: RegionBlock): void {
    this.get(BUDGET).i32(this.region.instructionCount).numeric("i32.lt_s");
    this.open(IF, VOID);
    this.i32(this.region.exitRecord(block.rip)).setLocal(this.exitRecord);
    this.branchTo(this.exitDepth);
    this.close();
  }

  /** The condition of the block's last instruction, kept in a local. */
  private condition = -1;

  private instructions(block: RegionBlock): void {
    this.sinceBlock = 0;
    for (const instruction of block.instructions) {
      this.instruction = instruction;
      this.binding = new Binding(instruction.record);
      this.resetValues();
      this.instructionDepth = this.depth;
      this.writesMemory = containsWrite(instruction.instructions.body);
      countUses(instruction.instructions.body);
      this.block(instruction.instructions.body);
      clearUses(instruction.instructions.body);
      this.sinceBlock++;
    }
    if (!block.leaves) this.retire();
  }

  private retire(): void {
    if (this.sinceBlock === 0) return;
    this.get(BUDGET).i32(this.sinceBlock).numeric("i32.sub").setLocal(BUDGET);
  }

  // ---- leaving an instruction ----

  protected override context(): this {
    return this.get(STATE).get(RECORD).get(BUDGET);
  }

  private fault(): void {
    this.retire();
    this.i64(BigInt(this.instruction.rip)).setLocal(this.faultRip);
    this.branchTo(this.faultDepth);
  }

  protected override leaveIfSet(): void {
    this.open(IF, VOID);
    this.fault();
    this.close();
  }

  protected override control(statement: ControlStatement): void {
    switch (statement.do) {
      case "helper":
        // On a branch of the instruction it is the rare case, and the interpreter can do it: nothing has happened yet.
        if (this.depth > this.instructionDepth && !this.writesMemory) this.fault();
        else this.helper(statement.name, statement.args, statement.mayFault);
        break;
      case "exception":
        this.fault();
        break;
      case "branch":
        if (statement.condition !== undefined) {
          if (this.condition < 0) this.condition = this.local("i32");
          this.value(statement.condition);
          this.setLocal(this.condition);
        }
        break;
      case "jump":
        this.value(statement.target);
        this.setLocal(this.target);
        this.sinceBlock++;
        this.retire();
        this.branchTo(this.jumpDepth);
        break;
      default:
        throw new Error(`a region does not contain ${statement.do}`);
    }
  }

  /** A helper sees the whole state, and may change it. */
  private helper(name: string, args: readonly Value[], mayFault: boolean): void {
    args.forEach((argument, slot) => {
      this.get(STATE);
      this.value(argument);
      this.memory(STORE_OPCODE[argument.type], HELPER_ARGUMENTS + slot * 16);
    });
    this.spill();
    this.context().call(this.runtime.helper(name));
    if (mayFault) this.leaveIfSet();
    else this.code.byte(0x1a);
    for (const offset of this.cached.keys()) this.reload(offset);
  }

  // ---- operands ----

  protected override encoded(field: EncodedField): void {
    const { binding } = this;
    switch (field) {
      case "immediate":
        this.i64(binding.i64(RECORD_IMMEDIATE));
        break;
      case "absolute":
        this.i64(binding.i64(RECORD_ABSOLUTE));
        break;
      case "displacement":
        this.i64(BigInt(binding.displacement()));
        break;
      case "scale":
        this.i64(BigInt(binding.byte(RECORD_SCALE)));
        break;
      case "second":
        this.i32(binding.byte(RECORD_SLOT2));
        break;
      case "base":
      case "index": {
        const offset = binding.byte(field === "base" ? RECORD_BASE : RECORD_INDEX);
        if (offset === ZERO_SLOT) this.i64(0n);
        else this.get(this.localAt(GPR + offset));
        break;
      }
      case "segmentBase": {
        const offset = binding.byte(RECORD_SEGMENT);
        if (offset === SEGMENT_BASE_ZERO) this.i64(0n);
        else this.get(STATE).memory(LOAD_OPCODE.i64, offset);
        break;
      }
      default:
        throw new Error(`${field} belongs to paired records`);
    }
  }

  protected override registerNumber(register: RegisterRef): void {
    this.i32(this.binding.slot(register));
  }

  protected override getPlace(place: Place): void {
    const cached = this.cachedPlace(place);
    if (cached === undefined) {
      const offset = this.placeAddress(place);
      this.memory(placeLoad(place), offset);
      return;
    }
    this.get(this.localAt(cached.offset));
    if (place.kind === "gpr" && place.bits < 64) {
      if ((this.binding.gprOffset(place.register) & 7) === 1) this.i64(8n).numeric("i64.shr_u");
      this.i64((1n << BigInt(place.bits)) - 1n).numeric("i64.and");
    } else if (place.kind === "xmm") this.extractPart(place.part);
  }

  private extractPart(part: Extract<Place, { kind: "xmm" }>["part"]): void {
    const lane = (name: string, index: number) => {
      this.numeric(name);
      this.code.byte(index);
    };
    switch (part) {
      case "v128":
        break;
      case "q0":
      case "q1":
        lane("i64x2.extract_lane", part === "q0" ? 0 : 1);
        break;
      case "d0":
        lane("i32x4.extract_lane", 0);
        this.numeric("i64.extend_i32_u");
        break;
      case "f64":
        lane("f64x2.extract_lane", 0);
        break;
      case "f32":
        lane("f32x4.extract_lane", 0);
    }
  }

  protected override setPlace(place: Place, value: Value): void {
    const cached = this.cachedPlace(place);
    if (cached === undefined) {
      const offset = this.placeAddress(place);
      this.value(value);
      this.memory(placeStore(place), offset);
      return;
    }
    const local = this.localAt(cached.offset);
    if (place.kind === "gpr" && place.bits < 64) this.insertBits(place, local, value);
    else if (place.kind === "xmm" && place.part !== "v128") this.insertPart(place.part, local, value);
    else this.value(value);
    this.setLocal(local);
  }

  private insertBits(place: Extract<Place, { kind: "gpr" }>, local: number, value: Value): void {
    const mask = (1n << BigInt(place.bits)) - 1n;
    if (place.bits === 32) {
      this.value(value);
      this.i64(mask).numeric("i64.and");
      return;
    }
    const shift = (this.binding.gprOffset(place.register) & 7) === 1 ? 8n : 0n;
    this.get(local)
      .i64(BigInt.asIntN(64, ~(mask << shift)))
      .numeric("i64.and");
    this.value(value);
    this.i64(mask).numeric("i64.and");
    if (shift !== 0n) this.i64(shift).numeric("i64.shl");
    this.numeric("i64.or");
  }

  private insertPart(part: string, local: number, value: Value): void {
    this.get(local);
    this.value(value);
    const lane = (name: string, index: number) => {
      this.numeric(name);
      this.code.byte(index);
    };
    switch (part) {
      case "q0":
      case "q1":
        lane("i64x2.replace_lane", part === "q0" ? 0 : 1);
        break;
      case "d0":
        this.numeric("i32.wrap_i64");
        lane("i32x4.replace_lane", 0);
        break;
      case "f64":
        lane("f64x2.replace_lane", 0);
        break;
      default:
        lane("f32x4.replace_lane", 0);
    }
  }

  /** Pushes the base address of a place in memory and returns its constant offset. */
  private placeAddress(place: Place): number {
    this.get(STATE);
    if (place.kind === "mmx") return X87 + this.binding.slot(place.register) * X87_STRIDE;
    if (place.kind !== "field") throw new Error(`${place.kind} lives in a local`);
    if (place.index !== undefined) {
      this.value(place.index);
      this.i32(place.stride ?? 1)
        .numeric("i32.mul")
        .numeric("i32.add");
    }
    return place.offset;
  }
}

function containsWrite(block: Block): boolean {
  return block.some((statement) => {
    switch (statement.do) {
      case "store":
      case "commit":
        return true;
      case "if":
        return containsWrite(statement.yes) || containsWrite(statement.no);
      case "loop":
        return containsWrite(statement.body);
      default:
        return false;
    }
  });
}

/** The IR of a form is used for many instructions: their uses are counted anew each time. */
function clearUses(block: Block): void {
  for (const statement of block) {
    // Every value but constants stands in the sequence once.
    if (statement.do === "value") statement.value.uses = 0;
    else if (statement.do === "if") {
      clearUses(statement.yes);
      clearUses(statement.no);
    } else if (statement.do === "loop") clearUses(statement.body);
  }
}
