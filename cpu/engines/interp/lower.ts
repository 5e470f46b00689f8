/**
 * Lowers the IR of an instruction to the WebAssembly body of its interpreter handler.
 *
 * A handler has the signature (state, record, budget) → leave code and ends with a tail call to the next record's
 * handler. All three parameters live in machine registers; guest registers live in memory at `state`.
 */

import { TLB_ADDEND, TLB_ENTRIES, TLB_ENTRY_SHIFT, TLB_READ, TLB_WRITE } from "../../../mmu/tlb.ts";
import { PAGE_SHIFT } from "../../../mmu/translator.ts";
import {
  type Block,
  type EncodedField,
  type Instructions,
  MEMORY_BYTES,
  type MemoryKind,
  type Modify,
  type Place,
  type RegisterRef,
  type Statement,
  type Value,
  type Variable,
} from "../../ir/value.ts";
import {
  EXCEPTION_ERROR,
  EXCEPTION_VECTOR,
  EXIT_BUDGET,
  EXIT_RECORD,
  GPR,
  HELPER_ARGUMENTS,
  JUMP_CACHE,
  JUMP_CACHE_ENTRIES,
  JUMP_CACHE_ENTRY_SHIFT,
  RIP,
  SCRATCH,
  TLB,
  X87,
  X87_STRIDE,
  XMM,
  XMM_STRIDE,
} from "../../state.ts";
import { ByteWriter } from "../../wasm/byte-writer.ts";
import type { WasmType } from "../../wasm/module-builder.ts";
import { numericOpcode } from "../../wasm/opcodes.ts";
import {
  Leave,
  RECORD_ABSOLUTE,
  RECORD_BASE,
  RECORD_DISPLACEMENT,
  RECORD_HANDLER,
  RECORD_IMMEDIATE,
  RECORD_INDEX,
  RECORD_LINK,
  RECORD_NEED,
  RECORD_PAIR_MEMORY_IMMEDIATE,
  RECORD_PAIR_PLAIN_IMMEDIATE,
  RECORD_RETIRE,
  RECORD_SCALE,
  RECORD_SEGMENT,
  RECORD_SIZE,
  RECORD_SLOT2,
  SECOND_OF_PAIR,
  SLOT_BYTES,
} from "./record.ts";

/** Parameters of every handler. */
const STATE = 0;
const RECORD = 1;
const BUDGET = 2;
const PARAMETERS = 3;

/** Indices of the functions a handler calls, and the type of handlers. */
export interface Runtime {
  readonly handlerType: number;
  /** (state, record, budget, address i64, length) → linear address or -1 */
  readonly load: number;
  readonly modify: number;
  /** (state, record, budget, address i64, length) → 0, or 1 on a fault; the value is in the scratch bytes */
  readonly store: number;
  readonly probe: number;
  /** (state, record, budget): writes back after a modify through the scratch bytes */
  readonly commit: number;
  /** (state, record, budget) → record of the branch target, or 0 on a fault */
  readonly link: number;
  /** (state, record, budget) → record for the RIP in the state, or 0 on a fault */
  readonly lookup: number;
  /** (state, record, budget) → 0, or 1 on an exception */
  helper(name: string): number;
}

/** Memory instructions: opcode and the alignment exponent they are encoded with (1 byte: guests align as they like). */
const LOAD_OPCODE = {
  i32: [0x28],
  i64: [0x29],
  f32: [0x2a],
  f64: [0x2b],
  i32_8u: [0x2d],
  i32_16u: [0x2f],
  i64_8u: [0x31],
  i64_16u: [0x33],
  i64_32s: [0x34],
  i64_32u: [0x35],
  v128: [0xfd, 0x00],
} as const;
const STORE_OPCODE = {
  i32: [0x36],
  i64: [0x37],
  f32: [0x38],
  f64: [0x39],
  i32_16: [0x3b],
  i64_8: [0x3c],
  i64_16: [0x3d],
  i64_32: [0x3e],
  v128: [0xfd, 0x0b],
} as const;
const LOAD_KIND = {
  u8: "i64_8u",
  u16: "i64_16u",
  u32: "i64_32u",
  u64: "i64",
  f32: "f32",
  f64: "f64",
  v128: "v128",
} as const;
const STORE_KIND = {
  u8: "i64_8",
  u16: "i64_16",
  u32: "i64_32",
  u64: "i64",
  f32: "f32",
  f64: "f64",
  v128: "v128",
} as const;
const GPR_LOAD = { 8: "i64_8u", 16: "i64_16u", 32: "i64_32u", 64: "i64" } as const;
const GPR_STORE = { 8: "i64_8", 16: "i64_16", 32: "i64", 64: "i64" } as const;

const VOID = 0x40;
const I32 = 0x7f;

export interface LoweredHandler {
  readonly locals: WasmType[];
  readonly code: Uint8Array;
}

/** Lowers one handler. `instructions` may be a fused pair: then only the second transfers control. */
export function lowerHandler(instructions: Instructions, runtime: Runtime): LoweredHandler {
  return new Lowering(runtime).handler(instructions);
}

class Lowering {
  private readonly code = new ByteWriter();
  private readonly locals: WasmType[] = [];
  private readonly valueLocal = new Map<Value, number>();
  private readonly variableLocal = new Map<Variable, number>();
  private readonly modifyLocal = new Map<Modify, { host: number; address: number }>();

  /** The second instruction of a pair is being lowered. */
  private second = false;

  constructor(private readonly runtime: Runtime) {}

  handler(instructions: Instructions): LoweredHandler {
    countUses(instructions.body);
    this.block(instructions.body);
    if (instructions.fallsThrough) this.next();
    else this.code.byte(0x00); // unreachable: control has left
    this.code.byte(0x0b);
    return { locals: this.locals, code: this.code.toBytes().slice() };
  }

  // ---- emission ----

  private local(type: WasmType): number {
    this.locals.push(type);
    return PARAMETERS + this.locals.length - 1;
  }

  private get(local: number): this {
    this.code.byte(0x20).u32(local);
    return this;
  }
  private setLocal(local: number): this {
    this.code.byte(0x21).u32(local);
    return this;
  }
  private tee(local: number): this {
    this.code.byte(0x22).u32(local);
    return this;
  }
  private i32(value: number): this {
    this.code.byte(0x41).s32(value);
    return this;
  }
  private i64(value: bigint): this {
    this.code.byte(0x42).s64(value);
    return this;
  }
  private numeric(name: string): this {
    this.code.bytes(numericOpcode(name).code);
    return this;
  }
  private memory(opcode: readonly number[], offset: number): this {
    this.code.bytes(opcode).byte(0).u32(offset);
    return this;
  }
  private call(index: number): this {
    this.code.byte(0x10).u32(index);
    return this;
  }
  private returnCode(code: number): this {
    this.i32(code);
    this.code.byte(0x0f);
    return this;
  }

  // ---- dispatch ----

  /** Tail call into the record whose address is in a local. */
  private dispatch(record: number): void {
    this.get(STATE).get(record).get(BUDGET).get(record).memory(LOAD_OPCODE.i32, RECORD_HANDLER);
    this.code.byte(0x13).u32(this.runtime.handlerType).u32(0);
  }

  private next(): void {
    this.get(STATE).get(RECORD).i32(RECORD_SIZE).numeric("i32.add");
    this.get(BUDGET)
      .get(RECORD)
      .memory(LOAD_OPCODE.i32, RECORD_SIZE + RECORD_HANDLER);
    this.code.byte(0x13).u32(this.runtime.handlerType).u32(0);
  }

  /** budget -= instructions finished here */
  private retire(): void {
    this.get(BUDGET)
      .get(RECORD)
      .memory(LOAD_OPCODE.i32_8u, RECORD_RETIRE)
      .numeric("i32.sub")
      .setLocal(BUDGET);
  }

  /** Continues at the trace in a local, if the budget covers it. */
  private enter(target: number): void {
    this.get(BUDGET).get(target).memory(LOAD_OPCODE.i32_8u, RECORD_NEED).numeric("i32.lt_s");
    this.code.byte(0x04).byte(VOID);
    this.saveExit(target).returnCode(Leave.Budget);
    this.code.byte(0x0b);
    this.dispatch(target);
  }

  /** Pushes the record's address, marked if the second instruction of a pair is under way: for whoever may stop here. */
  private here(): this {
    this.get(RECORD);
    if (this.second) this.i32(SECOND_OF_PAIR).numeric("i32.or");
    return this;
  }

  private saveFault(): this {
    this.get(STATE).here().memory(STORE_OPCODE.i32, EXIT_RECORD);
    return this.get(STATE).get(BUDGET).memory(STORE_OPCODE.i32, EXIT_BUDGET);
  }

  private saveExit(record: number): this {
    this.get(STATE).get(record).memory(STORE_OPCODE.i32, EXIT_RECORD);
    return this.get(STATE).get(BUDGET).memory(STORE_OPCODE.i32, EXIT_BUDGET);
  }

  private followLink(): void {
    const target = this.local("i32");
    this.get(RECORD).memory(LOAD_OPCODE.i32, RECORD_LINK).tee(target).numeric("i32.eqz");
    this.code.byte(0x04).byte(VOID);
    this.get(STATE).get(RECORD).get(BUDGET).call(this.runtime.link).tee(target).numeric("i32.eqz");
    this.code.byte(0x04).byte(VOID);
    this.returnCode(Leave.FetchFault);
    this.code.byte(0x0b).byte(0x0b);
    this.enter(target);
  }

  // ---- statements ----

  private block(block: Block): void {
    for (const statement of block) this.statement(statement);
  }

  private statement(statement: Statement): void {
    switch (statement.do) {
      case "value":
        this.pin(statement.value);
        break;
      case "set":
        this.setPlace(statement.place, statement.value);
        break;
      case "store":
        this.store(statement.address, statement.kind, statement.value);
        break;
      case "probe":
        this.get(STATE).here().get(BUDGET);
        this.value(statement.address);
        this.i32(statement.bytes).call(this.runtime.probe);
        this.leaveIfSet();
        break;
      case "commit":
        this.commit(statement.modify, statement.value);
        break;
      case "assign":
        this.value(statement.value);
        this.setLocal(this.variable(statement.variable));
        break;
      case "if":
        this.value(statement.condition);
        this.code.byte(0x04).byte(VOID);
        this.block(statement.yes);
        if (statement.no.length > 0) {
          this.code.byte(0x05);
          this.block(statement.no);
        }
        this.code.byte(0x0b);
        break;
      case "loop":
        this.code.byte(0x03).byte(VOID);
        this.block(statement.body);
        this.code.byte(0x0b);
        break;
      case "continueIf":
        this.value(statement.condition);
        this.code.byte(0x0d).u32(0);
        break;
      case "helper":
        this.helper(statement.name, statement.args, statement.mayFault);
        break;
      case "exception":
        this.get(STATE).i32(statement.vector).memory(STORE_OPCODE.i32, EXCEPTION_VECTOR);
        this.get(STATE).i32(statement.error).memory(STORE_OPCODE.i32, EXCEPTION_ERROR);
        this.saveFault().returnCode(Leave.Fault);
        break;
      case "exit":
        this.retire();
        this.saveExit(RECORD).returnCode(Leave.Completed + statement.reason);
        break;
      case "branch":
        if (statement.condition === undefined) {
          this.retire();
          this.followLink();
        } else {
          this.value(statement.condition);
          const taken = this.local("i32");
          this.setLocal(taken);
          this.retire();
          this.get(taken);
          this.code.byte(0x04).byte(VOID);
          this.followLink();
          this.code.byte(0x0b);
        }
        break;
      case "jump":
        this.jump(statement.target);
        break;
      case "again":
        this.dispatch(RECORD);
        break;
      case "second":
        this.second = true;
        break;
    }
  }

  private leaveIfSet(): void {
    this.code.byte(0x04).byte(VOID);
    this.returnCode(Leave.Fault);
    this.code.byte(0x0b);
  }

  private helper(name: string, args: readonly Value[], mayFault: boolean): void {
    args.forEach((argument, slot) => {
      this.get(STATE);
      this.value(argument);
      this.memory(STORE_OPCODE[argument.type], HELPER_ARGUMENTS + slot * 16);
    });
    this.get(STATE).here().get(BUDGET).call(this.runtime.helper(name));
    if (mayFault) this.leaveIfSet();
    else this.code.byte(0x1a);
  }

  private jump(target: Value): void {
    const address = this.local("i64");
    const entry = this.local("i32");
    const record = this.local("i32");
    this.value(target);
    this.setLocal(address);
    this.retire();
    this.get(STATE).get(address).memory(STORE_OPCODE.i64, RIP);
    // entry = state + ((rip ^ rip >> 12) & mask) << shift
    this.get(address).numeric("i32.wrap_i64");
    this.get(address).numeric("i32.wrap_i64").i32(12).numeric("i32.shr_u").numeric("i32.xor");
    this.i32(JUMP_CACHE_ENTRIES - 1)
      .numeric("i32.and")
      .i32(JUMP_CACHE_ENTRY_SHIFT)
      .numeric("i32.shl");
    this.get(STATE).numeric("i32.add").tee(entry);
    this.memory(LOAD_OPCODE.i64, JUMP_CACHE).get(address).numeric("i64.eq");
    this.code.byte(0x04).byte(I32);
    this.get(entry).memory(LOAD_OPCODE.i32, JUMP_CACHE + 8);
    this.code.byte(0x05);
    this.i32(0);
    this.code.byte(0x0b);
    this.tee(record).numeric("i32.eqz");
    this.code.byte(0x04).byte(VOID);
    this.get(STATE).get(RECORD).get(BUDGET).call(this.runtime.lookup).tee(record).numeric("i32.eqz");
    this.code.byte(0x04).byte(VOID);
    this.returnCode(Leave.FetchFault);
    this.code.byte(0x0b).byte(0x0b);
    this.enter(record);
  }

  // ---- values ----

  /** Evaluates a value at its place in the sequence, unless it is pure and needed once at most. */
  private pin(value: Value): void {
    if (value.op === "load") {
      this.load(value);
      return;
    }
    if (value.uses === 0) return;
    if (isPure(value) && value.uses === 1) return;
    this.compute(value);
    const local = this.local(value.type);
    this.setLocal(local);
    this.valueLocal.set(value, local);
  }

  /** Pushes a value. */
  private value(value: Value): void {
    const local = this.valueLocal.get(value);
    if (local !== undefined) this.get(local);
    else this.compute(value);
  }

  private compute(value: Value): void {
    switch (value.op) {
      case "const":
        switch (value.type) {
          case "i32":
            this.i32(Number(value.value));
            break;
          case "i64":
            this.i64(BigInt(value.value));
            break;
          case "f32":
            this.code.byte(0x43).f32(Number(value.value));
            break;
          default:
            this.code.byte(0x44).f64(Number(value.value));
        }
        break;
      case "const128":
        this.code.byte(0xfd).byte(0x0c).bytes(value.bytes);
        break;
      case "numeric":
        for (const argument of value.args) this.value(argument);
        this.numeric(value.name);
        if (value.lane !== undefined) this.code.byte(value.lane);
        break;
      case "shuffle":
        this.value(value.args[0]);
        this.value(value.args[1]);
        this.code.byte(0xfd).byte(0x0d).bytes(value.lanes);
        break;
      case "select": {
        const [condition, yes, no] = value.args;
        this.value(yes);
        this.value(no);
        this.value(condition);
        this.code.byte(value.type === "v128" ? 0x1c : 0x1b);
        if (value.type === "v128") this.code.byte(1).byte(0x7b);
        break;
      }
      case "encoded":
        this.encoded(value.field);
        break;
      case "registerNumber":
        this.registerNumber(value.register);
        break;
      case "get":
        this.getPlace(value.place);
        break;
      case "variable":
        this.get(this.variable(value.variable));
        break;
      case "helperResult":
        this.get(STATE).memory(LOAD_OPCODE[value.type], HELPER_ARGUMENTS + value.slot * 16);
        break;
      case "load":
        throw new Error("a load is evaluated where it stands");
    }
  }

  private variable(variable: Variable): number {
    let local = this.variableLocal.get(variable);
    if (local === undefined) {
      local = this.local(variable.type);
      this.variableLocal.set(variable, local);
    }
    return local;
  }

  private encoded(field: EncodedField): void {
    switch (field) {
      case "immediate":
        this.get(RECORD).memory(LOAD_OPCODE.i64, RECORD_IMMEDIATE);
        break;
      case "absolute":
        this.get(RECORD).memory(LOAD_OPCODE.i64, RECORD_ABSOLUTE);
        break;
      case "displacement":
        this.get(RECORD).memory(LOAD_OPCODE.i64_32s, RECORD_DISPLACEMENT);
        break;
      case "scale":
        this.get(RECORD).memory(LOAD_OPCODE.i64_8u, RECORD_SCALE);
        break;
      case "second":
        this.get(RECORD).memory(LOAD_OPCODE.i32_8u, RECORD_SLOT2);
        break;
      case "immediateInDisplacement":
        this.get(RECORD).memory(LOAD_OPCODE.i64_32s, RECORD_PAIR_PLAIN_IMMEDIATE);
        break;
      case "immediateInLink":
        this.get(RECORD).memory(LOAD_OPCODE.i64_32s, RECORD_PAIR_MEMORY_IMMEDIATE);
        break;
      case "base":
        this.stateOffset(RECORD_BASE).memory(LOAD_OPCODE.i64, 0);
        break;
      case "index":
        this.stateOffset(RECORD_INDEX).memory(LOAD_OPCODE.i64, 0);
        break;
      case "segmentBase":
        this.stateOffset(RECORD_SEGMENT).memory(LOAD_OPCODE.i64, 0);
        break;
    }
  }

  /** Pushes state + a byte of the record. */
  private stateOffset(field: number): this {
    return this.get(STATE).get(RECORD).memory(LOAD_OPCODE.i32_8u, field).numeric("i32.add");
  }

  private registerNumber(register: RegisterRef): void {
    if ("fixed" in register) this.i32(register.fixed);
    else this.get(RECORD).memory(LOAD_OPCODE.i32_8u, SLOT_BYTES[register.slot]);
  }

  /** Pushes the base address of a place and returns the constant offset that belongs to it. */
  private placeAddress(place: Place): number {
    switch (place.kind) {
      case "gpr":
        if ("fixed" in place.register) {
          this.get(STATE);
          return GPR + place.register.fixed * 8 + (place.register.high === true ? 1 : 0);
        }
        this.stateOffset(SLOT_BYTES[place.register.slot]);
        return GPR;
      case "xmm":
      case "mmx": {
        const [base, stride] = place.kind === "xmm" ? [XMM, XMM_STRIDE] : [X87, X87_STRIDE];
        const part = place.kind === "xmm" && place.part === "q1" ? 8 : 0;
        this.get(STATE);
        if ("fixed" in place.register) return base + place.register.fixed * stride + part;
        this.registerNumber(place.register);
        this.i32(Math.log2(stride)).numeric("i32.shl").numeric("i32.add");
        return base + part;
      }
      case "field":
        this.get(STATE);
        if (place.index !== undefined) {
          this.value(place.index);
          this.i32(place.stride ?? 1)
            .numeric("i32.mul")
            .numeric("i32.add");
        }
        return place.offset;
    }
  }

  private getPlace(place: Place): void {
    const offset = this.placeAddress(place);
    this.memory(placeLoad(place), offset);
  }

  private setPlace(place: Place, value: Value): void {
    const offset = this.placeAddress(place);
    this.value(value);
    if (place.kind === "gpr" && place.bits === 32) this.i64(0xffffffffn).numeric("i64.and");
    this.memory(placeStore(place), offset);
  }

  // ---- guest memory ----

  /** Pushes 1 if the access hits; leaves the entry's address and the low half of the address in locals. */
  private lookupTlb(address: number, bytes: number, tag: number, entry: number, low: number): void {
    this.get(address).numeric("i32.wrap_i64").tee(low);
    this.i32(PAGE_SHIFT - TLB_ENTRY_SHIFT).numeric("i32.shr_u");
    this.i32((TLB_ENTRIES - 1) << TLB_ENTRY_SHIFT).numeric("i32.and");
    this.get(STATE).numeric("i32.add").tee(entry);
    this.memory(LOAD_OPCODE.i64, TLB + tag);
    this.get(address);
    if (bytes > 1) this.i64(BigInt(bytes - 1)).numeric("i64.add");
    this.i64(-4096n).numeric("i64.and").numeric("i64.eq");
  }

  /** Pushes the linear address of a TLB hit. */
  private hit(entry: number, low: number): this {
    return this.get(low)
      .get(entry)
      .memory(LOAD_OPCODE.i32, TLB + TLB_ADDEND)
      .numeric("i32.add");
  }

  private load(value: Value & { op: "load" }): void {
    const bytes = MEMORY_BYTES[value.kind];
    const address = this.local("i64");
    const entry = this.local("i32");
    const low = this.local("i32");
    const host = this.local("i32");
    this.value(value.address);
    this.setLocal(address);
    this.lookupTlb(address, bytes, value.write ? TLB_WRITE : TLB_READ, entry, low);
    this.code.byte(0x04).byte(I32);
    this.hit(entry, low);
    this.code.byte(0x05);
    this.get(STATE).here().get(BUDGET).get(address).i32(bytes);
    this.call(value.write ? this.runtime.modify : this.runtime.load);
    this.tee(host).i32(-1).numeric("i32.eq");
    this.leaveIfSet();
    this.get(host);
    this.code.byte(0x0b);
    if (value.modify !== undefined) {
      this.tee(host);
      this.modifyLocal.set(value.modify, { host, address });
    }
    this.memory(LOAD_OPCODE[LOAD_KIND[value.kind]], 0);
    const local = this.local(value.type);
    this.setLocal(local);
    this.valueLocal.set(value, local);
  }

  private store(target: Value, kind: MemoryKind, value: Value): void {
    const bytes = MEMORY_BYTES[kind];
    const address = this.local("i64");
    const entry = this.local("i32");
    const low = this.local("i32");
    const kept = this.local(value.type);
    this.value(target);
    this.setLocal(address);
    this.value(value);
    this.setLocal(kept);
    this.lookupTlb(address, bytes, TLB_WRITE, entry, low);
    this.code.byte(0x04).byte(VOID);
    this.hit(entry, low).get(kept).memory(STORE_OPCODE[STORE_KIND[kind]], 0);
    this.code.byte(0x05);
    this.get(STATE).get(kept).memory(STORE_OPCODE[STORE_KIND[kind]], SCRATCH);
    this.get(STATE).here().get(BUDGET).get(address).i32(bytes).call(this.runtime.store);
    this.leaveIfSet();
    this.code.byte(0x0b);
  }

  private commit(modify: Modify, value: Value): void {
    const access = this.modifyLocal.get(modify);
    if (access === undefined) throw new Error("a modification is committed in the block that began it");
    this.get(access.host);
    this.value(value);
    this.memory(STORE_OPCODE[STORE_KIND[modify.kind]], 0);
    this.get(access.host).get(STATE).i32(SCRATCH).numeric("i32.add").numeric("i32.eq");
    this.code.byte(0x04).byte(VOID);
    this.get(STATE).get(RECORD).get(BUDGET).call(this.runtime.commit);
    this.code.byte(0x1a).byte(0x0b);
  }
}

/** Does not depend on when it is evaluated. */
function isPure(value: Value): boolean {
  switch (value.op) {
    case "get":
    case "variable":
    case "helperResult":
      return false;
    case "encoded":
      return value.field !== "base" && value.field !== "index" && value.field !== "segmentBase";
    default:
      return true;
  }
}

function placeLoad(place: Place): readonly number[] {
  switch (place.kind) {
    case "gpr":
      return LOAD_OPCODE[GPR_LOAD[place.bits]];
    case "mmx":
      return LOAD_OPCODE.i64;
    case "xmm":
      switch (place.part) {
        case "q0":
        case "q1":
          return LOAD_OPCODE.i64;
        case "d0":
          return LOAD_OPCODE.i64_32u;
        default:
          return LOAD_OPCODE[place.part];
      }
    case "field":
      return place.type === "u16" ? LOAD_OPCODE.i32_16u : LOAD_OPCODE[place.type];
  }
}

function placeStore(place: Place): readonly number[] {
  switch (place.kind) {
    case "gpr":
      return STORE_OPCODE[GPR_STORE[place.bits]];
    case "mmx":
      return STORE_OPCODE.i64;
    case "xmm":
      switch (place.part) {
        case "q0":
        case "q1":
          return STORE_OPCODE.i64;
        case "d0":
          return STORE_OPCODE.i64_32;
        default:
          return STORE_OPCODE[place.part];
      }
    case "field":
      return place.type === "u16" ? STORE_OPCODE.i32_16 : STORE_OPCODE[place.type];
  }
}

// ---- use counting ----

/** Counts how often each value is referred to, from what has an effect. Values without uses are not computed. */
function countUses(block: Block): void {
  const seen = new Set<Value>();
  const use = (value: Value): void => {
    value.uses++;
    if (seen.has(value)) return;
    seen.add(value);
    useArguments(value);
  };
  const useArguments = (value: Value): void => {
    switch (value.op) {
      case "numeric":
      case "shuffle":
      case "select":
        value.args.forEach(use);
        break;
      case "load":
        use(value.address);
        break;
      case "get":
        if (value.place.kind === "field" && value.place.index !== undefined) use(value.place.index);
        break;
    }
  };
  const visit = (statements: Block): void => {
    for (const statement of statements) {
      switch (statement.do) {
        case "value":
          if (statement.value.op === "load" && !seen.has(statement.value)) {
            seen.add(statement.value);
            useArguments(statement.value);
          }
          break;
        case "set":
          use(statement.value);
          if (statement.place.kind === "field" && statement.place.index !== undefined)
            use(statement.place.index);
          break;
        case "store":
          use(statement.address);
          use(statement.value);
          break;
        case "probe":
          use(statement.address);
          break;
        case "commit":
        case "assign":
          use(statement.value);
          break;
        case "if":
          use(statement.condition);
          visit(statement.yes);
          visit(statement.no);
          break;
        case "loop":
          visit(statement.body);
          break;
        case "continueIf":
          use(statement.condition);
          break;
        case "helper":
          statement.args.forEach(use);
          break;
        case "branch":
          if (statement.condition !== undefined) use(statement.condition);
          break;
        case "jump":
          use(statement.target);
          break;
      }
    }
  };
  visit(block);
}
