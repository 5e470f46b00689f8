/** The x87 FPU as FNINIT leaves it (Intel SDM vol. 1, 8.1; vol. 2, FINIT): the registers keep their contents. */

import type { Cpu } from "./cpu.ts";
import {
  X87,
  X87_CONTROL,
  X87_DATA,
  X87_INSTRUCTION,
  X87_OPCODE,
  X87_STATUS,
  X87_STRIDE,
  X87_TAGS,
  X87_TOP,
} from "./state.ts";

export function initializeFpu(cpu: Cpu): void {
  cpu.setI32(X87_CONTROL, 0x37f);
  for (const field of [X87_STATUS, X87_TOP, X87_TAGS, X87_OPCODE]) cpu.setI32(field, 0);
  for (const field of [X87_INSTRUCTION, X87_DATA]) cpu.setNumber(field, 0);
}

/** The initial configuration of XRSTOR: as {@link initializeFpu}, and the registers are zero. */
export function resetFpu(cpu: Cpu): void {
  initializeFpu(cpu);
  cpu.stateBytes(X87, 8 * X87_STRIDE).fill(0);
}

/** The same, for who has only the state struct. */
export function resetFpuState(state: DataView): void {
  for (let at = X87; at < X87 + 8 * X87_STRIDE; at += 8) state.setBigUint64(at, 0n, true);
  state.setInt32(X87_CONTROL, 0x37f, true);
  for (const field of [X87_STATUS, X87_TOP, X87_TAGS, X87_OPCODE]) state.setInt32(field, 0, true);
  for (const field of [X87_INSTRUCTION, X87_DATA]) state.setBigUint64(field, 0n, true);
}
