/**
 * Fills the holes of templates: WebAssembly for one instruction after the other, with guest registers in locals. What is
 * known of the state at the current instruction (whose flags are still deferred, which registers are known to be
 * narrow) lives here; how blocks hang together does not (lower.ts).
 */

import {
  TLB_ADDEND,
  TLB_ENTRIES,
  TLB_ENTRY_SHIFT,
  TLB_READ,
  TLB_STACK,
  TLB_WRITE,
} from "../../../mmu/tlb.ts";
import { PAGE_SHIFT } from "../../../mmu/translator.ts";
import { MEMORY_BYTES, type MemoryKind, type Place } from "../../ir/value.ts";
import { Register, SCRATCH, SEGMENT_BASE_ZERO, TLB, X87, X87_STRIDE } from "../../state.ts";
import type { WasmType } from "../../wasm/module-builder.ts";
import { numericOpcode } from "../../wasm/opcodes.ts";
import {
  RECORD_ABSOLUTE,
  RECORD_DISPLACEMENT,
  RECORD_IMMEDIATE,
  RECORD_SCALE,
  RECORD_SEGMENT,
  RECORD_SLOT2,
} from "../interp/record.ts";
import { BUDGET, LOAD_OPCODE, placeLoad, placeStore, RECORD, STATE, STORE_OPCODE } from "../wasm-lowering.ts";
import {
  addressDisplacement,
  addressRegister,
  addressScale,
  gprByte,
  placeBit,
  registerNumber,
} from "./binding.ts";
import { fieldBit, gprBit } from "./locals.ts";
import type { RegionInstruction } from "./region.ts";
import { RegionCode } from "./region-code.ts";
import { createConditionTemplate, type Hole, HoleKind, isInLocal, type Template } from "./template.ts";

/** Functions that regions call, by index in their module. */
export interface RegionRuntime {
  /** (state, record, budget) → leave code: goes on at a record */
  readonly enter: number;
  /** (state, record, budget) → leave code: goes on at the RIP in the state */
  readonly jump: number;
  /** (state, address, bytes) → linear address, or -1 where the interpreter must do it. */
  readonly load: number;
  readonly modify: number;
  /** The same, 0 if it has been done: for what goes through the scratch bytes. */
  readonly store: number;
  readonly probe: number;
  readonly commit: number;
  /** (state, address, bytes) → 1 unless the TLB's stack entry has the page now (stack-entry.ts). */
  readonly stack: number;
  /** (state, record, budget) → 1 after an exception */
  helper(name: string): number;
}

/** Where the interpreter must take over: the state is as before this instruction. */
export interface FaultSite {
  readonly rip: number;
  /** Instructions of its block before it: not taken from the budget yet. */
  readonly since: number;
  /** Whose flags are deferred, in the capture slots. */
  readonly flags: RegionInstruction | undefined;
}

const LOAD_KIND = {
  u8: LOAD_OPCODE.i64_8u,
  u16: LOAD_OPCODE.i64_16u,
  u32: LOAD_OPCODE.i64_32u,
  u64: LOAD_OPCODE.i64,
  f32: LOAD_OPCODE.f32,
  f64: LOAD_OPCODE.f64,
  v128: LOAD_OPCODE.v128,
} as const;
const STORE_KIND = {
  u8: STORE_OPCODE.i64_8,
  u16: STORE_OPCODE.i64_16,
  u32: STORE_OPCODE.i64_32,
  u64: STORE_OPCODE.i64,
  f32: STORE_OPCODE.f32,
  f64: STORE_OPCODE.f64,
  v128: STORE_OPCODE.v128,
} as const;

const DROP = 0x1a;

/** Templates of expressions can need locals while those of the instruction around them are in use: up to this depth. */
const NESTING = 3;

const conditionTemplates = new Map<number, Template>();

function conditionTemplate(code: number): Template {
  let template = conditionTemplates.get(code);
  if (template === undefined) {
    template = createConditionTemplate(code);
    conditionTemplates.set(code, template);
  }
  return template;
}

const op = (name: string): readonly number[] => numericOpcode(name).code;
const Op = {
  wrap: op("i32.wrap_i64"),
  i32add: op("i32.add"),
  i32and: op("i32.and"),
  i32shru: op("i32.shr_u"),
  i32eq: op("i32.eq"),
  i64add: op("i64.add"),
  i64and: op("i64.and"),
  i64or: op("i64.or"),
  i64shl: op("i64.shl"),
  i64shru: op("i64.shr_u"),
  i64ne: op("i64.ne"),
  extend: op("i64.extend_i32_u"),
} as const;

export abstract class Emitter extends RegionCode {
  /** Whose flags are not stored yet. */
  protected flags: RegionInstruction | undefined;
  private readonly scratchLocals: Map<WasmType, number[]>[] = [];
  private readonly captureLocals = new Map<number, number>();
  /** General registers whose upper half is known to be zero, a bit each. */
  private narrow = 0;
  private readonly memoryEntry: number;
  private readonly memoryLow: number;
  private readonly memoryHost: number;

  constructor(
    protected readonly runtime: RegionRuntime,
    writeThrough: boolean,
  ) {
    super(writeThrough);
    for (let level = 0; level < NESTING; level++) this.scratchLocals.push(new Map());
    this.memoryEntry = this.local("i32");
    this.memoryLow = this.local("i32");
    this.memoryHost = this.local("i32");
  }

  // ---- locals ----

  private scratch(level: number, template: Template, index: number): number {
    const type = template.scratch[index];
    let nth = 0;
    for (let before = 0; before < index; before++) if (template.scratch[before] === type) nth++;
    const byType = this.scratchLocals[level];
    let locals = byType.get(type);
    if (locals === undefined) {
      locals = [];
      byType.set(type, locals);
    }
    while (locals.length <= nth) locals.push(this.local(type));
    return locals[nth];
  }

  /** Local of a captured operand: `type` 0 = i64, 1 = i32. */
  protected capture(bank: number, type: number, index: number): number {
    const key = captureKey(bank, type, index);
    let local = this.captureLocals.get(key);
    if (local === undefined) {
      local = this.local(type === 0 ? "i64" : "i32");
      this.captureLocals.set(key, local);
    }
    return local;
  }

  /** Every capture local in use: its key (see {@link captureKey}) and number. */
  protected get captures(): Iterable<readonly [key: number, local: number]> {
    return this.captureLocals;
  }

  /** Nothing is known of the general registers any more. */
  protected forgetNarrow(): void {
    this.narrow = 0;
  }

  // ---- what the region decides ----

  /** Leaves the current instruction to the interpreter; `templateDepth`: blocks of the template that are open. */
  protected abstract fault(): void;
  /** The same if the i32 on the stack is not zero. */
  protected abstract faultIf(): this;
  protected abstract helper(name: string, mayFault: boolean): void;
  protected abstract setCondition(): void;
  protected abstract jump(): void;

  // ---- an instruction ----

  /** Emits an instruction; what its flags will be is then {@link flags}. */
  protected emitInstruction(instruction: RegionInstruction): void {
    const { template } = instruction;
    if (template.storesFlags || template.helps) {
      this.materialize();
      this.flags = undefined;
    } else if (template.deferred !== undefined && this.flags !== undefined)
      this.keepFields(template.deferred.fields);
    this.stitch(template, instruction, 0);
    if (template.deferred !== undefined) this.flags = instruction;
  }

  /** Stores the deferred fields that are not among these. */
  private keepFields(fields: ReadonlyMap<number, unknown>): void {
    if (fields.size === 4) return;
    const { flags } = this;
    if (flags?.template.deferred === undefined) return;
    for (const offset of flags.template.deferred.fields.keys())
      if (!fields.has(offset)) this.storeField(offset);
  }

  /** Computes the deferred flags into their locals. */
  protected materialize(): void {
    const deferred = this.flags?.template.deferred;
    if (deferred === undefined) return;
    for (const offset of deferred.fields.keys()) this.storeField(offset);
  }

  private storeField(offset: number): void {
    this.getField(offset, 0);
    this.popPart(fieldBit(offset));
  }

  /** Pushes a flag field. */
  private getField(offset: number, level: number): void {
    const { flags } = this;
    const template = flags?.template.deferred?.fields.get(offset);
    if (flags !== undefined && template !== undefined) this.stitch(template, flags, level + 1);
    else this.pushPart(fieldBit(offset));
  }

  private condition(code: number, level: number): void {
    const { flags } = this;
    const direct = flags?.template.deferred?.condition(code);
    if (flags !== undefined && direct !== undefined) this.stitch(direct, flags, level + 1);
    else this.stitch(conditionTemplate(code), undefined, level + 1);
  }

  private stitch(template: Template, owner: RegionInstruction | undefined, level: number): void {
    const { code } = this;
    const { bytes, holes } = template;
    const depth = this.depth;
    let at = 0;
    for (const hole of holes) {
      if (hole.at > at) {
        code.bytes(bytes.subarray(at, hole.at));
        at = hole.at;
      }
      this.depth = depth + hole.depth;
      if (level === 0) this.isCertain = hole.depth === 0;
      this.fill(hole, template, owner, level);
    }
    if (at < bytes.length) code.bytes(at === 0 ? bytes : bytes.subarray(at));
    this.depth = depth;
    if (level === 0) this.isCertain = true;
  }

  private fill(hole: Hole, template: Template, owner: RegionInstruction | undefined, level: number): void {
    switch (hole.kind) {
      case HoleKind.ScratchGet:
        this.get(this.scratch(level, template, hole.x));
        return;
      case HoleKind.ScratchSet:
        this.set(this.scratch(level, template, hole.x));
        return;
      case HoleKind.ScratchTee:
        this.tee(this.scratch(level, template, hole.x));
        return;
      case HoleKind.Condition:
        this.condition(hole.x, level);
        return;
      case HoleKind.Commit:
        this.get(STATE).get(RECORD).get(BUDGET).call(this.runtime.commit);
        this.code.byte(DROP);
        return;
      case HoleKind.Probe:
        this.get(STATE)
          .get(this.scratch(level, template, hole.x))
          .i32(hole.y)
          .call(this.runtime.probe);
        this.faultIf();
        return;
      case HoleKind.Fault:
        this.fault();
        return;
      case HoleKind.Helper:
        this.helper(hole.name, hole.x !== 0);
        this.narrow = 0;
        return;
      case HoleKind.SetCondition:
        this.setCondition();
        return;
      case HoleKind.Jump:
        this.jump();
        return;
    }
    if (hole.kind === HoleKind.PlaceGet && hole.place?.kind === "field" && isInLocal(hole.place)) {
      this.getField(hole.place.offset, level);
      return;
    }
    if (owner === undefined) throw new Error("an expression without an instruction refers to none");
    const { record } = owner;
    switch (hole.kind) {
      case HoleKind.Load:
        this.load(hole, record, template, level);
        break;
      case HoleKind.Store:
        this.store(hole, record, template, level);
        break;
      case HoleKind.CaptureGet:
        this.get(this.capture(owner.bank, hole.x, hole.y));
        break;
      case HoleKind.CaptureSet:
        this.set(this.capture(owner.bank, hole.x, hole.y));
        break;
      case HoleKind.PlaceGet:
        if (hole.place !== undefined) this.getPlace(hole.place, record);
        break;
      case HoleKind.PlaceSet:
        if (hole.place !== undefined) this.setPlace(hole.place, record, hole.x !== 0);
        break;
      case HoleKind.Encoded:
        this.encoded(hole, record);
        break;
      case HoleKind.RegisterNumber:
        if (hole.register !== undefined) this.i32(registerNumber(record, hole.register));
        break;
      case HoleKind.EffectiveAddress:
        this.effectiveAddress(record, hole.x !== 0);
        break;
      default:
        throw new Error(`hole of kind ${hole.kind}`);
    }
  }

  // ---- operands ----

  private encoded({ field }: Hole, record: DataView): void {
    switch (field) {
      case "immediate":
        this.constant(record, RECORD_IMMEDIATE);
        break;
      case "absolute":
        this.constant(record, RECORD_ABSOLUTE);
        break;
      case "displacement":
        this.i64(record.getInt32(RECORD_DISPLACEMENT, true));
        break;
      case "scale":
        this.i64(record.getUint8(RECORD_SCALE));
        break;
      case "second":
        this.i32(record.getUint8(RECORD_SLOT2));
        break;
      case "base":
      case "index": {
        const register = addressRegister(record, field);
        if (register < 0) this.i64(0);
        else this.pushPart(gprBit(register));
        break;
      }
      case "segmentBase": {
        const offset = record.getUint8(RECORD_SEGMENT);
        if (offset === SEGMENT_BASE_ZERO) this.i64(0);
        else this.get(STATE).memory(LOAD_OPCODE.i64, offset);
        break;
      }
      default:
        throw new Error(`${field} belongs to paired records`);
    }
  }

  private constant(record: DataView, at: number): void {
    this.code.byte(0x42).s64halves(record.getInt32(at, true), record.getInt32(at + 4, true));
  }

  private effectiveAddress(record: DataView, indexed: boolean): void {
    const base = addressRegister(record, "base");
    const index = indexed ? addressRegister(record, "index") : -1;
    const displacement = addressDisplacement(record);
    if (base >= 0) this.pushPart(gprBit(base));
    if (index >= 0) {
      this.pushPart(gprBit(index));
      const scale = addressScale(record);
      if (scale !== 0) this.i64(scale).numeric(Op.i64shl);
      if (base >= 0) this.numeric(Op.i64add);
    }
    if (base < 0 && index < 0) this.i64(displacement);
    else if (displacement !== 0) this.i64(displacement).numeric(Op.i64add);
  }

  private getPlace(place: Place, record: DataView): void {
    switch (place.kind) {
      case "mmx":
        this.memory(LOAD_OPCODE.i64, X87 + registerNumber(record, place.register) * X87_STRIDE);
        break;
      case "field":
        this.memory(placeLoad(place), place.offset);
        break;
      case "gpr": {
        const byte = gprByte(record, place.register);
        this.pushPart(gprBit(byte >> 3));
        if ((byte & 7) === 1) this.i64(8).numeric(Op.i64shru);
        if (place.bits === 32) {
          if ((this.narrow & (1 << (byte >> 3))) === 0) this.numeric(Op.wrap).numeric(Op.extend);
        } else if (place.bits < 32) this.i64(2 ** place.bits - 1).numeric(Op.i64and);
        break;
      }
      case "xmm":
        this.pushPart(placeBit(record, place));
        this.extractPart(place.part);
    }
  }

  private lane(name: string, index: number): this {
    this.numeric(op(name));
    this.code.byte(index);
    return this;
  }

  private extractPart(part: string): void {
    switch (part) {
      case "v128":
      case "high":
        break;
      case "q0":
      case "q1":
        this.lane("i64x2.extract_lane", part === "q0" ? 0 : 1);
        break;
      case "d0":
        this.lane("i32x4.extract_lane", 0).numeric(Op.extend);
        break;
      case "f64":
        this.lane("f64x2.extract_lane", 0);
        break;
      case "f32":
        this.lane("f32x4.extract_lane", 0);
        break;
      default:
        throw new Error(`part ${part} of a vector register`);
    }
  }

  /** Pops the value. */
  private setPlace(place: Place, record: DataView, isNarrow: boolean): void {
    switch (place.kind) {
      case "mmx":
        this.memory(STORE_OPCODE.i64, X87 + registerNumber(record, place.register) * X87_STRIDE);
        break;
      case "field":
        if (isInLocal(place)) this.popPart(fieldBit(place.offset));
        else this.memory(placeStore(place), place.offset);
        break;
      case "gpr":
        this.setGpr(place, record, isNarrow);
        break;
      case "xmm": {
        const bit = placeBit(record, place);
        if (place.part !== "v128" && place.part !== "high") this.insertPart(place.part, bit);
        this.popPart(bit);
      }
    }
  }

  private setGpr(place: Place & { kind: "gpr" }, record: DataView, isNarrow: boolean): void {
    const byte = gprByte(record, place.register);
    const bit = 1 << (byte >> 3);
    switch (place.bits) {
      case 64:
        this.narrow = isNarrow ? this.narrow | bit : this.narrow & ~bit;
        break;
      case 32:
        if (!isNarrow) this.numeric(Op.wrap).numeric(Op.extend);
        this.narrow |= bit;
        break;
      default: {
        // The rest of the register stays.
        const shift = (byte & 7) === 1 ? 8 : 0;
        const mask = 2 ** place.bits - 1;
        this.i64(mask).numeric(Op.i64and);
        if (shift !== 0) this.i64(shift).numeric(Op.i64shl);
        this.pushPart(gprBit(byte >> 3))
          .i64(-1 - mask * 2 ** shift)
          .numeric(Op.i64and);
        this.numeric(Op.i64or);
      }
    }
    this.popPart(gprBit(byte >> 3));
  }

  /** Puts the value on the stack into the register's vector, whose other lanes stay. */
  private insertPart(part: string, bit: number): void {
    const type = PART_TYPE[part];
    if (type === undefined) throw new Error(`part ${part} of a vector register`);
    const kept = this.insertLocal(type);
    this.set(kept).pushPart(bit).get(kept);
    switch (part) {
      case "q0":
      case "q1":
        this.lane("i64x2.replace_lane", part === "q0" ? 0 : 1);
        break;
      case "d0":
        this.numeric(Op.wrap).lane("i32x4.replace_lane", 0);
        break;
      case "f64":
        this.lane("f64x2.replace_lane", 0);
        break;
      default:
        this.lane("f32x4.replace_lane", 0);
    }
  }

  private readonly insertLocals = new Map<WasmType, number>();

  private insertLocal(type: WasmType): number {
    let local = this.insertLocals.get(type);
    if (local === undefined) {
      local = this.local(type);
      this.insertLocals.set(type, local);
    }
    return local;
  }

  // ---- guest memory ----

  /** Pushes 1 unless the access hits the TLB. */
  private missesTlb(address: number, bytes: number, tag: number): void {
    this.get(address).numeric(Op.wrap).tee(this.memoryLow);
    this.i32(PAGE_SHIFT - TLB_ENTRY_SHIFT).numeric(Op.i32shru);
    this.i32((TLB_ENTRIES - 1) << TLB_ENTRY_SHIFT).numeric(Op.i32and);
    this.get(STATE).numeric(Op.i32add).tee(this.memoryEntry);
    this.memory(LOAD_OPCODE.i64, TLB + tag);
    this.get(address);
    if (bytes > 1) this.i64(bytes - 1).numeric(Op.i64add);
    this.i64(-4096).numeric(Op.i64and).numeric(Op.i64ne);
  }

  /** Leaves unless the TLB's entry for the stack covers the access, perhaps after another look into the table. */
  private findStack(address: number, bytes: number): void {
    // Aligned accesses stay within a page; the others are looked up each time.
    this.get(address)
      .i64(-4096 + bytes - 1)
      .numeric(Op.i64and);
    this.get(STATE)
      .memory(LOAD_OPCODE.i64, TLB + TLB_STACK + TLB_WRITE)
      .numeric(Op.i64ne);
    this.openUnlikely();
    this.get(STATE).get(address).i32(bytes).call(this.runtime.stack).faultIf();
    this.close();
  }

  /** Pushes the linear address of a hit there. */
  private stackHit(address: number): this {
    return this.get(address)
      .numeric(Op.wrap)
      .get(STATE)
      .memory(LOAD_OPCODE.i32, TLB + TLB_STACK + TLB_ADDEND)
      .numeric(Op.i32add);
  }

  /** Pushes the linear address of a TLB hit. */
  private hit(): this {
    return this.get(this.memoryLow)
      .get(this.memoryEntry)
      .memory(LOAD_OPCODE.i32, TLB + TLB_ADDEND)
      .numeric(Op.i32add);
  }

  private load(hole: Hole, record: DataView, template: Template, level: number): void {
    const kind = kindOf(hole);
    const bytes = MEMORY_BYTES[kind];
    const address = this.scratch(level, template, hole.x);
    if (isStackAccess(hole, record)) {
      this.findStack(address, bytes);
      this.stackHit(address);
      if (hole.y >= 0) this.tee(this.scratch(level, template, hole.y));
      this.memory(LOAD_KIND[kind], 0);
      return;
    }
    this.missesTlb(address, bytes, hole.write ? TLB_WRITE : TLB_READ);
    if (this.writeThrough) {
      // Leaving is cheap: the interpreter fills the TLB.
      this.faultIf();
      this.hit();
      if (hole.y >= 0) this.tee(this.scratch(level, template, hole.y));
    } else {
      const host = hole.y < 0 ? this.memoryHost : this.scratch(level, template, hole.y);
      this.openUnlikely();
      this.get(STATE)
        .get(address)
        .i32(bytes)
        .call(hole.write ? this.runtime.modify : this.runtime.load);
      this.tee(host).i32(-1).numeric(Op.i32eq).faultIf();
      this.otherwise();
      this.hit().set(host);
      this.close();
      this.get(host);
    }
    this.memory(LOAD_KIND[kind], 0);
  }

  private store(hole: Hole, record: DataView, template: Template, level: number): void {
    const kind = kindOf(hole);
    const bytes = MEMORY_BYTES[kind];
    const address = this.scratch(level, template, hole.x);
    const value = this.scratch(level, template, hole.y);
    if (isStackAccess(hole, record)) {
      this.findStack(address, bytes);
      this.stackHit(address).get(value).memory(STORE_KIND[kind], 0);
      return;
    }
    this.missesTlb(address, bytes, TLB_WRITE);
    if (this.writeThrough) {
      this.faultIf();
      this.hit().get(value).memory(STORE_KIND[kind], 0);
      return;
    }
    this.openUnlikely();
    this.get(STATE).get(value).memory(STORE_KIND[kind], SCRATCH);
    this.get(STATE).get(address).i32(bytes).call(this.runtime.store).faultIf();
    this.otherwise();
    this.hit().get(value).memory(STORE_KIND[kind], 0);
    this.close();
  }
}

/** Is the address that of the stack pointer, give or take a constant? */
function isStackAccess({ base, memory }: Hole, record: DataView): boolean {
  // Vectors are as a rule aligned to eight bytes only.
  if (memory === "v128") return false;
  if (base !== "operand") return base === "rsp";
  return addressRegister(record, "base") === Register.RSP && addressRegister(record, "index") < 0;
}

function kindOf({ memory }: Hole): MemoryKind {
  if (memory === undefined) throw new Error("a memory access without a size");
  return memory;
}

const PART_TYPE: Readonly<Record<string, WasmType>> = {
  q0: "i64",
  q1: "i64",
  d0: "i64",
  f64: "f64",
  f32: "f32",
};

/** Capture locals of both banks by number: bank × 8 + (type × 4) + index. */
export function captureKey(bank: number, type: number, index: number): number {
  return bank * 8 + type * 4 + index;
}
