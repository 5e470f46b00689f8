/**
 * The intermediate representation: what one instruction does, as values and statements in order.
 *
 * Instruction definitions build it through {@link import("./builder.ts").Builder}; engines lower it. Integer values are
 * i64 (guest operands of 8…64 bits, zero-extended when read) or i32 (conditions, lane values).
 */

import type { WasmType } from "../wasm/module-builder.ts";

export type Type = WasmType;

/**
 * Which register an operand names: known when the definition runs, or looked up in a slot of the decoded record, so that
 * one handler serves all registers.
 */
export type RegisterRef =
  | { readonly fixed: number; readonly high?: boolean } // `high`: AH…BH
  | { readonly slot: RecordSlot };

/**
 * Register slots of a decoded record: 0…2 of its instruction, 3…6 of a second one fused to it, 7 of a fourth operand
 * (record.ts).
 */
export type RecordSlot = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

export type OperandBits = 8 | 16 | 32 | 64;

/**
 * Parts of a vector register and the value type they read as: q = 64-bit, d = 32-bit zero-extended to i64; all of the XMM
 * register but `high`, which is the upper half of the YMM register (a v128).
 */
export type VectorPart = "v128" | "q0" | "q1" | "d0" | "f64" | "f32" | "high";

/** A piece of CPU state that can be read and written. */
export type Place =
  | { readonly kind: "gpr"; readonly register: RegisterRef; readonly bits: OperandBits }
  | { readonly kind: "xmm"; readonly register: RegisterRef; readonly part: VectorPart }
  | { readonly kind: "mmx"; readonly register: RegisterRef }
  /** A field of the state struct at `offset` (+ `index` × `stride`). */
  | {
      readonly kind: "field";
      readonly offset: number;
      readonly type: "i32" | "i64" | "u16" | "v128" | "f64";
      readonly index?: Value;
      readonly stride?: number;
    };

/** What a memory access moves; narrow integers zero-extend to i64. */
export type MemoryKind = "u8" | "u16" | "u32" | "u64" | "f32" | "f64" | "v128";

export const MEMORY_BYTES: Readonly<Record<MemoryKind, number>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  u64: 8,
  f32: 4,
  f64: 8,
  v128: 16,
};

/** Fields of the decoded instruction that a value may refer to. */
export type EncodedField =
  | "immediate" // i64; for instructions without an immediate: the address of the next instruction
  | "second" // i32: ENTER's level
  | "displacement" // i64, sign-extended
  | "scale" // i64: log2
  | "base" // i64: contents of the base register (0 if none)
  | "index" // i64
  | "segmentBase" // i64
  | "absolute" // i64
  | "immediateInDisplacement" // i64: the immediate of a fused second instruction, in the field that is free (record.ts)
  | "immediateInLink";

interface Common {
  readonly type: Type;
  /** How often other values and statements refer to it; counted when lowering. */
  uses: number;
}

export type Value = Common &
  (
    | { readonly op: "const"; readonly value: bigint | number }
    | { readonly op: "const128"; readonly bytes: Uint8Array }
    | {
        readonly op: "numeric";
        readonly name: string;
        readonly args: readonly Value[];
        readonly lane?: number;
      }
    | { readonly op: "shuffle"; readonly args: readonly [Value, Value]; readonly lanes: readonly number[] }
    | { readonly op: "select"; readonly args: readonly [condition: Value, yes: Value, no: Value] }
    | { readonly op: "encoded"; readonly field: EncodedField }
    | { readonly op: "registerNumber"; readonly register: RegisterRef }
    | { readonly op: "get"; readonly place: Place }
    | {
        readonly op: "load";
        readonly kind: MemoryKind;
        readonly address: Value;
        readonly write: boolean;
        readonly modify: Modify | undefined;
        /** Bytes that the instruction accesses from there, if more: what the slow path looks at before it may fault. */
        readonly extent: number | undefined;
      }
    | { readonly op: "variable"; readonly variable: Variable }
    | { readonly op: "helperResult"; readonly slot: number }
    /** A condition code (even: the odd one is its negation) of the flags before the instruction, left to the engine. */
    | { readonly op: "condition"; readonly code: number }
  );

/** A read-modify-write access in progress: ties the load to its store. `locked`: LOCK or XCHG. */
export interface Modify {
  readonly kind: MemoryKind;
  readonly locked: boolean;
}

/** A mutable local of a definition, for loops and joins. */
export interface Variable {
  readonly type: Type;
}

export type Statement =
  | { readonly do: "value"; readonly value: Value } // evaluates here, keeps in a local
  | { readonly do: "set"; readonly place: Place; readonly value: Value }
  | { readonly do: "store"; readonly kind: MemoryKind; readonly address: Value; readonly value: Value }
  | { readonly do: "probe"; readonly address: Value; readonly bytes: number }
  | { readonly do: "commit"; readonly modify: Modify; readonly value: Value }
  | { readonly do: "assign"; readonly variable: Variable; readonly value: Value }
  | { readonly do: "if"; readonly condition: Value; readonly yes: Block; readonly no: Block }
  | { readonly do: "loop"; readonly body: Block } // repeats while the body ends with `continue`
  | { readonly do: "continueIf"; readonly condition: Value } // last statement of a loop body
  | {
      readonly do: "helper";
      readonly name: string;
      readonly args: readonly Value[];
      readonly mayFault: boolean;
    }
  | { readonly do: "exception"; readonly vector: number; readonly error: number }
  | { readonly do: "exit"; readonly reason: number }
  | { readonly do: "branch"; readonly condition: Value | undefined } // to the instruction's branch target
  | { readonly do: "jump"; readonly target: Value; readonly returns: boolean }
  | { readonly do: "again" } // the same instruction once more (REP)
  | { readonly do: "second" }; // the first of two fused instructions is complete

export type Block = Statement[];

/**
 * The arithmetic flags of an instruction, not computed yet: expressions over values that the instruction has read. Who
 * needs a flag later, or never, decides.
 */
export interface DeferredFlags {
  /** Offset of a flag field (cpu/state.ts) → what it becomes. Fields that are not here keep their value. */
  readonly fields: ReadonlyMap<number, Value>;
  /** A condition (even code) straight from the operands; undefined if it takes the fields. */
  condition(code: number): Value | undefined;
}

/** What one instruction does. */
export interface Instructions {
  readonly body: Block;
  /** Control may go elsewhere than to the next instruction, or the engine stops. */
  readonly transfers: boolean;
  /** Control may also go on to the next instruction. */
  readonly fallsThrough: boolean;
  /** Flag fields read before being written, and written on every path ({@link FlagField} bits). */
  readonly flagsRead: number;
  readonly flagsWritten: number;
  /** May stop with an exception before it completes, or a helper looks at the state: all flags must be there. */
  readonly observable: boolean;
  /** Only if the builder was asked to defer flags, and only if all flags are written unconditionally. */
  readonly deferredFlags: DeferredFlags | undefined;
}

/** Bits of the lazy flag fields, for liveness. */
export const FlagField = { Zero: 1, Sign: 2, Carries: 4, Carry: 8, All: 15 } as const;
