/** What an engine leaves in the state of an architectural exception. */

import { AlignmentFault, PageFault } from "../../mmu/mmu.ts";
import type { Cpu } from "../cpu.ts";
import { GuestException } from "../helpers.ts";
import {
  EXCEPTION_ADDRESS,
  EXCEPTION_ERROR,
  EXCEPTION_SOURCE,
  EXCEPTION_VECTOR,
  ExceptionSource,
  Vector,
} from "../state.ts";

/** Notes an exception that a helper or an access has raised; anything else is a bug and goes on up. */
export function noteException(cpu: Cpu, error: unknown): void {
  cpu.setI32(EXCEPTION_SOURCE, ExceptionSource.Processor);
  if (error instanceof PageFault) {
    cpu.setI32(EXCEPTION_VECTOR, Vector.PF);
    cpu.setI32(EXCEPTION_ERROR, error.errorCode);
    cpu.setNumber(EXCEPTION_ADDRESS, error.address);
  } else if (error instanceof GuestException) {
    cpu.setI32(EXCEPTION_VECTOR, error.vector);
    cpu.setI32(EXCEPTION_ERROR, error.errorCode);
    cpu.setNumber(EXCEPTION_ADDRESS, error.address);
  } else if (error instanceof AlignmentFault) {
    cpu.setI32(EXCEPTION_VECTOR, Vector.AC);
    cpu.setI32(EXCEPTION_ERROR, 0);
  } else throw error;
}
