/**
 * x87 arithmetic and comparisons on values. Operands come from a register ({@link unpackExtended}) or from memory
 * ({@link unpackBinary32}, {@link unpackBinary64}, {@link unpackInteger}); results are register values.
 *
 * The functions know nothing of the register stack, tags and status word. An instruction
 * 1. loads its {@link X87Control} from FCW and calls the function;
 * 2. ORs `control.raised` into FSW, and sets C1 to `control.c1`;
 * 3. if `control.unmasked` is not zero, sets ES and B; if also `control.suppressed`, stores nothing and leaves TOP
 *    (comparisons set their condition codes, and FCOMI the flags, even then);
 * 4. else stores the result. Unmasked OE and UE deliver a result to a register, with its exponent moved by 24576.
 *
 * Condition codes that the manual calls undefined keep their value on silicon: C0, C2 and C3 of all but comparisons, FXAM
 * and FPREM; C0 and C3 of FSIN, FCOS, FSINCOS and FPTAN (C2 tells of the range); C1 of FCOMI and FUCOMI.
 * Sources: Intel SDM vol. 1, chapter 8; vol. 2, the instructions.
 */

import { add, divide, multiply, squareRoot } from "./arithmetic.ts";
import { Relation, relate } from "./compare.ts";
import { Exception, type X87Control } from "./control.ts";
import {
  EXTENDED,
  EXTENDED_DOUBLE,
  EXTENDED_SINGLE,
  type Extended,
  type Format,
  Kind,
  packExtended,
  type Unpacked,
} from "./format.ts";

/** Condition codes at their places in FSW. */
export const Condition = { C0: 0x0100, C1: 0x0200, C2: 0x0400, C3: 0x4000 } as const;

/** The format that precision control selects. */
function destination(control: X87Control): Format {
  return control.precision === 64 ? EXTENDED : control.precision === 53 ? EXTENDED_DOUBLE : EXTENDED_SINGLE;
}

/** FADD, FADDP, FIADD. */
export function fadd(a: Unpacked, b: Unpacked, control: X87Control): Extended {
  return packExtended(add(destination(control), a, b, control));
}

/** a − b: FSUB and, with the operands exchanged, FSUBR. */
export function fsub(a: Unpacked, b: Unpacked, control: X87Control): Extended {
  return packExtended(add(destination(control), a, b, control, true));
}

/** FMUL, FMULP, FIMUL. */
export function fmul(a: Unpacked, b: Unpacked, control: X87Control): Extended {
  return packExtended(multiply(destination(control), a, b, control));
}

/** a ÷ b: FDIV and, with the operands exchanged, FDIVR. */
export function fdiv(a: Unpacked, b: Unpacked, control: X87Control): Extended {
  return packExtended(divide(destination(control), a, b, control));
}

/** FSQRT. */
export function fsqrt(a: Unpacked, control: X87Control): Extended {
  return packExtended(squareRoot(destination(control), a, control));
}

function conditionOf(relation: Relation): number {
  switch (relation) {
    case Relation.Unordered:
      return Condition.C3 | Condition.C2 | Condition.C0;
    case Relation.Greater:
      return 0;
    case Relation.Less:
      return Condition.C0;
    default:
      return Condition.C3;
  }
}

function compare(a: Unpacked, b: Unpacked, signalsQuiet: boolean, control: X87Control): number {
  const relation = relate(a, b);
  if (relation !== Relation.Unordered) {
    if (a.denormal || b.denormal) control.flags |= Exception.DE;
  } else if (signalsQuiet || a.kind > Kind.QuietNaN || b.kind > Kind.QuietNaN) {
    control.flags |= Exception.IE;
  }
  return conditionOf(relation);
}

/**
 * FCOM, FCOMI and FICOM: every NaN is invalid. FTST compares with `unpackInteger(0)`.
 * @returns FSW bits C3, C2, C0 (C1 is cleared). Shifted right by 8 they are ZF, PF, CF for FCOMI, which leaves C1 alone.
 */
export function fcom(a: Unpacked, b: Unpacked, control: X87Control): number {
  return compare(a, b, true, control);
}

/** FUCOM and FUCOMI: only signaling NaNs and unsupported encodings are invalid. Result as of {@link fcom}. */
export function fucom(a: Unpacked, b: Unpacked, control: X87Control): number {
  return compare(a, b, false, control);
}

/** FXAM of a register in use: C3, C2, C0 classify, C1 is the sign. (Of an empty one: C3 and C0, and its sign.) */
export function fxam(a: Unpacked): number {
  const sign = a.negative ? Condition.C1 : 0;
  switch (a.kind) {
    case Kind.Zero:
      return sign | Condition.C3;
    case Kind.Finite:
      return sign | Condition.C2 | (a.denormal ? Condition.C3 : 0);
    case Kind.Infinity:
      return sign | Condition.C2 | Condition.C0;
    case Kind.Unsupported:
      return sign;
    default:
      return sign | Condition.C0;
  }
}
