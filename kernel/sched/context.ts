/** The register context that a program starts with (Linux: ELF_PLAT_INIT, start_thread(), fpu init_fpstate). */

import {
  CONTEXT_SIZE,
  FLAG_SIGN,
  FLAG_ZERO,
  FLAGS_OTHER,
  Flag,
  MXCSR,
  Register,
  X87_CONTROL,
} from "../../cpu/state.ts";
import { Registers } from "./registers.ts";

/** FNINIT's control word and the MXCSR at reset: all exceptions masked, round to nearest (SDM vol. 1, 8.1.5, 10.2.3). */
const FCW_INIT = 0x37f;
const MXCSR_INIT = 0x1f80;
/** RFLAGS bit 1 always reads as one (SDM vol. 1, 3.4.3). */
const RFLAGS_FIXED = 2;

/** All registers zero but the stack pointer, the entry point and the control words. */
export function initialContext(entry: number, stackPointer: number): Uint8Array {
  const bytes = new Uint8Array(CONTEXT_SIZE);
  const view = new DataView(bytes.buffer);
  const registers = new Registers(view);
  registers.rip = entry;
  registers.set(Register.RSP, stackPointer);
  // Lazy flags whose ZF, SF, PF, CF, AF and OF are all clear: a result of 1 is not zero, positive and of odd parity.
  view.setInt32(FLAG_ZERO, 1, true);
  view.setInt32(FLAG_SIGN, 1, true);
  view.setInt32(FLAGS_OTHER, Flag.IF | RFLAGS_FIXED, true);
  view.setInt32(X87_CONTROL, FCW_INIT, true);
  view.setInt32(MXCSR, MXCSR_INIT, true);
  return bytes;
}
