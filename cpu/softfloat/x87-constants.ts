/**
 * The constants of FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2 and FLDZ: kept longer than a register and rounded by
 * rounding control, without an exception (Intel SDM vol. 2, "FLD1/FLDL2T/…"; vol. 1, 8.3.8).
 */

import { Rounding, type X87Control } from "./control.ts";
import type { Extended } from "./format.ts";

/** The constant cut to a register's 64 bits, and whether what was cut off is more than half a unit. */
interface LongConstant {
  readonly signExponent: number;
  readonly truncated: bigint;
  readonly aboveHalf: boolean;
}

const LOG2_10: LongConstant = { signExponent: 0x4000, truncated: 0xd49a_784b_cd1b_8afen, aboveHalf: false };
const LOG2_E: LongConstant = { signExponent: 0x3fff, truncated: 0xb8aa_3b29_5c17_f0bbn, aboveHalf: true };
const PI: LongConstant = { signExponent: 0x4000, truncated: 0xc90f_daa2_2168_c234n, aboveHalf: true };
const LOG10_2: LongConstant = { signExponent: 0x3ffd, truncated: 0x9a20_9a84_fbcf_f798n, aboveHalf: true };
const LN_2: LongConstant = { signExponent: 0x3ffe, truncated: 0xb172_17f7_d1cf_79abn, aboveHalf: true };

function load({ signExponent, truncated, aboveHalf }: LongConstant, control: X87Control): Extended {
  const { rounding } = control;
  const up = rounding === Rounding.Up || (rounding === Rounding.NearestEven && aboveHalf);
  return { significand: up ? truncated + 1n : truncated, signExponent };
}

export function fld1(): Extended {
  return { significand: 0x8000_0000_0000_0000n, signExponent: 0x3fff };
}
export function fldz(): Extended {
  return { significand: 0n, signExponent: 0 };
}
/** log2 10 */
export function fldl2t(control: X87Control): Extended {
  return load(LOG2_10, control);
}
/** log2 e */
export function fldl2e(control: X87Control): Extended {
  return load(LOG2_E, control);
}
export function fldpi(control: X87Control): Extended {
  return load(PI, control);
}
/** log10 2 */
export function fldlg2(control: X87Control): Extended {
  return load(LOG10_2, control);
}
/** ln 2 */
export function fldln2(control: X87Control): Extended {
  return load(LN_2, control);
}
