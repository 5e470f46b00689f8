/** Exceptions of the processor become signals (Linux arch/x86/kernel/traps.c, arch/x86/mm/fault.c). */

import { Exit } from "../../cpu/engine.ts";
import {
  EXCEPTION_ADDRESS,
  EXCEPTION_ERROR,
  EXCEPTION_VECTOR,
  MXCSR,
  Vector,
  X87_CONTROL,
  X87_STATUS,
} from "../../cpu/state.ts";
import { Access, PageFaultBit } from "../../mmu/translator.ts";
import type { Kernel } from "../kernel.ts";
import { SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP, SiCode } from "./signal-numbers.ts";
import type { Thread } from "./thread.ts";

/** MXCSR: mask bits are this far above the flags they mask. */
const MXCSR_MASK_SHIFT = 7;

/** The si_code for a set of x87 or SSE exception flags that are not masked (fpu__exception_code()). */
function floatingPointCode(flags: number): number {
  if ((flags & 0x01) !== 0) return SiCode.FPE_FLTINV;
  if ((flags & 0x04) !== 0) return SiCode.FPE_FLTDIV;
  if ((flags & 0x08) !== 0) return SiCode.FPE_FLTOVF;
  if ((flags & 0x12) !== 0) return SiCode.FPE_FLTUND;
  if ((flags & 0x20) !== 0) return SiCode.FPE_FLTRES;
  return 0;
}

/** The running thread's instruction raised an exception: sends what Linux would send. */
export function handleException(kernel: Kernel, thread: Thread, exit: Exit): void {
  const { state } = kernel.machine.cpu;
  const registers = kernel.scheduler.registersOf(thread);
  // HLT is privileged.
  const vector = exit === Exit.Halt ? Vector.GP : state.getInt32(EXCEPTION_VECTOR, true);
  const errorCode = exit === Exit.Halt ? 0 : state.getInt32(EXCEPTION_ERROR, true);
  const force = (signal: number, code: number, address = registers.rip): void => {
    kernel.signals.force(thread, signal, { code, address });
  };
  thread.trap = { vector, errorCode, address: thread.trap.address };
  switch (vector) {
    case Vector.PF: {
      const address =
        state.getInt32(EXCEPTION_ADDRESS + 4, true) * 2 ** 32 + state.getUint32(EXCEPTION_ADDRESS, true);
      thread.trap.address = address;
      pageFault(kernel, thread, address, errorCode, force);
      break;
    }
    case Vector.DE:
      force(SIGFPE, SiCode.FPE_INTDIV);
      break;
    case Vector.UD:
      force(SIGILL, SiCode.ILL_ILLOPN);
      break;
    case Vector.BP:
      force(SIGTRAP, SiCode.KERNEL);
      break;
    case Vector.DB:
      force(SIGTRAP, SiCode.TRAP_TRACE);
      break;
    case Vector.MF: {
      const masked = state.getInt32(X87_CONTROL, true);
      force(SIGFPE, floatingPointCode(state.getInt32(X87_STATUS, true) & ~masked & 0x3f));
      break;
    }
    case Vector.XM: {
      const mxcsr = state.getInt32(MXCSR, true);
      force(SIGFPE, floatingPointCode(mxcsr & ~(mxcsr >> MXCSR_MASK_SHIFT) & 0x3f));
      break;
    }
    case Vector.AC:
      force(SIGBUS, SiCode.BUS_ADRALN, 0);
      break;
    case Vector.SS:
    case Vector.NP:
      force(SIGBUS, SiCode.KERNEL, 0);
      break;
    default:
      // #GP, #OF, #BR
      force(SIGSEGV, SiCode.KERNEL, 0);
      break;
  }
}

function pageFault(
  kernel: Kernel,
  thread: Thread,
  address: number,
  errorCode: number,
  force: (signal: number, code: number, address?: number) => void,
): void {
  const access =
    (errorCode & PageFaultBit.Instruction) !== 0
      ? Access.Execute
      : (errorCode & PageFaultBit.Write) !== 0
        ? Access.Write
        : Access.Read;
  switch (kernel.space.fault(address, access)) {
    case undefined:
      // It has become accessible in the meantime; the instruction runs again.
      return;
    case "unmapped":
      force(SIGSEGV, SiCode.SEGV_MAPERR, address);
      return;
    case "forbidden":
      force(SIGSEGV, SiCode.SEGV_ACCERR, address);
      return;
    case "past end":
      force(SIGBUS, SiCode.BUS_ADRERR, address);
      return;
    case "out of memory":
      kernel.lifecycle.dieOutOfMemory(thread);
  }
}
