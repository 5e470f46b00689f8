/**
 * Lowers the IR of instructions to WebAssembly: values, guest memory, control inside an instruction. What engines do
 * differently, where registers are, what an encoded field is, and how control leaves, is left to them.
 */

import { TLB_ADDEND, TLB_ENTRIES, TLB_ENTRY_SHIFT, TLB_READ, TLB_WRITE } from "../../mmu/tlb.ts";
import { PAGE_SHIFT } from "../../mmu/translator.ts";
import {
  type Block,
  type EncodedField,
  MEMORY_BYTES,
  type MemoryKind,
  type Modify,
  type Place,
  type RegisterRef,
  type Statement,
  type Value,
  type Variable,
} from "../ir/value.ts";
import { HELPER_ARGUMENTS, SCRATCH, TLB } from "../state.ts";
import { CodeWriter } from "../wasm/code-writer.ts";
import type { Signature } from "../wasm/module-builder.ts";
import { numericOpcode } from "../wasm/opcodes.ts";

/** Parameters of all generated functions: linear address of the CPU state, of the record, instruction budget left. */
export const STATE = 0;
export const RECORD = 1;
export const BUDGET = 2;
const PARAMETERS = 3;

/** What compiled regions call for what their fast paths do not do: (state, address, bytes). */
export const REGION_ACCESS: Signature = { parameters: ["i32", "i64", "i32"], results: ["i32"] };

/** Indices of the functions that every engine's code calls for what its fast paths do not do. */
export interface MemoryRuntime {
  /** (state, record, budget, address i64, length) → linear address or -1 */
  readonly load: number;
  readonly modify: number;
  /** (state, record, budget, address i64, length) → 0, or 1 on a fault; the value is in the scratch bytes */
  readonly store: number;
  readonly probe: number;
  /** (state, record, budget): writes back after a modify through the scratch bytes */
  readonly commit: number;
}

/** Memory instructions: opcode and the alignment exponent they are encoded with (1 byte: guests align as they like). */
export const LOAD_OPCODE = {
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
export const STORE_OPCODE = {
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

export const BLOCK = 0x02;
export const LOOP = 0x03;
export const IF = 0x04;
/** Block types of `block`, `loop` and `if`. */
export const VOID = 0x40;
export const I32 = 0x7f;

/** Statements by which control leaves an instruction. */
export type ControlStatement = Extract<
  Statement,
  { do: "exception" | "exit" | "branch" | "jump" | "again" | "second" | "helper" }
>;

export abstract class WasmLowering extends CodeWriter {
  private readonly valueLocal = new Map<Value, number>();
  private readonly variableLocal = new Map<Variable, number>();
  private readonly modifyLocal = new Map<Modify, { host: number; address: number }>();

  constructor(private readonly memoryRuntime: MemoryRuntime) {
    super(PARAMETERS);
  }

  /** Pushes a field of the decoded instruction. */
  protected abstract encoded(field: EncodedField): void;
  /** Pushes the number of a register (i32). */
  protected abstract registerNumber(register: RegisterRef): void;
  protected abstract getPlace(place: Place): void;
  protected abstract setPlace(place: Place, value: Value): void;
  protected abstract control(statement: ControlStatement): void;
  /** Pushes the first three arguments of slow paths: state, record, budget. */
  protected abstract context(): this;
  /** Pops an i32 and leaves with the exception that a slow path has noted unless it is zero. */
  protected abstract leaveIfSet(): void;

  /** Forgets the values of the instruction before: the next one may be of the same form. */
  protected resetValues(): void {
    this.valueLocal.clear();
    this.variableLocal.clear();
    this.modifyLocal.clear();
  }

  // ---- emission ----

  protected i64(value: bigint): this {
    this.code.byte(0x42).s64(value);
    return this;
  }
  protected numeric(name: string): this {
    this.code.bytes(numericOpcode(name).code);
    return this;
  }
  protected returnCode(code: number): this {
    return this.i32(code).return();
  }

  // ---- statements ----

  protected block(block: Block): void {
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
        this.probe(statement.address, statement.bytes);
        break;
      case "commit":
        this.commit(statement.modify, statement.value);
        break;
      case "assign":
        this.value(statement.value);
        this.set(this.variable(statement.variable));
        break;
      case "if":
        this.value(statement.condition);
        this.open(IF, VOID);
        this.block(statement.yes);
        if (statement.no.length > 0) {
          this.code.byte(0x05);
          this.block(statement.no);
        }
        this.close();
        break;
      case "loop":
        this.open(LOOP, VOID);
        this.block(statement.body);
        this.close();
        break;
      case "continueIf":
        this.value(statement.condition);
        this.code.byte(0x0d).u32(0);
        break;
      default:
        this.control(statement);
    }
  }

  // ---- values ----

  /** Evaluates a value at its place in the sequence, unless it is pure and needed once at most. */
  protected pin(value: Value): void {
    if (value.op === "load") {
      this.load(value);
      return;
    }
    if (value.uses === 0) return;
    if (this.isPure(value) && value.uses === 1) return;
    this.keep(value);
  }

  /** Computes a value and keeps it in a local. */
  protected keep(value: Value): void {
    this.compute(value);
    this.keepTop(value);
  }

  /** Keeps a value that is on the stack in a local. */
  protected keepTop(value: Value): void {
    const local = this.local(value.type);
    this.set(local);
    this.valueLocal.set(value, local);
  }

  protected isKept(value: Value): boolean {
    return this.valueLocal.has(value);
  }

  /** The local that a value is kept in. */
  protected keptIn(value: Value): number | undefined {
    return this.valueLocal.get(value);
  }

  protected isPure(value: Value): boolean {
    return isPure(value);
  }

  /** Pushes a value. */
  protected value(value: Value): void {
    const local = this.valueLocal.get(value);
    if (local !== undefined) this.get(local);
    else this.compute(value);
  }

  protected compute(value: Value): void {
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
      case "condition":
        throw new Error("conditions were left to an engine that computes them itself");
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

  protected load(value: Value & { op: "load" }): void {
    const bytes = MEMORY_BYTES[value.kind];
    const address = this.local("i64");
    const entry = this.local("i32");
    const low = this.local("i32");
    const host = this.local("i32");
    this.value(value.address);
    this.set(address);
    this.lookupTlb(address, bytes, value.write ? TLB_WRITE : TLB_READ, entry, low);
    this.open(IF, I32);
    this.hit(entry, low);
    this.code.byte(0x05);
    this.context()
      .get(address)
      .i32(value.extent ?? bytes);
    this.call(value.write ? this.memoryRuntime.modify : this.memoryRuntime.load);
    this.tee(host).i32(-1).numeric("i32.eq");
    this.leaveIfSet();
    this.get(host);
    this.close();
    if (value.modify !== undefined) {
      this.tee(host);
      this.modifyLocal.set(value.modify, { host, address });
    }
    this.memory(LOAD_OPCODE[LOAD_KIND[value.kind]], 0);
    this.keepTop(value);
  }

  protected store(target: Value, kind: MemoryKind, value: Value): void {
    const bytes = MEMORY_BYTES[kind];
    const address = this.local("i64");
    const entry = this.local("i32");
    const low = this.local("i32");
    const kept = this.local(value.type);
    this.value(target);
    this.set(address);
    this.value(value);
    this.set(kept);
    this.lookupTlb(address, bytes, TLB_WRITE, entry, low);
    this.open(IF, VOID);
    this.hit(entry, low).get(kept).memory(STORE_OPCODE[STORE_KIND[kind]], 0);
    this.code.byte(0x05);
    this.get(STATE).get(kept).memory(STORE_OPCODE[STORE_KIND[kind]], SCRATCH);
    this.context().get(address).i32(bytes).call(this.memoryRuntime.store);
    this.leaveIfSet();
    this.close();
  }

  protected probe(address: Value, bytes: number): void {
    this.context();
    this.value(address);
    this.i32(bytes).call(this.memoryRuntime.probe);
    this.leaveIfSet();
  }

  protected commit(modify: Modify, value: Value): void {
    const access = this.modifyLocal.get(modify);
    if (access === undefined) throw new Error("a modification is committed in the block that began it");
    this.get(access.host);
    this.value(value);
    this.memory(STORE_OPCODE[STORE_KIND[modify.kind]], 0);
    this.get(access.host).get(STATE).i32(SCRATCH).numeric("i32.add").numeric("i32.eq");
    this.open(IF, VOID);
    this.context().call(this.memoryRuntime.commit);
    this.code.byte(0x1a);
    this.close();
  }
}

/** Does not depend on when it is evaluated. */
function isPure(value: Value): boolean {
  switch (value.op) {
    case "get":
    case "variable":
    case "helperResult":
    case "condition":
      return false;
    case "encoded":
      return value.field !== "base" && value.field !== "index" && value.field !== "segmentBase";
    default:
      return true;
  }
}

export function placeLoad(place: Place): readonly number[] {
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
        case "high":
          return LOAD_OPCODE.v128;
        default:
          return LOAD_OPCODE[place.part];
      }
    case "field":
      return place.type === "u16" ? LOAD_OPCODE.i32_16u : LOAD_OPCODE[place.type];
  }
}

export function placeStore(place: Place): readonly number[] {
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
        case "high":
          return STORE_OPCODE.v128;
        default:
          return STORE_OPCODE[place.part];
      }
    case "field":
      return place.type === "u16" ? STORE_OPCODE.i32_16 : STORE_OPCODE[place.type];
  }
}

// ---- use counting ----

/** Counts how often each value is referred to, from what has an effect. Values without uses are not computed. */
export function countUses(block: Block): void {
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
