/** Operands as instruction definitions see them: something of a size that can be read and written. */

import { LINEAR_MASK, SEGMENT_BASE, Segment } from "../state.ts";
import type { Builder, ModifiedMemory } from "./builder.ts";
import type { MemoryKind, OperandBits, RegisterRef, Value, VectorPart } from "./value.ts";

/**
 * One operand of an instruction. General registers and immediates read as i64 zero-extended from `bits`; memory of 8…64
 * bits likewise. Vector operands have their own accessors, which work for registers and memory alike.
 */
export interface Operand {
  readonly kind:
    | "gpr"
    | "memory"
    | "immediate"
    | "xmm"
    | "mmx"
    | "st"
    | "segment"
    | "control"
    | "debug"
    | "branch";
  /** Size in bits; 0 where the table says "none" (LEA, FXSAVE). */
  readonly bits: number;
  readonly isMemory: boolean;
  /** The i64 value, zero-extended (general register, memory up to 64 bits, immediate, MMX, low quadword of XMM). */
  read(): Value;
  /** Writes the low `bits` of an i64. */
  write(value: Value): void;
  /**
   * 128 bits: XMM register, or memory. `aligned`: memory must be aligned (#GP otherwise), as legacy SSE wants; instructions
   * with a VEX prefix take no notice of it, unless their row says so too.
   */
  readVector(aligned?: boolean): Value;
  writeVector(value: Value, aligned?: boolean): void;
  /** The low part of an XMM register, or memory of exactly that size. */
  readPart(part: VectorPart): Value;
  /** Writes the low part (the rest of a register is unchanged), or memory of exactly that size. */
  writePart(part: VectorPart, value: Value): void;
  /** Memory: the linear address (segment base included). */
  address(): Value;
  /** Memory: the offset part of the address (LEA). */
  effectiveAddress(): Value;
  /** #GP(0) unless memory is aligned as the instruction's row asks for. */
  requireAligned(): void;
  /** The lower (0) or upper (1) half of a 256-bit operand. Not inside `if` or `loop`. */
  half(index: 0 | 1): Operand;
  /** Memory: a part of it, as an operand of its own. Not inside `if` or `loop`. */
  slice(offset: number, bits: number): Operand;
  /** Register operands: which one. */
  readonly register: RegisterRef;
}

const KIND_OF_BITS: Readonly<Record<number, MemoryKind>> = { 8: "u8", 16: "u16", 32: "u32", 64: "u64" };
const KIND_OF_PART: Readonly<Record<VectorPart, MemoryKind>> = {
  v128: "v128",
  q0: "u64",
  q1: "u64",
  d0: "u32",
  f64: "f64",
  f32: "f32",
  high: "v128",
};

/** An operand of which a kind overrides what it can do. */
export abstract class BaseOperand implements Operand {
  abstract readonly kind: Operand["kind"];
  readonly isMemory: boolean = false;
  constructor(
    protected readonly b: Builder,
    readonly bits: number,
  ) {}
  read(): Value {
    throw this.misuse("read");
  }
  write(_value: Value): void {
    throw this.misuse("write");
  }
  readVector(_aligned?: boolean): Value {
    throw this.misuse("readVector");
  }
  writeVector(_value: Value, _aligned?: boolean): void {
    throw this.misuse("writeVector");
  }
  readPart(_part: VectorPart): Value {
    throw this.misuse("readPart");
  }
  writePart(_part: VectorPart, _value: Value): void {
    throw this.misuse("writePart");
  }
  address(): Value {
    throw this.misuse("address");
  }
  effectiveAddress(): Value {
    throw this.misuse("effectiveAddress");
  }
  requireAligned(): void {}
  half(_index: 0 | 1): Operand {
    throw this.misuse("half");
  }
  slice(_offset: number, _bits: number): Operand {
    throw this.misuse("slice");
  }
  get register(): RegisterRef {
    throw this.misuse("register");
  }
  protected misuse(what: string): Error {
    return new Error(`${what} of a ${this.kind} operand of ${this.bits} bits`);
  }
}

export class GprOperand extends BaseOperand {
  readonly kind = "gpr";
  constructor(
    b: Builder,
    bits: OperandBits,
    private readonly reference: RegisterRef,
  ) {
    super(b, bits);
  }
  override get register(): RegisterRef {
    return this.reference;
  }
  override read(): Value {
    return this.b.gpr(this.reference, this.bits as OperandBits);
  }
  override write(value: Value): void {
    this.b.setGpr(this.reference, value, this.bits as OperandBits);
  }
}

/** Registers that only their own instructions understand: x87 stack, segments, control, debug. */
export class NamedOperand extends BaseOperand {
  constructor(
    b: Builder,
    readonly kind: "st" | "segment" | "control" | "debug",
    bits: number,
    private readonly reference: RegisterRef,
  ) {
    super(b, bits);
  }
  override get register(): RegisterRef {
    return this.reference;
  }
}

export class XmmOperand extends BaseOperand {
  readonly kind = "xmm";
  constructor(
    b: Builder,
    bits: number,
    private readonly reference: RegisterRef,
  ) {
    super(b, bits);
  }
  override get register(): RegisterRef {
    return this.reference;
  }
  override read(): Value {
    return this.b.xmm(this.reference, this.bits === 32 ? "d0" : "q0");
  }
  override readVector(): Value {
    return this.b.xmm(this.reference);
  }
  override writeVector(value: Value): void {
    this.b.setXmm(this.reference, value);
  }
  override readPart(part: VectorPart): Value {
    return this.b.xmm(this.reference, part);
  }
  override writePart(part: VectorPart, value: Value): void {
    this.b.setXmm(this.reference, value, part);
  }
  override half(index: 0 | 1): Operand {
    if (index === 0) return new XmmOperand(this.b, 128, this.reference);
    return new UpperHalfOperand(this.b, this.reference);
  }
}

/** The upper half of a YMM register: its parts are those of the half. */
class UpperHalfOperand extends BaseOperand {
  readonly kind = "xmm";
  constructor(
    b: Builder,
    private readonly reference: RegisterRef,
  ) {
    super(b, 128);
  }
  override readVector(): Value {
    return this.b.xmm(this.reference, "high");
  }
  override writeVector(value: Value): void {
    this.b.setXmm(this.reference, value, "high");
  }
  override readPart(part: VectorPart): Value {
    return partOf(this.b, this.readVector(), part);
  }
}

/** A part of a vector, as {@link Builder.xmm} would read it from a register. */
export function partOf(b: Builder, vector: Value, part: VectorPart): Value {
  switch (part) {
    case "q0":
    case "q1":
      return b.lane("i64x2.extract_lane", part === "q0" ? 0 : 1, vector);
    case "d0":
      return b.extendU(b.lane("i32x4.extract_lane", 0, vector));
    case "f64":
      return b.lane("f64x2.extract_lane", 0, vector);
    case "f32":
      return b.lane("f32x4.extract_lane", 0, vector);
    default:
      return vector;
  }
}

/** A vector with another part. */
export function withPart(b: Builder, vector: Value, part: VectorPart, value: Value): Value {
  switch (part) {
    case "q0":
    case "q1":
      return b.lane("i64x2.replace_lane", part === "q0" ? 0 : 1, vector, value);
    case "d0":
      return b.lane("i32x4.replace_lane", 0, vector, b.wrap(value));
    case "f64":
      return b.lane("f64x2.replace_lane", 0, vector, value);
    case "f32":
      return b.lane("f32x4.replace_lane", 0, vector, value);
    default:
      return value;
  }
}

export class MmxOperand extends BaseOperand {
  readonly kind = "mmx";
  constructor(
    b: Builder,
    bits: number,
    private readonly reference: RegisterRef,
  ) {
    super(b, bits);
  }
  override get register(): RegisterRef {
    return this.reference;
  }
  override read(): Value {
    return this.b.get({ kind: "mmx", register: this.reference });
  }
  override write(value: Value): void {
    this.b.set({ kind: "mmx", register: this.reference }, value);
  }
}

export class ImmediateOperand extends BaseOperand {
  readonly kind = "immediate";
  constructor(
    b: Builder,
    bits: number,
    private readonly second: boolean,
  ) {
    super(b, bits);
  }
  /** Sign- or zero-extended to 64 bits as the encoding says, then cut to the operand size. */
  override read(): Value {
    return this.second
      ? this.b.extendU(this.b.encoded("second"))
      : this.b.zext(this.b.immediate(), this.bits);
  }
}

export class BranchOperand extends BaseOperand {
  readonly kind = "branch";
}

/** Where a memory operand is. The shapes are those that decoded records tell apart. */
export type AddressForm =
  | "base" // base + displacement
  | "indexed" // base + index × scale + displacement
  | "segmented" // segment base + base + index × scale + displacement
  | "absolute" // an address known when decoding (RIP-relative, moffs)
  | "segmentedAbsolute"
  | "narrow" // segment base + (base + index × scale + displacement) mod 2^32
  | "general" // any of these: what is rare enough to make do with one handler
  | "si" // segment base + RSI
  | "di" // RDI
  | "narrowSi"
  | "narrowDi"
  // Outside of 64-bit mode, by address size: segment base + offset, all of it modulo 2^32.
  | "legacy32"
  | "legacy16"
  | "legacySi32"
  | "legacySi16"
  | "legacyDi32"
  | "legacyDi16";

/** A linear address outside of 64-bit mode; it may be a guarded one (cpu/system/segment-checks.ts). */
export function linearAddress(b: Builder, base: Value, offset: Value, addressSize: 16 | 32): Value {
  return b.and(b.add(base, offset), b.const64(LINEAR_MASK[addressSize]));
}

/** How a memory operand may be accessed. */
export interface MemoryAccess {
  /** The instruction reads and writes it: reading asks for the right to write. */
  readonly modifies?: boolean;
  /** It may stand anywhere, whatever the definition says of alignment. */
  readonly unaligned?: boolean;
}

abstract class AddressedOperand extends BaseOperand {
  readonly kind = "memory";
  override readonly isMemory = true;
  private modified: ModifiedMemory | undefined;
  private start: Value | undefined;

  constructor(
    b: Builder,
    bits: number,
    protected readonly access: MemoryAccess,
  ) {
    super(b, bits);
  }

  protected scalar(): MemoryKind {
    const kind = KIND_OF_BITS[this.bits];
    if (kind === undefined) throw this.misuse("read");
    return kind;
  }

  override requireAligned(): void {
    if (this.access.unaligned !== true) this.b.requireAligned(this.firstByte(), this.bits / 8);
  }

  /** The address, computed once for all parts. */
  private firstByte(): Value {
    if (this.b.isNested) throw this.misuse("a part inside a block");
    this.start ??= this.address();
    return this.start;
  }

  /** The address of a vector, after a look at its alignment. */
  private vectorAddress(aligned: boolean): Value {
    const address = this.address();
    if (aligned && this.access.unaligned !== true) this.b.requireAligned(address, 16);
    return address;
  }

  override read(): Value {
    if (this.access.modifies !== true) return this.b.load(this.address(), this.scalar());
    this.modified ??= this.b.modify(this.address(), this.scalar());
    return this.modified.value;
  }

  override write(value: Value): void {
    if (this.modified !== undefined) this.modified.write(value);
    else this.b.store(this.address(), this.scalar(), value);
  }

  override readVector(aligned = false): Value {
    return this.b.load(this.vectorAddress(aligned), "v128");
  }

  override writeVector(value: Value, aligned = false): void {
    this.b.store(this.vectorAddress(aligned), "v128", value);
  }

  override readPart(part: VectorPart): Value {
    return this.b.load(this.address(), KIND_OF_PART[part]);
  }

  override writePart(part: VectorPart, value: Value): void {
    this.b.store(this.address(), KIND_OF_PART[part], value);
  }

  override half(index: 0 | 1): Operand {
    return this.slice(16 * index, 128);
  }

  override slice(offset: number, bits: number): Operand {
    const start = this.firstByte();
    if (offset === 0) return new LinearOperand(this.b, bits, start, this.bits / 8);
    return new LinearOperand(this.b, bits, this.b.add(start, this.b.const64(offset)));
  }
}

/** Memory at an address that has been computed. It may stand anywhere. */
class LinearOperand extends AddressedOperand {
  constructor(
    b: Builder,
    bits: number,
    private readonly where: Value,
    /** Bytes of the whole operand, if this is its first part. */
    private readonly extent?: number,
  ) {
    super(b, bits, { unaligned: true });
  }

  override address(): Value {
    return this.where;
  }
  override read(): Value {
    return this.b.load(this.where, this.scalar(), this.extent);
  }
  override readVector(): Value {
    return this.b.load(this.where, "v128", this.extent);
  }
}

/** The vector register that has the indices of a gather. */
export interface VectorIndex {
  readonly register: RegisterRef;
  readonly bits: 128 | 256;
}

export class MemoryOperand extends AddressedOperand {
  /** @param vectorIndex in gathers; {@link addressAt} takes the indices one by one */
  constructor(
    b: Builder,
    bits: number,
    readonly form: AddressForm,
    access: MemoryAccess = {},
    readonly vectorIndex?: VectorIndex,
  ) {
    super(b, bits, access);
  }

  override effectiveAddress(): Value {
    const b = this.b;
    switch (this.form) {
      case "base":
        return b.add(b.encoded("base"), b.encoded("displacement"));
      case "indexed":
      case "segmented":
      case "narrow": {
        const index = b.shl(b.encoded("index"), b.encoded("scale"));
        const sum = b.add(b.add(b.encoded("base"), index), b.encoded("displacement"));
        return this.form === "narrow" ? b.zext(sum, 32) : sum;
      }
      case "general":
        return this.generalAddress(b.encoded("index"));
      case "absolute":
      case "segmentedAbsolute":
        return b.encoded("absolute");
      case "si":
        return b.gpr(6);
      case "di":
        return b.gpr(7);
      case "narrowSi":
      case "legacySi32":
        return b.gpr(6, 32);
      case "narrowDi":
      case "legacyDi32":
        return b.gpr(7, 32);
      case "legacySi16":
        return b.gpr(6, 16);
      case "legacyDi16":
        return b.gpr(7, 16);
      case "legacy32":
      case "legacy16": {
        const index = b.shl(b.encoded("index"), b.encoded("scale"));
        const sum = b.add(b.add(b.encoded("base"), index), b.encoded("displacement"));
        return b.zext(sum, this.form === "legacy16" ? 16 : 32);
      }
    }
  }

  /** Shifts count modulo 64: the mark of narrow addresses in the scale does no harm. */
  private generalAddress(index: Value): Value {
    const b = this.b;
    const scale = b.encoded("scale");
    const sum = b.add(b.add(b.encoded("base"), b.shl(index, scale)), b.encoded("absolute"));
    const unused = b.and(b.shrBy(scale, 1), b.const64(32));
    return b.and(sum, b.shr(b.const64(-1), unused));
  }

  override address(): Value {
    const offset = this.effectiveAddress();
    switch (this.form) {
      case "segmented":
      case "segmentedAbsolute":
      case "narrow":
      case "general":
      case "si":
      case "narrowSi":
        return this.b.add(this.b.encoded("segmentBase"), offset);
      case "legacy32":
      case "legacySi32":
        return linearAddress(this.b, this.b.encoded("segmentBase"), offset, 32);
      case "legacy16":
      case "legacySi16":
        return linearAddress(this.b, this.b.encoded("segmentBase"), offset, 16);
      case "legacyDi32":
        return linearAddress(this.b, this.b.field(SEGMENT_BASE + Segment.ES * 8, "i64"), offset, 32);
      case "legacyDi16":
        return linearAddress(this.b, this.b.field(SEGMENT_BASE + Segment.ES * 8, "i64"), offset, 16);
      default:
        return offset;
    }
  }

  /** Gathers: the address that an index (i64, sign-extended) leads to. */
  addressAt(index: Value): Value {
    const b = this.b;
    const base = b.encoded("segmentBase");
    if (this.form !== "legacy32") return b.add(base, this.generalAddress(index));
    const scaled = b.shl(index, b.encoded("scale"));
    const sum = b.add(b.add(b.encoded("base"), scaled), b.encoded("displacement"));
    return linearAddress(b, base, b.zext(sum, 32), 32);
  }
}
