/**
 * The frame that a signal handler finds on its stack (struct rt_sigframe, arch/x86/include/asm/sigframe.h), and the way
 * back from it. Programs read and change it (Go's preemption, setcontext, JITs), so that every field has its place.
 */

import { Flag, Register } from "../../cpu/state.ts";
import type { Processor } from "../mm/machine.ts";
import type { UserMemory } from "../mm/user-memory.ts";
import { fpStateSize, resetFpState, restoreFpState, saveFpState } from "./fp-state.ts";
import { Registers } from "./registers.ts";
import { SIGBUS, SIGCHLD, SIGFPE, SIGILL, SIGSEGV, SIGTRAP, SiCode } from "./signal-numbers.ts";
import { type SignalAction, SignalFlag, type SignalInfo } from "./signals.ts";
import type { AlternateStack, Thread } from "./thread.ts";

/** The ABI keeps 128 bytes below RSP for leaf functions (psABI 3.2.2). */
const RED_ZONE = 128;
const FP_ALIGNMENT = 64;

// struct rt_sigframe: the return address, struct ucontext, siginfo_t.
const UCONTEXT = 8;
const UC_STACK = UCONTEXT + 16;
/** struct sigcontext_64 */
const MCONTEXT = UCONTEXT + 40;
const UC_SIGMASK = UCONTEXT + 296;
const SIGINFO = UCONTEXT + 304;
export const SIGINFO_SIZE = 128;
export const FRAME_SIZE = SIGINFO + SIGINFO_SIZE;

/** Where sigcontext_64 keeps the general registers, in its order. */
const CONTEXT_ORDER = [
  Register.R8,
  Register.R9,
  Register.R10,
  Register.R11,
  Register.R12,
  Register.R13,
  Register.R14,
  Register.R15,
  Register.RDI,
  Register.RSI,
  Register.RBP,
  Register.RBX,
  Register.RDX,
  Register.RAX,
  Register.RCX,
  Register.RSP,
] as const;
const MC_RIP = MCONTEXT + 128;
const MC_FLAGS = MCONTEXT + 136;
const MC_SEGMENTS = MCONTEXT + 144;
const MC_ERROR = MCONTEXT + 152;
const MC_TRAP = MCONTEXT + 160;
const MC_OLDMASK = MCONTEXT + 168;
const MC_CR2 = MCONTEXT + 176;
const MC_FPSTATE = MCONTEXT + 184;

/** uc_flags: the FP state is in XSAVE format; SS is saved and restored (asm/ucontext.h). */
const UC_FP_XSTATE = 1;
const UC_SIGCONTEXT_SS = 2;
const UC_STRICT_RESTORE_SS = 4;
const USER_CS = 0x33;
const USER_SS = 0x2b;

/**
 * Most bytes that a delivery puts on a stack (AT_MINSIGSTKSZ).
 * @param xfeatures state components of the processor, as in XCR0
 */
export function minimumSignalStack(xfeatures: number): number {
  return Math.ceil((FRAME_SIZE + 16 + fpStateSize(xfeatures) + FP_ALIGNMENT) / 16) * 16;
}

/** sigaltstack(2) flags */
export const SS_ONSTACK = 1;
export const SS_DISABLE = 2;
export const SS_AUTODISARM = 0x80000000;

/** RFLAGS bits that sigreturn may change (FIX_EFLAGS, arch/x86/kernel/signal_64.c). */
const RESTORED_FLAGS =
  Flag.AC | Flag.OF | Flag.DF | Flag.TF | Flag.SF | Flag.ZF | Flag.AF | Flag.PF | Flag.CF | Flag.RF;

/** Is the stack pointer on the alternate stack? */
export function onAlternateStack(stack: AlternateStack, sp: number): boolean {
  return (
    stack.size > 0 && (stack.flags & SS_AUTODISARM) === 0 && sp > stack.sp && sp <= stack.sp + stack.size
  );
}

/** siginfo_t (asm-generic/siginfo.h): signal, errno, code, then a union at byte 16. */
export function encodeSignalInfo(signal: number, info: SignalInfo): Uint8Array {
  const view = new DataView(new ArrayBuffer(SIGINFO_SIZE));
  view.setInt32(0, signal, true);
  view.setInt32(8, info.code, true);
  const fault =
    signal === SIGSEGV || signal === SIGBUS || signal === SIGILL || signal === SIGFPE || signal === SIGTRAP;
  if (info.code === SiCode.TIMER) {
    view.setInt32(16, info.timerId ?? 0, true);
    view.setInt32(20, info.overrun ?? 0, true);
    view.setBigUint64(24, info.value ?? 0n, true);
  } else if (fault && info.code > 0) {
    const address = info.address ?? 0;
    view.setInt32(16, address | 0, true);
    view.setInt32(20, Math.floor(address / 2 ** 32) | 0, true);
  } else {
    view.setInt32(16, info.pid ?? 0, true);
    view.setInt32(20, info.uid ?? 0, true);
    if (signal === SIGCHLD && info.code > 0) view.setInt32(24, info.status ?? 0, true);
    else view.setBigUint64(24, info.value ?? 0n, true);
  }
  return new Uint8Array(view.buffer);
}

/** The reverse, for rt_sigqueueinfo(2). */
export function decodeSignalInfo(bytes: Uint8Array): SignalInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    code: view.getInt32(8, true),
    pid: view.getInt32(16, true),
    uid: view.getInt32(20, true),
    value: view.getBigUint64(24, true),
  };
}

/** stack_t */
export function encodeStack(stack: AlternateStack, sp: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(24));
  view.setBigUint64(0, BigInt(stack.sp), true);
  view.setUint32(
    8,
    stack.size === 0
      ? SS_DISABLE
      : (stack.flags & SS_AUTODISARM) | (onAlternateStack(stack, sp) ? SS_ONSTACK : 0),
    true,
  );
  view.setBigUint64(16, BigInt(stack.size), true);
  return new Uint8Array(view.buffer);
}

/**
 * Makes the (loaded) thread enter its handler. Returns false when the frame cannot be built: a bad stack, no restorer.
 * @param mask what the handler returns to
 */
export function pushSignalFrame(
  cpu: Processor,
  memory: UserMemory,
  thread: Thread,
  signal: number,
  action: SignalAction,
  info: SignalInfo,
  mask: bigint,
): boolean {
  const registers = new Registers(cpu.state);
  if ((action.flags & SignalFlag.RESTORER) === 0) return false;
  const oldSp = registers.get(Register.RSP);
  const alternate = thread.alternateStack;
  let sp = oldSp - RED_ZONE;
  const nested = onAlternateStack(alternate, oldSp);
  let entersAlternate = false;
  if ((action.flags & SignalFlag.ONSTACK) !== 0 && alternate.size > 0 && !nested) {
    sp = alternate.sp + alternate.size;
    entersAlternate = true;
  }
  const { xcr0 } = cpu.model;
  const fpSize = fpStateSize(xcr0);
  sp = sp - fpSize;
  const fpState = Math.floor(sp / FP_ALIGNMENT) * FP_ALIGNMENT;
  const frame = Math.floor((fpState - FRAME_SIZE) / 16) * 16 - 8;
  // A handler on the alternate stack must not run over its end.
  if ((nested || entersAlternate) && frame <= alternate.sp) return false;
  const length = fpState + fpSize - frame;
  if (!memory.check(frame, length, true)) return false;

  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(action.restorer), true);
  view.setBigUint64(UCONTEXT, BigInt(UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS), true);
  bytes.set(encodeStack(alternate, oldSp), UC_STACK);
  for (const [index, register] of CONTEXT_ORDER.entries()) {
    view.setBigUint64(MCONTEXT + index * 8, registers.bits(register), true);
  }
  view.setBigUint64(MC_RIP, registers.ripBits, true);
  view.setBigUint64(MC_FLAGS, BigInt(cpu.rflags >>> 0), true);
  view.setUint16(MC_SEGMENTS, USER_CS, true);
  view.setUint16(MC_SEGMENTS + 6, USER_SS, true);
  view.setBigUint64(MC_ERROR, BigInt(thread.trap.errorCode), true);
  view.setBigUint64(MC_TRAP, BigInt(thread.trap.vector), true);
  view.setBigUint64(MC_OLDMASK, mask, true);
  view.setBigInt64(MC_CR2, BigInt(thread.trap.address), true);
  view.setBigUint64(MC_FPSTATE, BigInt(fpState), true);
  view.setBigUint64(UC_SIGMASK, mask, true);
  bytes.set(encodeSignalInfo(signal, info), SIGINFO);
  saveFpState(cpu.state, xcr0, bytes.subarray(fpState - frame));
  memory.write(frame, bytes);

  if (entersAlternate && (alternate.flags & SS_AUTODISARM) !== 0) {
    thread.alternateStack = { sp: 0, size: 0, flags: SS_DISABLE };
  }
  registers.set(Register.RDI, signal);
  registers.set(Register.RSI, frame + SIGINFO);
  registers.set(Register.RDX, frame + UCONTEXT);
  registers.set(Register.RAX, 0);
  registers.set(Register.RSP, frame);
  registers.rip = action.handler;
  cpu.rflags = cpu.rflags & ~(Flag.DF | Flag.RF | Flag.TF);
  return true;
}

/**
 * rt_sigreturn(2): goes back to where the handler interrupted. The frame is whatever the program left there.
 * @returns the signal mask to restore; undefined when the frame cannot be read (SIGSEGV)
 */
export function popSignalFrame(cpu: Processor, memory: UserMemory, thread: Thread): bigint | undefined {
  const registers = new Registers(cpu.state);
  // The handler's RET took the return address off.
  const frame = registers.get(Register.RSP) - 8;
  if (!memory.check(frame, SIGINFO, false)) return undefined;
  const bytes = memory.read(frame, SIGINFO);
  const view = new DataView(bytes.buffer);
  const fpState = Number(view.getBigUint64(MC_FPSTATE, true));
  if (fpState === 0) resetFpState(cpu.state);
  else if (!restoreFpState(cpu.state, cpu.model.xcr0, memory, fpState)) return undefined;
  for (const [index, register] of CONTEXT_ORDER.entries()) {
    registers.setBits(register, view.getBigUint64(MCONTEXT + index * 8, true));
  }
  registers.ripBits = view.getBigUint64(MC_RIP, true);
  const flags = Number(view.getBigUint64(MC_FLAGS, true) & 0xffffffffn);
  cpu.rflags = ((cpu.rflags & ~RESTORED_FLAGS) | (flags & RESTORED_FLAGS)) >>> 0;
  const size = Number(view.getBigUint64(UC_STACK + 16, true));
  const stackFlags = view.getUint32(UC_STACK + 8, true);
  const sp = registers.get(Register.RSP);
  // As restore_altstack(): refused silently while in use.
  if (!onAlternateStack(thread.alternateStack, sp)) {
    thread.alternateStack =
      (stackFlags & SS_DISABLE) !== 0
        ? { sp: 0, size: 0, flags: SS_DISABLE }
        : { sp: Number(view.getBigUint64(UC_STACK, true)), size, flags: (stackFlags & SS_AUTODISARM) >>> 0 };
  }
  return view.getBigUint64(UC_SIGMASK, true);
}
