/**
 * Templates: WebAssembly for a form of an instruction with holes for what differs from one instruction to the next:
 * registers, immediates, addresses, ways out. A form is lowered once; after that an instruction costs a copy of the bytes
 * with the holes filled in (emitter.ts), a microsecond or so.
 */

import { Builder } from "../../ir/builder.ts";
import { contains } from "../../ir/contains.ts";
import type { ConditionCode } from "../../ir/flags.ts";
import type {
  Block,
  EncodedField,
  Instructions,
  MemoryKind,
  Modify,
  Place,
  RegisterRef,
  Value,
} from "../../ir/value.ts";
import { MEMORY_BYTES } from "../../ir/value.ts";
import {
  FLAG_CARRIES,
  FLAG_CARRY,
  FLAG_SIGN,
  FLAG_ZERO,
  HELPER_ARGUMENTS,
  MXCSR,
  Register,
  SCRATCH,
} from "../../state.ts";
import type { WasmType } from "../../wasm/module-builder.ts";
import {
  type ControlStatement,
  countUses,
  IF,
  type MemoryRuntime,
  STATE,
  STORE_OPCODE,
  VOID,
  WasmLowering,
} from "../wasm-lowering.ts";

/** The lazy flag fields of the state, and the type each has. */
export const FLAG_FIELDS: ReadonlyMap<number, WasmType> = new Map([
  [FLAG_ZERO, "i64"],
  [FLAG_SIGN, "i64"],
  [FLAG_CARRIES, "i64"],
  [FLAG_CARRY, "i32"],
]);

/** Fields of the state besides those that regions keep in locals too. */
export const LOCAL_FIELDS: ReadonlyMap<number, WasmType> = new Map([...FLAG_FIELDS, [MXCSR, "i32"]]);

/** Do regions keep this part of the state in a local? */
export function isInLocal(place: Place): boolean {
  switch (place.kind) {
    case "gpr":
    case "xmm":
      return true;
    case "mmx":
      return false;
    case "field":
      return place.index === undefined && LOCAL_FIELDS.has(place.offset);
  }
}

/** What goes into a hole. */
export const HoleKind = {
  /** local.get, local.set, local.tee of scratch local `x`. */
  ScratchGet: 0,
  ScratchSet: 1,
  ScratchTee: 2,
  /** local.get, local.set of a captured operand of deferred flags: type `x` (0 = i64, 1 = i32), number `y`. */
  CaptureGet: 3,
  CaptureSet: 4,
  /** The value of a place; the address of one that is not in a local is on the stack. */
  PlaceGet: 6,
  /** The same for storing what is on top of the stack. `x`: the upper half of a general register's value is zero. */
  PlaceSet: 7,
  Encoded: 8,
  RegisterNumber: 9,
  /** Effective address of the memory operand; `x`: it may have an index. */
  EffectiveAddress: 10,
  /** Condition `x` of the flags before the instruction. */
  Condition: 11,
  /** Loads from the address in scratch `x`; `y`: scratch for the linear address, or -1. */
  Load: 12,
  /** Stores the value in scratch `y` to the address in scratch `x`. */
  Store: 13,
  /** The slow half of a commit: linear address in scratch `y`. */
  Commit: 14,
  Probe: 15,
  /** Leaves the instruction to the interpreter. */
  Fault: 16,
  /** Calls the helper `name`; `x`: it may fault. */
  Helper: 17,
  /** Pops the condition of a branch. */
  SetCondition: 18,
  /** Pops the address that control goes to. */
  Jump: 19,
} as const;
export type HoleKind = (typeof HoleKind)[keyof typeof HoleKind];

export interface Hole {
  readonly at: number;
  readonly kind: HoleKind;
  readonly x: number;
  readonly y: number;
  /** Open blocks of the template around it. */
  readonly depth: number;
  readonly place: Place | undefined;
  readonly register: RegisterRef | undefined;
  readonly field: EncodedField | undefined;
  readonly memory: MemoryKind | undefined;
  /** The load is the first half of a modification. */
  readonly write: boolean;
  readonly name: string;
  /** What the address of an access is made from: RSP, the memory operand, or something else. */
  readonly base: "rsp" | "operand" | undefined;
}

/** Captured operands live in locals of these types. */
export const CAPTURE_TYPES = ["i64", "i32"] as const;
export const MOST_CAPTURES = [3, 1] as const;

/** Flags that are left for later: templates over the captured operands. */
export interface DeferredTemplates {
  /** Offset of a flag field → code that pushes its value. */
  readonly fields: ReadonlyMap<number, Template>;
  /** Code that pushes a condition (even code) straight from the operands; undefined if there is no such way. */
  condition(code: number): Template | undefined;
}

export interface Template {
  readonly bytes: Uint8Array;
  readonly holes: readonly Hole[];
  /** Types of the scratch locals. */
  readonly scratch: readonly WasmType[];
  /** Could leave the instruction undone, or shows the state to a helper. */
  readonly observable: boolean;
  /** Reads flags that were written before. */
  readonly readsFlags: boolean;
  /** Flag fields written in place, perhaps on some paths only. */
  readonly storesFlags: boolean;
  readonly deferred: DeferredTemplates | undefined;
}

export interface InstructionTemplate extends Template {
  readonly transfers: boolean;
  readonly fallsThrough: boolean;
  /** Control goes to an address that is computed. */
  readonly jumps: boolean;
  readonly conditional: boolean;
  /** Calls a helper, which sees and may change the whole state. */
  readonly helps: boolean;
}

/** Builds the IR of the form, with flags left as told. */
export type BuildInstructions = (flags: "condition" | "defer") => Instructions;

/** @returns undefined for what is the interpreter's */
export function createTemplate(build: BuildInstructions): InstructionTemplate | undefined {
  let instructions = build("defer");
  if (!isCompilable(instructions.body)) return undefined;
  let captures = captureOperands(instructions);
  if (captures === undefined) {
    instructions = build("condition");
    captures = new Map();
  }
  const { body, transfers, fallsThrough, observable } = instructions;
  const lowering = new TemplateLowering(captures, containsWrite(body));
  countUses(body);
  for (const value of captures.keys()) value.uses++;
  const template = lowering.lowerBlock(body);
  return {
    ...template,
    observable,
    readsFlags: instructions.flagsRead !== 0,
    storesFlags: containsFlagSet(body),
    deferred: captures.size === 0 ? noCaptures(instructions) : deferredTemplates(instructions, captures),
    transfers,
    fallsThrough,
    jumps: contains(body, ({ do: kind }) => kind === "jump"),
    helps: template.holes.some(({ kind }) => kind === HoleKind.Helper),
    conditional: contains(
      body,
      (statement) => statement.do === "branch" && statement.condition !== undefined,
    ),
  };
}

/** Code for a condition (even code) of the flag fields. */
export function createConditionTemplate(code: number): Template {
  const b = new Builder();
  const value = b.flags.lazy(code as ConditionCode);
  return lowerExpression(value, new Map());
}

function noCaptures(instructions: Instructions): DeferredTemplates | undefined {
  return instructions.deferredFlags === undefined ? undefined : deferredTemplates(instructions, new Map());
}

// ---- deferred flags ----

interface Capture {
  readonly type: 0 | 1;
  readonly index: number;
}

/**
 * The values that deferred flags are computed from, with a place for each; undefined if there are too many, or if the
 * instruction writes flags in another way too.
 */
function captureOperands({ body, deferredFlags }: Instructions): Map<Value, Capture> | undefined {
  const captures = new Map<Value, Capture>();
  if (deferredFlags === undefined) return captures;
  if (containsFlagSet(body)) return undefined;
  const counts = [0, 0];
  let fits = true;
  const seen = new Set<Value>();
  const visit = (value: Value): void => {
    if (seen.has(value)) return;
    seen.add(value);
    const operands = argumentsOf(value);
    if (operands !== undefined) {
      operands.forEach(visit);
      return;
    }
    const type = value.type === "i64" ? 0 : 1;
    if ((value.type !== "i64" && value.type !== "i32") || counts[type] >= MOST_CAPTURES[type]) fits = false;
    else captures.set(value, { type, index: counts[type]++ });
  };
  for (const value of deferredFlags.fields.values()) visit(value);
  return fits ? captures : undefined;
}

/** What a pure operation works on, or undefined if the value must be captured. */
function argumentsOf(value: Value): readonly Value[] | undefined {
  switch (value.op) {
    case "const":
    case "const128":
      return [];
    case "numeric":
    case "shuffle":
    case "select":
      return value.args;
    case "encoded":
      return value.field === "base" || value.field === "index" || value.field === "segmentBase"
        ? undefined
        : [];
    default:
      return undefined;
  }
}

function deferredTemplates(
  { deferredFlags }: Instructions,
  captures: ReadonlyMap<Value, Capture>,
): DeferredTemplates | undefined {
  if (deferredFlags === undefined) return undefined;
  const fields = new Map<number, Template>();
  for (const [offset, value] of deferredFlags.fields) fields.set(offset, lowerExpression(value, captures));
  const conditions = new Map<number, Template | undefined>();
  return {
    fields,
    condition(code) {
      if (!conditions.has(code)) {
        const value = deferredFlags.condition(code);
        // Values that the instruction computes on its way are not there any more, only what was captured.
        const usable = value !== undefined && dependsOnlyOn(value, captures);
        conditions.set(code, usable ? lowerExpression(value, captures) : undefined);
      }
      return conditions.get(code);
    },
  };
}

function dependsOnlyOn(value: Value, captures: ReadonlyMap<Value, Capture>): boolean {
  return (
    captures.has(value) || (argumentsOf(value)?.every((operand) => dependsOnlyOn(operand, captures)) ?? false)
  );
}

/** Lowers the computation of one value. */
function lowerExpression(value: Value, captures: ReadonlyMap<Value, Capture>): Template {
  const template = new TemplateLowering(captures, false).lowerExpression(value);
  return { ...template, observable: false, readsFlags: true, storesFlags: false, deferred: undefined };
}

// ---- lowering ----

const NO_MEMORY_FUNCTIONS: MemoryRuntime = { load: 0, modify: 0, store: 0, probe: 0, commit: 0 };

/** First local that is not a parameter: {@link WasmLowering} numbers its own from here on. */
const FIRST_SCRATCH = 3;

class TemplateLowering extends WasmLowering {
  private readonly holes: Hole[] = [];
  /** Parts of an effective address that one hole stands for. */
  private readonly absorbed = new Set<Value>();
  private readonly modifies = new Map<Modify, number>();

  constructor(
    private readonly captures: ReadonlyMap<Value, Capture>,
    private readonly writesMemory: boolean,
  ) {
    super(NO_MEMORY_FUNCTIONS);
  }

  lowerBlock(body: Block): Pick<Template, "bytes" | "holes" | "scratch"> {
    this.absorbAddresses(body);
    this.block(body);
    return this.result();
  }

  lowerExpression(value: Value): Pick<Template, "bytes" | "holes" | "scratch"> {
    const uses = new Map<Value, number>();
    const order: Value[] = [];
    const visit = (at: Value): void => {
      const count = uses.get(at) ?? 0;
      uses.set(at, count + 1);
      if (count > 0) return;
      if (this.captures.has(at)) return;
      if (at.op === "get") {
        order.push(at);
        return;
      }
      for (const operand of argumentsOf(at) ?? []) visit(operand);
      order.push(at);
    };
    visit(value);
    for (const at of order) {
      if (at === value || (uses.get(at) ?? 0) < 2 || isTrivial(at)) continue;
      this.keep(at);
    }
    this.value(value);
    return this.result();
  }

  private result(): Pick<Template, "bytes" | "holes" | "scratch"> {
    return { bytes: this.code.toBytes().slice(), holes: this.holes, scratch: this.locals };
  }

  private hole(kind: HoleKind, parts: Partial<Hole> = {}): void {
    this.holes.push({
      at: this.code.length,
      kind,
      x: parts.x ?? 0,
      y: parts.y ?? 0,
      depth: this.depth,
      place: parts.place,
      register: parts.register,
      field: parts.field,
      memory: parts.memory,
      write: parts.write ?? false,
      name: parts.name ?? "",
      base: parts.base,
    });
  }

  // ---- locals ----

  override get(local: number): this {
    if (local < FIRST_SCRATCH) return super.get(local);
    this.hole(HoleKind.ScratchGet, { x: local - FIRST_SCRATCH });
    return this;
  }
  override set(local: number): this {
    this.hole(HoleKind.ScratchSet, { x: local - FIRST_SCRATCH });
    return this;
  }
  override tee(local: number): this {
    this.hole(HoleKind.ScratchTee, { x: local - FIRST_SCRATCH });
    return this;
  }

  // ---- values ----

  protected override pin(value: Value): void {
    if (this.absorbed.has(value)) return;
    const capture = this.captures.get(value);
    if (capture !== undefined && value.op !== "load") {
      this.compute(value);
      this.hole(HoleKind.CaptureSet, { x: capture.type, y: capture.index });
      return;
    }
    super.pin(value);
    if (capture !== undefined) {
      this.value(value);
      this.hole(HoleKind.CaptureSet, { x: capture.type, y: capture.index });
    }
  }

  protected override value(value: Value): void {
    const capture = this.captures.get(value);
    if (capture !== undefined && !this.isKept(value))
      this.hole(HoleKind.CaptureGet, { x: capture.type, y: capture.index });
    else super.value(value);
  }

  protected override compute(value: Value): void {
    if (value.op === "condition") {
      this.hole(HoleKind.Condition, { x: value.code });
      return;
    }
    const address = matchAddress(value);
    if (address !== undefined && this.absorbed.has(address.base)) {
      this.hole(HoleKind.EffectiveAddress, { x: address.index === undefined ? 0 : 1 });
      return;
    }
    super.compute(value);
  }

  /** Effective addresses are computed where they stand: what they are made of is not looked at again. */
  private absorbAddresses(block: Block): void {
    for (const statement of block) {
      if (statement.do === "value") {
        const address = matchAddress(statement.value);
        if (address === undefined) continue;
        const parts = [address.base, address.displacement, ...(address.index ?? [])];
        if (parts.every(({ uses }) => uses === 1)) for (const part of parts) this.absorbed.add(part);
      } else if (statement.do === "if") {
        this.absorbAddresses(statement.yes);
        this.absorbAddresses(statement.no);
      } else if (statement.do === "loop") this.absorbAddresses(statement.body);
    }
  }

  protected override isPure(value: Value): boolean {
    if (value.op === "condition") return false;
    const address = matchAddress(value);
    if (address !== undefined && this.absorbed.has(address.base)) return false;
    return super.isPure(value);
  }

  // ---- operands ----

  protected override encoded(field: EncodedField): void {
    this.hole(HoleKind.Encoded, { field });
  }
  protected override registerNumber(register: RegisterRef): void {
    this.hole(HoleKind.RegisterNumber, { register });
  }
  protected override getPlace(place: Place): void {
    if (!isInLocal(place)) this.pushAddress(place);
    this.hole(HoleKind.PlaceGet, { place });
  }
  protected override setPlace(place: Place, value: Value): void {
    if (!isInLocal(place)) this.pushAddress(place);
    this.value(value);
    this.hole(HoleKind.PlaceSet, { place, x: value.type === "i64" && isNarrow(value) ? 1 : 0 });
  }

  /** The address of a place in memory, but for a constant offset. */
  private pushAddress(place: Place): void {
    super.get(STATE);
    if (place.kind !== "field" || place.index === undefined) return;
    this.value(place.index);
    this.i32(place.stride ?? 1)
      .numeric("i32.mul")
      .numeric("i32.add");
  }

  // ---- memory ----

  /** Number of the scratch local that holds a value. */
  private scratchOf(value: Value): number {
    const kept = this.keptIn(value);
    if (kept !== undefined) return kept - FIRST_SCRATCH;
    const local = this.local(value.type);
    this.value(value);
    this.set(local);
    return local - FIRST_SCRATCH;
  }

  protected override load(value: Value & { op: "load" }): void {
    const address = this.scratchOf(value.address);
    let host = -1;
    if (value.modify !== undefined) {
      host = this.local("i32") - FIRST_SCRATCH;
      this.modifies.set(value.modify, host);
    }
    const base = baseOf(value.address);
    this.hole(HoleKind.Load, { x: address, y: host, memory: value.kind, write: value.write, base });
    if (value.uses === 0 && !this.captures.has(value)) {
      this.code.byte(0x1a);
      return;
    }
    this.keepTop(value);
  }

  protected override store(target: Value, kind: MemoryKind, value: Value): void {
    const address = this.scratchOf(target);
    const kept = this.scratchOf(value);
    this.hole(HoleKind.Store, { x: address, y: kept, memory: kind, base: baseOf(target) });
  }

  protected override commit(modify: Modify, value: Value): void {
    const host = this.modifies.get(modify);
    if (host === undefined) throw new Error("a modification is committed in the block that began it");
    this.hole(HoleKind.ScratchGet, { x: host });
    this.value(value);
    this.memory(STORE_OPCODE[STORE_KIND[modify.kind]], 0);
    this.hole(HoleKind.ScratchGet, { x: host });
    this.get(STATE).i32(SCRATCH).numeric("i32.add").numeric("i32.eq");
    this.open(IF, VOID);
    this.hole(HoleKind.Commit);
    this.close();
  }

  protected override probe(address: Value, bytes: number): void {
    this.hole(HoleKind.Probe, { x: this.scratchOf(address), y: bytes });
  }

  // ---- control ----

  protected override context(): this {
    throw new Error("templates call nothing themselves");
  }

  protected override leaveIfSet(): void {
    this.open(IF, VOID);
    this.hole(HoleKind.Fault);
    this.close();
  }

  protected override control(statement: ControlStatement): void {
    switch (statement.do) {
      case "helper":
        // On a branch of the instruction it is the rare case, and the interpreter can do it: nothing has happened yet.
        if (this.depth > 0 && !this.writesMemory) {
          this.hole(HoleKind.Fault);
          break;
        }
        statement.args.forEach((argument, slot) => {
          this.get(STATE);
          this.value(argument);
          this.memory(STORE_OPCODE[argument.type], HELPER_ARGUMENTS + slot * 16);
        });
        this.hole(HoleKind.Helper, { name: statement.name, x: statement.mayFault ? 1 : 0 });
        break;
      case "exception":
      // What is left of a repeated instruction, where a page ends, is the interpreter's.
      case "again":
        this.hole(HoleKind.Fault);
        break;
      case "branch":
        if (statement.condition !== undefined) {
          this.value(statement.condition);
          this.hole(HoleKind.SetCondition);
        }
        break;
      case "jump":
        this.value(statement.target);
        this.hole(HoleKind.Jump);
        break;
      default:
        throw new Error(`a template does not contain ${statement.do}`);
    }
  }
}

const STORE_KIND = {
  u8: "i64_8",
  u16: "i64_16",
  u32: "i64_32",
  u64: "i64",
  f32: "f32",
  f64: "f64",
  v128: "v128",
} as const;

interface MatchedAddress {
  readonly base: Value;
  readonly displacement: Value;
  /** The index, its scale, and the sums inside. */
  readonly index: readonly Value[] | undefined;
}

/** Recognizes base + displacement and base + (index << scale) + displacement (ir/operand.ts). */
function matchAddress(value: Value): MatchedAddress | undefined {
  if (value.op !== "numeric" || value.name !== "i64.add") return undefined;
  const [left, displacement] = value.args;
  if (!isEncoded(displacement, "displacement")) return undefined;
  if (isEncoded(left, "base")) return { base: left, displacement, index: undefined };
  if (left.op !== "numeric" || left.name !== "i64.add") return undefined;
  const [base, shifted] = left.args;
  if (!isEncoded(base, "base") || shifted.op !== "numeric" || shifted.name !== "i64.shl") return undefined;
  const [index, scale] = shifted.args;
  if (!isEncoded(index, "index") || !isEncoded(scale, "scale")) return undefined;
  return { base, displacement, index: [left, shifted, index, scale] };
}

function baseOf(address: Value): Hole["base"] {
  if (matchAddress(address) !== undefined) return "operand";
  const isRsp = (value: Value) =>
    value.op === "get" &&
    value.place.kind === "gpr" &&
    "fixed" in value.place.register &&
    value.place.register.fixed === Register.RSP;
  if (isRsp(address)) return "rsp";
  if (address.op !== "numeric" || (address.name !== "i64.add" && address.name !== "i64.sub"))
    return undefined;
  const [register, distance] = address.args;
  return isRsp(register) && distance.op === "const" ? "rsp" : undefined;
}

function isEncoded(value: Value, field: EncodedField): boolean {
  return value.op === "encoded" && value.field === field;
}

/** Computing it again is as cheap as keeping it. */
function isTrivial(value: Value): boolean {
  return value.op === "const" || value.op === "encoded" || value.op === "const128";
}

/** The upper 32 bits of an i64 are zero. */
function isNarrow(value: Value): boolean {
  switch (value.op) {
    case "const":
      return typeof value.value === "bigint" && value.value >= 0n && value.value <= 0xffffffffn;
    case "load":
      return value.type === "i64" && MEMORY_BYTES[value.kind] <= 4;
    case "get":
      return (
        (value.place.kind === "gpr" && value.place.bits <= 32) ||
        (value.place.kind === "xmm" && value.place.part === "d0")
      );
    case "select":
      return isNarrow(value.args[1]) && isNarrow(value.args[2]);
    case "numeric":
      switch (value.name) {
        case "i64.extend_i32_u":
          return true;
        case "i64.and":
          return value.args.some(isNarrow);
        case "i64.or":
        case "i64.xor":
          return value.args.every(isNarrow);
        case "i64.shr_u":
          return isNarrow(value.args[0]);
        default:
          return false;
      }
    default:
      return false;
  }
}

// ---- what a body contains ----

/** Instructions that stop the engine are the interpreter's. */
function isCompilable(block: Block): boolean {
  return !contains(block, ({ do: kind }) => kind === "exit");
}

function containsWrite(block: Block): boolean {
  return contains(block, ({ do: kind }) => kind === "store" || kind === "commit");
}

function containsFlagSet(block: Block): boolean {
  return contains(
    block,
    (statement) =>
      statement.do === "set" &&
      statement.place.kind === "field" &&
      statement.place.index === undefined &&
      FLAG_FIELDS.has(statement.place.offset),
  );
}
