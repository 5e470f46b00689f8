/** How generated code spells places in the CPU state: typed arrays over it, indexed by names. */

import * as State from "../../state.ts";
import { registerName } from "./register-names.ts";

/** Typed arrays over the state struct, by what an element is. */
export const VIEWS = {
  r64: 8,
  i32: 4,
  u16: 2,
  f64: 8,
  f32: 4,
} as const;
export type View = keyof typeof VIEWS;

const FIELD_NAMES: ReadonlyMap<number, string> = new Map([
  [State.FLAG_ZERO, "FLAG_ZERO"],
  [State.FLAG_SIGN, "FLAG_SIGN"],
  [State.FLAG_CARRIES, "FLAG_CARRIES"],
  [State.FLAG_CARRY, "FLAG_CARRY"],
  [State.FLAGS_OTHER, "FLAGS_OTHER"],
  [State.SEGMENT_BASE + 8 * State.Segment.FS, "FS_BASE"],
  [State.SEGMENT_BASE + 8 * State.Segment.GS, "GS_BASE"],
  [State.X87_CONTROL, "X87_CONTROL"],
  [State.X87_STATUS, "X87_STATUS"],
  [State.X87_TOP, "X87_TOP"],
  [State.X87_TAGS, "X87_TAGS"],
  [State.X87_OPCODE, "X87_OPCODE"],
  [State.X87_INSTRUCTION, "X87_INSTRUCTION"],
  [State.X87_DATA, "X87_DATA"],
  [State.MXCSR, "MXCSR"],
  [State.EXCEPTION_VECTOR, "EXCEPTION_VECTOR"],
  [State.EXCEPTION_ERROR, "EXCEPTION_ERROR"],
  [State.EXCEPTION_ADDRESS, "EXCEPTION_ADDRESS"],
]);

/** The name of a place at a byte offset of the state struct. */
export function placeName(offset: number): string {
  const field = FIELD_NAMES.get(offset);
  if (field !== undefined) return field;
  if (offset < State.GPR + 128) return registerName((offset - State.GPR) >> 3, 64).toUpperCase();
  if (offset >= State.XMM && offset < State.XMM + 16 * State.XMM_STRIDE) {
    const index = Math.floor((offset - State.XMM) / State.XMM_STRIDE);
    const part = (offset - State.XMM) % State.XMM_STRIDE;
    return part === 0 ? `XMM${index}` : `XMM${index}_${8 * part}`;
  }
  if (offset >= State.X87 && offset < State.X87 + 8 * State.X87_STRIDE) {
    const index = (offset - State.X87) / State.X87_STRIDE;
    return Number.isInteger(index) ? `R${index}` : `R${Math.floor(index)}_EXPONENT`;
  }
  if (offset >= State.HELPER_ARGUMENTS && offset < State.SCRATCH) {
    return `ARGUMENT${(offset - State.HELPER_ARGUMENTS) / 16}`;
  }
  return `STATE_${offset.toString(16)}`;
}
