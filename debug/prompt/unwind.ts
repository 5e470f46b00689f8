/**
 * Who called whom: by what a function has pushed since its beginning, and by frame pointers; where neither leads to a return
 * address, by those that lie on the stack, which are only probable.
 */

import { disassemble } from "../disassembly.ts";
import type { LoadedFiles } from "../symbols/loaded-files.ts";
import type { Target } from "../target.ts";

export interface Frame {
  readonly address: number;
  /** Where the return address of this frame lies; the stack pointer is behind it when the frame is gone. */
  readonly returnSlot: number | undefined;
  /**
   * Is it "inside" a call, so that the address is that behind it? Or the "next" instruction, of the innermost frame and of one
   * that a signal has interrupted? "signal": what calls handlers. "guess": inside a call, only found on the stack.
   */
  readonly kind: "inside" | "next" | "signal" | "guess";
}

const MOST_FRAMES = 200;
/** How much of the stack is searched for return addresses. */
const SEARCH_BYTES = 4096;
const MOST_GUESSES = 20;
/** mov rax, __NR_rt_sigreturn; syscall. */
const SIGNAL_RETURN = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];
/** Registers in the frame of a signal (Linux, struct ucontext and struct sigcontext). */
const CONTEXT = 40;
const CONTEXT_RBP = 80;
const CONTEXT_RSP = 120;
const CONTEXT_RIP = 128;
/** How much of a function is read to find out what it has pushed. */
const MOST_CODE = 8192;

export interface StackState {
  readonly rip: number;
  readonly rsp: number;
  readonly rbp: number;
}

export class Unwinder {
  constructor(
    private readonly target: Target,
    private readonly files: LoadedFiles,
  ) {}

  private word(address: number): number | undefined {
    const size = this.target.bitness === 64 ? 8 : 4;
    const bytes = this.target.readMemory(address, size);
    if (bytes.length < size) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return size === 8 ? Number(view.getBigInt64(0, true)) : view.getUint32(0, true);
  }

  /** Does a call instruction end at an address? */
  isReturnAddress(address: number): boolean {
    const bytes = this.target.readMemory(address - 7, 7);
    if (bytes.length < 7) return false;
    if (bytes[2] === 0xe8) return true; // CALL rel32
    // CALL r/m, FF /2: of 2, 3, 4, 6 or 7 bytes.
    return [2, 3, 4, 6, 7].some(
      (length) => bytes[7 - length] === 0xff && ((bytes[8 - length] >> 3) & 7) === 2,
    );
  }

  private isProbable(slot: number): boolean {
    const address = this.word(slot);
    return address !== undefined && this.isReturnAddress(address);
  }

  /** From a frame to its caller; undefined if nobody knows. */
  private caller(state: StackState, isInnermost: boolean): { slot: number; rbp: number } | undefined {
    const size = this.target.bitness === 64 ? 8 : 4;
    const byFrame = () => ({ slot: state.rbp + size, rbp: this.word(state.rbp) ?? 0 });
    const symbol = this.files.at(isInnermost ? state.rip : state.rip - 1);
    if (symbol?.isCode === true && state.rip - symbol.address <= MOST_CODE) {
      const code = this.target.readMemory(symbol.address, state.rip - symbol.address);
      const layout = followStack(code, symbol.address, this.target.bitness);
      if (layout !== undefined) {
        const { depth, hasFrame, savedRbp } = layout;
        const slot = state.rsp + depth;
        const kept = savedRbp === undefined ? state.rbp : this.word(slot - savedRbp);
        const found = hasFrame ? byFrame() : { slot, rbp: kept ?? 0 };
        if (this.isProbable(found.slot) || this.isSignalReturn(this.word(found.slot))) return found;
      }
    }
    return this.isProbable(state.rbp + size) ? byFrame() : undefined;
  }

  /** Does the code there end a signal handler, as libraries for Linux have it? */
  private isSignalReturn(address: number | undefined): boolean {
    if (address === undefined || this.target.kind !== "program") return false;
    const bytes = this.target.readMemory(address, SIGNAL_RETURN.length);
    return SIGNAL_RETURN.every((byte, index) => bytes[index] === byte);
  }

  /** What a signal has interrupted, if its handler is called from this frame. */
  private interrupted({ rip, rsp }: StackState): StackState | undefined {
    if (!this.isSignalReturn(rip)) return undefined;
    const register = (offset: number): number => this.word(rsp + CONTEXT + offset) ?? 0;
    return { rbp: register(CONTEXT_RBP), rsp: register(CONTEXT_RSP), rip: register(CONTEXT_RIP) };
  }

  *frames(state: StackState): Generator<Frame> {
    const size = this.target.bitness === 64 ? 8 : 4;
    let here = state;
    let caller = this.caller(here, true);
    yield { address: state.rip, returnSlot: caller?.slot, kind: "next" };
    if (caller === undefined) yield* this.guesses(state.rsp);
    for (let count = 1; count < MOST_FRAMES && caller !== undefined; count++) {
      const { slot, rbp } = caller;
      const address = this.word(slot);
      if (address === undefined || address === 0) return;
      here = { rip: address, rsp: slot + size, rbp };
      caller = this.caller(here, false);
      // The stack of a caller is above.
      if (caller !== undefined && caller.slot <= slot) caller = undefined;
      const interrupted = this.interrupted(here);
      if (interrupted !== undefined) {
        yield { address, returnSlot: undefined, kind: "signal" };
        here = interrupted;
        caller = this.caller(here, true);
        yield { address: here.rip, returnSlot: caller?.slot, kind: "next" };
        continue;
      }
      yield { address, returnSlot: caller?.slot, kind: "inside" };
    }
  }

  /** Return addresses on the stack. */
  private *guesses(rsp: number): Generator<Frame> {
    const size = this.target.bitness === 64 ? 8 : 4;
    let found = 0;
    for (let slot = rsp; slot < rsp + SEARCH_BYTES && found < MOST_GUESSES; slot += size) {
      const address = this.word(slot);
      if (address === undefined) return;
      // Without symbols, any address behind a call will do.
      const hasSymbols = this.files.symbols.size > 0;
      if ((hasSymbols && this.files.at(address)?.isCode !== true) || !this.isReturnAddress(address)) continue;
      found++;
      yield { address, returnSlot: slot, kind: "guess" };
    }
  }
}

interface StackLayout {
  /** Bytes from the stack pointer to the return address. */
  readonly depth: number;
  /** RBP is the frame's. */
  readonly hasFrame: boolean;
  /** Bytes from where the caller's RBP is saved to the return address. */
  readonly savedRbp: number | undefined;
}

/**
 * Follows the stack pointer from the beginning of a function, through its instructions in the order of their addresses: what
 * stands behind a RET is reached from before its epilogue.
 */
function followStack(code: Uint8Array, address: number, bitness: 64 | 32 | 16): StackLayout | undefined {
  const size = bitness === 64 ? 8 : bitness / 8;
  let now = { depth: 0, hasFrame: false, savedRbp: undefined as number | undefined };
  /** What it was before the epilogue that may be under way. */
  let body = now;
  let isLeaving = false;
  for (const { text } of disassemble(code, BigInt(address), bitness)) {
    const [, name = "", operands = ""] = /^(\w+) ?(.*)$/.exec(text) ?? [];
    const change = /^[re]?sp, (0x[0-9a-f]+|\d+)$/.exec(operands);
    const shrinks = name === "pop" || name === "leave" || (name === "add" && change !== null);
    if (shrinks && !isLeaving) body = now;
    if (shrinks) isLeaving = true;
    // Between the pops of an epilogue the result is moved to its place.
    else if (!/^(mov\w*|lea|xor|nop|vzeroupper)$/.test(name)) isLeaving = false;
    if (name === "push") {
      now = { ...now, depth: now.depth + size };
      if (/^[re]?bp$/.test(operands)) now.savedRbp = now.depth;
    } else if (name === "pop") {
      now = { ...now, depth: now.depth - size };
      if (/^[re]?bp$/.test(operands)) now = { ...now, hasFrame: false, savedRbp: undefined };
    } else if (change !== null && (name === "sub" || name === "add"))
      now = { ...now, depth: now.depth + (name === "sub" ? 1 : -1) * Number(change[1]) };
    else if (name === "mov" && /^[re]?bp, [re]?sp$/.test(operands)) now = { ...now, hasFrame: true };
    else if (name === "leave") now = { depth: 0, hasFrame: false, savedRbp: undefined };
    else if (name === "ret" || name === "jmp") {
      if (now.depth === 0 && body.depth > 0) now = body;
    } else if (/^[re]?sp,/.test(operands) && /^(mov|and|lea|xchg)$/.test(name) && !now.hasFrame)
      return undefined;
  }
  return now;
}
