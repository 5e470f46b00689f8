/**
 * Lowers the IR of an instruction to the WebAssembly body of its interpreter handler.
 *
 * A handler has the signature (state, record, budget) → leave code and ends with a tail call to the next record's
 * handler. All three parameters live in machine registers; guest registers live in memory at `state`.
 */

import type { EncodedField, Instructions, Place, RegisterRef, Value, VectorPart } from "../../ir/value.ts";
import {
  CALL_DEPTH,
  EXCEPTION_ERROR,
  EXCEPTION_VECTOR,
  EXIT_BUDGET,
  EXIT_RECORD,
  GPR,
  HELPER_ARGUMENTS,
  JUMP_CACHE,
  JUMP_CACHE_ENTRIES,
  JUMP_CACHE_ENTRY_SHIFT,
  MODE_KEY,
  RIP,
  X87,
  X87_STRIDE,
  XMM,
  XMM_STRIDE,
  YMM_HIGH,
} from "../../state.ts";
import type { WasmType } from "../../wasm/module-builder.ts";
import {
  BUDGET,
  type ControlStatement,
  countUses,
  I32,
  IF,
  LOAD_OPCODE,
  type MemoryRuntime,
  placeLoad,
  placeStore,
  RECORD,
  STATE,
  STORE_OPCODE,
  VOID,
  WasmLowering,
} from "../wasm-lowering.ts";
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

/** Indices of the functions a handler calls, and the type of handlers. */
export interface Runtime extends MemoryRuntime {
  readonly handlerType: number;
  /** (state, record, budget) → record of the branch target, or 0 on a fault */
  readonly link: number;
  /** (state, record, budget) → record for the RIP in the state, or 0 on a fault */
  readonly lookup: number;
  /** (state, record, budget) → 0, or 1 on an exception */
  helper(name: string): number;
}

export interface LoweredHandler {
  readonly locals: WasmType[];
  readonly code: Uint8Array;
}

/** Lowers one handler. `instructions` may be a fused pair: then only the second transfers control. */
export function lowerHandler(instructions: Instructions, runtime: Runtime): LoweredHandler {
  return new HandlerLowering(runtime).handler(instructions);
}

/** A function with the signature of a handler that goes on at the record it is given. */
export function lowerEnter(runtime: Runtime): LoweredHandler {
  return new HandlerLowering(runtime).enterFunction();
}

/** A function with the signature of a handler that goes on at the RIP in the state. */
export function lowerJump(runtime: Runtime): LoweredHandler {
  return new HandlerLowering(runtime).jumpFunction();
}

/** Where the parts of a vector register begin. */
const PART_OFFSET: Readonly<Record<VectorPart, number>> = {
  v128: 0,
  q0: 0,
  q1: 8,
  d0: 0,
  f64: 0,
  f32: 0,
  high: YMM_HIGH,
};

class HandlerLowering extends WasmLowering {
  /** The second instruction of a pair is being lowered. */
  private second = false;

  constructor(private readonly runtime: Runtime) {
    super(runtime);
  }

  handler(instructions: Instructions): LoweredHandler {
    countUses(instructions.body);
    this.block(instructions.body);
    if (instructions.fallsThrough) this.next();
    else this.code.byte(0x00); // unreachable: control has left
    this.code.byte(0x0b);
    return { locals: this.locals, code: this.code.toBytes().slice() };
  }

  enterFunction(): LoweredHandler {
    this.enter(RECORD);
    this.code.byte(0x0b);
    return { locals: this.locals, code: this.code.toBytes().slice() };
  }

  jumpFunction(): LoweredHandler {
    const address = this.local("i64");
    this.get(STATE).memory(LOAD_OPCODE.i64, RIP).set(address);
    this.lookUp(address);
    this.code.byte(0x0b);
    return { locals: this.locals, code: this.code.toBytes().slice() };
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
    this.get(BUDGET).get(RECORD).memory(LOAD_OPCODE.i32_8u, RECORD_RETIRE).numeric("i32.sub").set(BUDGET);
  }

  /** Continues at the trace in a local, if the budget covers it. */
  private enter(target: number): void {
    this.get(BUDGET).get(target).memory(LOAD_OPCODE.i32_8u, RECORD_NEED).numeric("i32.lt_s");
    this.open(IF, VOID);
    this.saveExit(target).returnCode(Leave.Budget);
    this.close();
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
    this.open(IF, VOID);
    this.get(STATE).get(RECORD).get(BUDGET).call(this.runtime.link).tee(target).numeric("i32.eqz");
    this.open(IF, VOID);
    this.returnCode(Leave.FetchFault);
    this.close();
    this.close();
    this.enter(target);
  }

  // ---- leaving the instruction ----

  protected override context(): this {
    return this.get(STATE).here().get(BUDGET);
  }

  protected override control(statement: ControlStatement): void {
    switch (statement.do) {
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
          this.set(taken);
          this.retire();
          this.get(taken);
          this.open(IF, VOID);
          this.followLink();
          this.close();
        }
        break;
      case "jump":
        this.jump(statement.target, statement.returns);
        break;
      case "again":
        this.dispatch(RECORD);
        break;
      case "second":
        this.second = true;
        break;
    }
  }

  protected override leaveIfSet(): void {
    this.open(IF, VOID);
    this.returnCode(Leave.Fault);
    this.close();
  }

  private helper(name: string, args: readonly Value[], mayFault: boolean): void {
    args.forEach((argument, slot) => {
      this.get(STATE);
      this.value(argument);
      this.memory(STORE_OPCODE[argument.type], HELPER_ARGUMENTS + slot * 16);
    });
    this.context().call(this.runtime.helper(name));
    if (mayFault) this.leaveIfSet();
    else this.code.byte(0x1a);
  }

  private jump(target: Value, returns: boolean): void {
    const address = this.local("i64");
    this.value(target);
    this.set(address);
    this.retire();
    this.get(STATE).get(address).memory(STORE_OPCODE.i64, RIP);
    if (returns) {
      this.get(STATE).memory(LOAD_OPCODE.i32, CALL_DEPTH).open(IF, VOID);
      this.saveExit(RECORD).returnCode(Leave.Returned);
      this.close();
    }
    this.lookUp(address);
  }

  /** Goes on at the address in a local, which is the RIP in the state too. */
  private lookUp(address: number): void {
    const entry = this.local("i32");
    const record = this.local("i32");
    // entry = state + ((rip ^ rip >> 12) & mask) << shift
    this.get(address).numeric("i32.wrap_i64");
    this.get(address).numeric("i32.wrap_i64").i32(12).numeric("i32.shr_u").numeric("i32.xor");
    this.i32(JUMP_CACHE_ENTRIES - 1)
      .numeric("i32.and")
      .i32(JUMP_CACHE_ENTRY_SHIFT)
      .numeric("i32.shl");
    this.get(STATE).numeric("i32.add").tee(entry);
    this.memory(LOAD_OPCODE.i64, JUMP_CACHE);
    this.get(address).get(STATE).memory(LOAD_OPCODE.i64, MODE_KEY).numeric("i64.xor").numeric("i64.eq");
    this.open(IF, I32);
    this.get(entry).memory(LOAD_OPCODE.i32, JUMP_CACHE + 8);
    this.code.byte(0x05);
    this.i32(0);
    this.close();
    this.tee(record).numeric("i32.eqz");
    this.open(IF, VOID);
    this.get(STATE).get(RECORD).get(BUDGET).call(this.runtime.lookup).tee(record).numeric("i32.eqz");
    this.open(IF, VOID);
    this.returnCode(Leave.FetchFault);
    this.close();
    this.close();
    this.enter(record);
  }

  // ---- operands ----

  protected override encoded(field: EncodedField): void {
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

  protected override registerNumber(register: RegisterRef): void {
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
        const part = place.kind === "xmm" ? PART_OFFSET[place.part] : 0;
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

  protected override getPlace(place: Place): void {
    const offset = this.placeAddress(place);
    this.memory(placeLoad(place), offset);
  }

  protected override setPlace(place: Place, value: Value): void {
    const offset = this.placeAddress(place);
    this.value(value);
    if (place.kind === "gpr" && place.bits === 32) this.i64(0xffffffffn).numeric("i64.and");
    this.memory(placeStore(place), offset);
  }
}
