/**
 * Builds the IR of one instruction. Handed to every instruction definition.
 *
 * Two rules make exceptions precise by construction:
 *  - reads of registers and flags see the state *before* the instruction, wherever they stand;
 *  - writes of registers and flags take effect together, after the last statement of the block they were made in.
 * So a definition may fault at any memory access and nothing has changed. Inside `if` and `loop` the writes take effect
 * at the end of that inner block: make memory accesses first.
 */

import type { Exit } from "../engine.ts";
import { FLAG_CARRIES, FLAG_CARRY, FLAG_SIGN, FLAG_ZERO, Vector } from "../state.ts";
import { numericOpcode } from "../wasm/opcodes.ts";
import { Flags } from "./flags.ts";
import {
  type Block,
  type DeferredFlags,
  type EncodedField,
  FlagField,
  type Instructions,
  type MemoryKind,
  type Modify,
  type OperandBits,
  type Place,
  type RegisterRef,
  type Statement,
  type Type,
  type Value,
  type Variable,
  type VectorPart,
} from "./value.ts";

const FLAG_PLACES: ReadonlyMap<number, number> = new Map([
  [FLAG_ZERO, FlagField.Zero],
  [FLAG_SIGN, FlagField.Sign],
  [FLAG_CARRIES, FlagField.Carries],
  [FLAG_CARRY, FlagField.Carry],
]);

const MEMORY_TYPE: Readonly<Record<MemoryKind, Type>> = {
  u8: "i64",
  u16: "i64",
  u32: "i64",
  u64: "i64",
  f32: "f32",
  f64: "f64",
  v128: "v128",
};

const PART_TYPE: Readonly<Record<VectorPart, Type>> = {
  v128: "v128",
  q0: "i64",
  q1: "i64",
  d0: "i64",
  f64: "f64",
  f32: "f32",
  high: "v128",
};

export interface BuilderOptions {
  /** Nobody reads the flags this instruction writes: leave them out. */
  readonly flagsDead?: boolean;
  /** The instruction has a LOCK prefix. */
  readonly locked?: boolean;
  /** "condition": leave conditions to the engine. "defer": leave the flags that are written to it too. */
  readonly flags?: "store" | "condition" | "defer";
  /** The value of the immediate operand, where the engine generates code for one instruction only. */
  readonly immediate?: bigint;
}

/** A memory operand read for modification: its old value and how to write the new one. */
export interface ModifiedMemory {
  readonly value: Value;
  write(value: Value): void;
}

export class Builder {
  readonly flags = new Flags(this);
  private block: Block = [];
  private pending: { place: Place; value: Value }[] = [];
  private readonly deferred = new Map<number, Value>();
  private depth = 0;
  private transfers = false;
  private fallsThrough = true;
  private flagsRead = 0;
  private flagsWritten = 0;
  private observable = false;

  private immediateField: EncodedField = "immediate";
  private options: BuilderOptions;

  constructor(options: BuilderOptions = {}) {
    this.options = options;
  }

  /**
   * Completes the instruction so far and begins a second one in the same handler; it sees what the first one did.
   * @param immediateField where the record keeps its immediate
   */
  secondInstruction(immediateField: EncodedField, options: BuilderOptions = {}): void {
    this.flush();
    this.block.push({ do: "second" });
    this.immediateField = immediateField;
    this.options = options;
  }

  /** Inside `if` or `loop`. */
  get isNested(): boolean {
    return this.depth > 0;
  }

  get locked(): boolean {
    return this.options.locked === true;
  }

  // ---- constants and pure operations ----

  const64(value: bigint | number): Value {
    return { op: "const", type: "i64", value: BigInt.asIntN(64, BigInt(value)), uses: 0 };
  }

  const32(value: number): Value {
    return { op: "const", type: "i32", value: value | 0, uses: 0 };
  }

  constF64(value: number): Value {
    return { op: "const", type: "f64", value, uses: 0 };
  }

  constF32(value: number): Value {
    return { op: "const", type: "f32", value, uses: 0 };
  }

  /** A vector constant from 16 bytes, lowest first. */
  const128(bytes: Uint8Array | readonly number[]): Value {
    return { op: "const128", type: "v128", bytes: Uint8Array.from(bytes), uses: 0 };
  }

  /** Any WebAssembly numeric or vector instruction without immediates, by its text-format name. */
  op(name: string, ...args: Value[]): Value {
    const opcode = numericOpcode(name);
    checkArguments(name, opcode.operands, args);
    const folded = foldConstants(name, args);
    if (folded !== undefined) {
      return opcode.result === "i64" ? this.const64(folded) : this.const32(Number(BigInt.asIntN(32, folded)));
    }
    if (opcode.lanes !== undefined) throw new Error(`${name} needs a lane: use lane()`);
    return this.keep({ op: "numeric", name, args, type: opcode.result, uses: 0 });
  }

  /** extract_lane and replace_lane. */
  lane(name: string, lane: number, ...args: Value[]): Value {
    const opcode = numericOpcode(name);
    checkArguments(name, opcode.operands, args);
    if (opcode.lanes === undefined || lane >= opcode.lanes) throw new Error(`${name}: lane ${lane}`);
    return this.keep({ op: "numeric", name, args, lane, type: opcode.result, uses: 0 });
  }

  /** i8x16.shuffle: 16 indices into the 32 bytes of `x` (0…15) and `y` (16…31). */
  shuffle(x: Value, y: Value, lanes: readonly number[]): Value {
    if (lanes.length !== 16) throw new Error("shuffle takes 16 lanes");
    return this.keep({ op: "shuffle", args: [x, y], lanes, type: "v128", uses: 0 });
  }

  select(condition: Value, yes: Value, no: Value): Value {
    return this.keep({ op: "select", args: [condition, yes, no], type: yes.type, uses: 0 });
  }

  // Integer operations on two values of one type (i32 or i64).
  add = (x: Value, y: Value) => this.op(`${x.type}.add`, x, y);
  sub = (x: Value, y: Value) => this.op(`${x.type}.sub`, x, y);
  mul = (x: Value, y: Value) => this.op(`${x.type}.mul`, x, y);
  and = (x: Value, y: Value) => this.op(`${x.type}.and`, x, y);
  or = (x: Value, y: Value) => this.op(`${x.type}.or`, x, y);
  xor = (x: Value, y: Value) => this.op(`${x.type}.xor`, x, y);
  shl = (x: Value, y: Value) => this.op(`${x.type}.shl`, x, y);
  shr = (x: Value, y: Value) => this.op(`${x.type}.shr_u`, x, y);
  sar = (x: Value, y: Value) => this.op(`${x.type}.shr_s`, x, y);
  rotl = (x: Value, y: Value) => this.op(`${x.type}.rotl`, x, y);
  rotr = (x: Value, y: Value) => this.op(`${x.type}.rotr`, x, y);
  eq = (x: Value, y: Value) => this.op(`${x.type}.eq`, x, y);
  ne = (x: Value, y: Value) => this.op(`${x.type}.ne`, x, y);
  ltU = (x: Value, y: Value) => this.op(`${x.type}.lt_u`, x, y);
  ltS = (x: Value, y: Value) => this.op(`${x.type}.lt_s`, x, y);
  leU = (x: Value, y: Value) => this.op(`${x.type}.le_u`, x, y);
  leS = (x: Value, y: Value) => this.op(`${x.type}.le_s`, x, y);
  gtU = (x: Value, y: Value) => this.op(`${x.type}.gt_u`, x, y);
  gtS = (x: Value, y: Value) => this.op(`${x.type}.gt_s`, x, y);
  geU = (x: Value, y: Value) => this.op(`${x.type}.ge_u`, x, y);
  geS = (x: Value, y: Value) => this.op(`${x.type}.ge_s`, x, y);
  eqz = (x: Value) => this.op(`${x.type}.eqz`, x);
  clz = (x: Value) => this.op(`${x.type}.clz`, x);
  ctz = (x: Value) => this.op(`${x.type}.ctz`, x);
  popcnt = (x: Value) => this.op(`${x.type}.popcnt`, x);

  not = (x: Value) => this.xor(x, x.type === "i64" ? this.const64(-1) : this.const32(-1));
  neg = (x: Value) => this.sub(x.type === "i64" ? this.const64(0) : this.const32(0), x);
  /** Shifts by a constant. */
  shlBy = (x: Value, count: number) => this.shl(x, this.count(x, count));
  shrBy = (x: Value, count: number) => this.shr(x, this.count(x, count));
  sarBy = (x: Value, count: number) => this.sar(x, this.count(x, count));
  /** i64 → i32, i32 → i64. */
  wrap = (x: Value) => this.op("i32.wrap_i64", x);
  extendU = (x: Value) => this.op("i64.extend_i32_u", x);
  extendS = (x: Value) => this.op("i64.extend_i32_s", x);

  private count(x: Value, count: number): Value {
    return x.type === "i64" ? this.const64(count) : this.const32(count);
  }

  /** The low `bits` of an i64, zero-extended. */
  zext(x: Value, bits: number): Value {
    return bits === 64 ? x : this.and(x, this.const64((1n << BigInt(bits)) - 1n));
  }

  /** The low `bits` of an i64, sign-extended. */
  sext(x: Value, bits: number): Value {
    switch (bits) {
      case 64:
        return x;
      case 32:
      case 16:
      case 8:
        return this.op(`i64.extend${bits}_s`, x);
      default: {
        const shift = 64 - bits;
        return this.sarBy(this.shlBy(x, shift), shift);
      }
    }
  }

  // ---- CPU state ----

  /** A general register; narrow reads zero-extend, 32-bit writes clear the upper half. */
  gpr(register: number | RegisterRef, bits: OperandBits = 64): Value {
    return this.get({ kind: "gpr", register: reference(register), bits });
  }

  setGpr(register: number | RegisterRef, value: Value, bits: OperandBits = 64): void {
    this.set({ kind: "gpr", register: reference(register), bits }, value);
  }

  xmm(register: number | RegisterRef, part: VectorPart = "v128"): Value {
    return this.get({ kind: "xmm", register: reference(register), part });
  }

  /** Writes a part of a vector register; the rest is unchanged. */
  setXmm(register: number | RegisterRef, value: Value, part: VectorPart = "v128"): void {
    this.set({ kind: "xmm", register: reference(register), part }, value);
  }

  /** A field of the CPU state struct (offsets in cpu/state.ts). */
  field(offset: number, type: "i32" | "i64" | "u16" | "v128" | "f64"): Value {
    return this.get({ kind: "field", offset, type });
  }

  setField(offset: number, type: "i32" | "i64" | "u16" | "v128" | "f64", value: Value): void {
    this.set({ kind: "field", offset, type }, value);
  }

  get(place: Place): Value {
    if (place.kind === "field" && place.index === undefined) {
      const flag = FLAG_PLACES.get(place.offset) ?? 0;
      this.flagsRead |= flag & ~this.flagsWritten;
    }
    const value: Value = { op: "get", place, type: placeType(place), uses: 0 };
    return this.keep(value);
  }

  set(place: Place, value: Value): void {
    if (value.type !== placeType(place))
      throw new Error(`${place.kind} takes ${placeType(place)}, not ${value.type}`);
    if (place.kind === "field" && place.index === undefined) {
      const flag = FLAG_PLACES.get(place.offset) ?? 0;
      if (flag !== 0) {
        if (this.options.flagsDead === true) {
          this.flagsWritten |= flag;
          return;
        }
        // Written on some paths only: on the others what was there before is as good as read.
        if (this.depth > 0) this.flagsRead |= flag & ~this.flagsWritten;
        this.flagsWritten |= flag;
        if (this.options.flags === "defer" && this.depth === 0) {
          this.deferred.set(place.offset, value);
          return;
        }
      }
    }
    this.pending.push({ place, value });
  }

  /** The number that a register reference stands for (i32): x87 stack index, segment, lane count … */
  registerNumber(register: RegisterRef): Value {
    return this.keep({ op: "registerNumber", register, type: "i32", uses: 0 });
  }

  // ---- the decoded instruction ----

  encoded(field: EncodedField): Value {
    const type: Type = field === "second" ? "i32" : "i64";
    return this.keep({ op: "encoded", field, type, uses: 0 });
  }

  immediate(): Value {
    const { immediate } = this.options;
    return immediate === undefined ? this.encoded(this.immediateField) : this.const64(immediate);
  }

  /** See {@link BuilderOptions.flags}. */
  get defersConditions(): boolean {
    return this.options.flags === "condition" || this.options.flags === "defer";
  }

  /** A condition of the flags before the instruction; `code` is even. */
  condition(code: number): Value {
    this.flagsRead |= FlagField.All & ~this.flagsWritten;
    return this.keep({ op: "condition", code, type: "i32", uses: 0 });
  }

  /** Address of the following instruction. Not for instructions that have an immediate operand. */
  nextRip(): Value {
    return this.encoded("immediate");
  }

  // ---- memory ----

  /**
   * Loads from a linear address; narrow integers zero-extend to i64.
   * @param extent bytes of the whole operand, if this is its first part
   */
  load(address: Value, kind: MemoryKind, extent?: number): Value {
    return this.loadFrom(address, kind, undefined, extent);
  }

  store(address: Value, kind: MemoryKind, value: Value): void {
    if (value.type !== MEMORY_TYPE[kind])
      throw new Error(`store ${kind} takes ${MEMORY_TYPE[kind]}, not ${value.type}`);
    this.observable = true;
    this.block.push({ do: "store", kind, address, value });
  }

  /** Loads with the right to write, so that the write cannot fault. */
  modify(address: Value, kind: MemoryKind): ModifiedMemory {
    const modify: Modify = { kind, locked: this.locked };
    const value = this.loadFrom(address, kind, modify);
    return {
      value,
      write: (result) => {
        this.block.push({ do: "commit", modify, value: result });
      },
    };
  }

  /** Faults now if `bytes` at the address (64 at most) cannot be written. */
  probeWrite(address: Value, bytes: number): void {
    this.observable = true;
    this.block.push({ do: "probe", address, bytes });
  }

  private loadFrom(address: Value, kind: MemoryKind, modify: Modify | undefined, extent?: number): Value {
    this.observable = true;
    return this.keep({
      op: "load",
      kind,
      address,
      write: modify !== undefined,
      modify,
      extent,
      type: MEMORY_TYPE[kind],
      uses: 0,
    });
  }

  /** #GP(0) unless the address is a multiple of `bytes` (a power of two). */
  requireAligned(address: Value, bytes: number): void {
    const misaligned = this.ne(this.and(address, this.const64(bytes - 1)), this.const64(0));
    this.if(misaligned, () => this.exception(Vector.GP, 0));
  }

  // ---- control inside the instruction ----

  if(condition: Value, then: () => void, otherwise?: () => void): void {
    if (condition.op === "const") {
      this.always(condition.value !== 0 ? then : otherwise);
      return;
    }
    const yes = this.nested(then);
    const no = otherwise === undefined ? [] : this.nested(otherwise);
    // Without its flags an instruction may have nothing left to do here.
    if (!hasEffect(yes) && !hasEffect(no)) return;
    this.block.push({ do: "if", condition, yes, no });
  }

  /** A block that is executed in any case; its writes take effect at its end all the same. */
  private always(build: (() => void) | undefined): void {
    if (build === undefined) return;
    const outer = this.pending;
    this.pending = [];
    build();
    this.flush();
    this.pending = outer;
  }

  /** Repeats the body while the condition that it returns holds. */
  loop(body: () => Value): void {
    const block = this.nested(() => {
      const again = body();
      this.flush();
      this.block.push({ do: "continueIf", condition: again });
    });
    this.block.push({ do: "loop", body: block });
  }

  /** A mutable local. Reading it is a fresh value each time. */
  variable(initial: Value): { get(): Value; set(value: Value): void } {
    const variable: Variable = { type: initial.type };
    this.block.push({ do: "assign", variable, value: initial });
    return {
      get: () => this.keep({ op: "variable", variable, type: variable.type, uses: 0 }),
      set: (value) => {
        this.block.push({ do: "assign", variable, value });
      },
    };
  }

  private nested(build: () => void): Block {
    const outer = { block: this.block, pending: this.pending };
    this.block = [];
    this.pending = [];
    this.depth++;
    build();
    this.flush();
    const inner = this.block;
    this.block = outer.block;
    this.pending = outer.pending;
    this.depth--;
    return inner;
  }

  // ---- leaving the instruction ----

  /**
   * Calls a TypeScript helper (cpu/helpers) with up to eight arguments of any type; it may read and write the CPU state.
   * With `mayFault` (the default) it can raise an exception, and must then have changed nothing.
   */
  helper(name: string, args: readonly Value[] = [], mayFault = true): void {
    if (args.length > 8) throw new Error("a helper takes eight arguments at most");
    this.observable = true;
    this.flagsRead |= FlagField.All & ~this.flagsWritten;
    this.block.push({ do: "helper", name, args, mayFault });
  }

  /** What the helper called last left in a result slot (0…7). */
  helperResult(slot: number, type: Type): Value {
    return this.keep({ op: "helperResult", slot, type, uses: 0 });
  }

  /** Raises an exception: the instruction has not happened. */
  exception(vector: number, error = 0): void {
    this.observable = true;
    this.block.push({ do: "exception", vector, error });
  }

  /** Completes the instruction and stops the engine; see {@link Exit}. */
  exit(reason: Exit): void {
    this.leave({ do: "exit", reason });
    this.fallsThrough = false;
  }

  /** Completes the instruction and goes to its branch target, if the condition holds. */
  branch(condition?: Value): void {
    this.leave({ do: "branch", condition });
    if (condition === undefined) this.fallsThrough = false;
  }

  /** Completes the instruction and goes to an address. */
  jump(target: Value): void {
    this.leave({ do: "jump", target, returns: false });
    this.fallsThrough = false;
  }

  /** The same at the end of a function: somebody may be waiting there. */
  return(target: Value): void {
    this.leave({ do: "jump", target, returns: true });
    this.fallsThrough = false;
  }

  /** Completes this round of a repeated instruction; the instruction is executed again. */
  again(): void {
    this.flush();
    this.block.push({ do: "again" });
  }

  private leave(statement: Statement): void {
    if (this.depth > 0) throw new Error("control leaves an instruction only at its end");
    this.transfers = true;
    this.flush();
    this.block.push(statement);
  }

  private flush(): void {
    for (const { place, value } of this.pending) this.block.push({ do: "set", place, value });
    this.pending = [];
  }

  private keep(value: Value): Value {
    this.block.push({ do: "value", value });
    return value;
  }

  finish(): Instructions {
    this.flush();
    const body = this.block;
    // What deferred flags compute later does not belong to it.
    this.block = [];
    return {
      body,
      transfers: this.transfers,
      fallsThrough: this.fallsThrough,
      flagsRead: this.flagsRead,
      flagsWritten: this.flagsWritten,
      observable: this.observable,
      deferredFlags: this.finishDeferred(),
    };
  }

  private finishDeferred(): DeferredFlags | undefined {
    if (this.deferred.size === 0) return undefined;
    return {
      fields: this.deferred,
      condition: (code) => this.flags.direct(code),
    };
  }
}

/** Does the block do anything but evaluate values? A load may fault. */
function hasEffect(block: Block): boolean {
  return block.some((statement) => statement.do !== "value" || statement.value.op === "load");
}

function reference(register: number | RegisterRef): RegisterRef {
  return typeof register === "number" ? { fixed: register } : register;
}

function placeType(place: Place): Type {
  switch (place.kind) {
    case "gpr":
    case "mmx":
      return "i64";
    case "xmm":
      return PART_TYPE[place.part];
    case "field":
      return place.type === "u16" ? "i32" : place.type;
  }
}

const FOLDED: Readonly<Record<string, (x: bigint, y: bigint, bits: bigint) => bigint>> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  and: (x, y) => x & y,
  or: (x, y) => x | y,
  xor: (x, y) => x ^ y,
  shl: (x, y, bits) => x << (y & (bits - 1n)),
  eq: (x, y) => (x === y ? 1n : 0n),
  ne: (x, y) => (x !== y ? 1n : 0n),
  eqz: (x) => (x === 0n ? 1n : 0n),
  ge_u: (x, y, bits) => (BigInt.asUintN(Number(bits), x) >= BigInt.asUintN(Number(bits), y) ? 1n : 0n),
  lt_u: (x, y, bits) => (BigInt.asUintN(Number(bits), x) < BigInt.asUintN(Number(bits), y) ? 1n : 0n),
  wrap_i64: (x) => x,
  extend_i32_u: (x) => BigInt.asUintN(32, x),
  extend_i32_s: (x) => BigInt.asIntN(32, x),
};

/** The result of an integer operation on constants, not truncated; undefined if it cannot be told now. */
function foldConstants(name: string, args: readonly Value[]): bigint | undefined {
  const values: bigint[] = [];
  for (const argument of args) {
    if (argument.op !== "const" || (argument.type !== "i64" && argument.type !== "i32")) return undefined;
    values.push(BigInt(argument.value));
  }
  const [type, operation] = name.split(".");
  const fold = FOLDED[operation];
  return fold?.(values[0] ?? 0n, values[1] ?? 0n, type === "i64" ? 64n : 32n);
}

function checkArguments(name: string, expected: readonly Type[], args: readonly Value[]): void {
  if (expected.length !== args.length || expected.some((type, index) => type !== args[index].type)) {
    throw new Error(`${name} takes (${expected.join()}), not (${args.map((value) => value.type).join()})`);
  }
}
