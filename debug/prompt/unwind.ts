/**
 * Who called whom: by frame pointers, with what the code at the beginning of a function tells; where there are none, by
 * return addresses that lie on the stack, which are only probable.
 */

import type { LoadedFiles } from "../symbols/loaded-files.ts";
import type { Target } from "../target.ts";

export interface Frame {
  readonly address: number;
  /** Where the return address of this frame lies; the stack pointer is behind it when the frame is gone. */
  readonly returnSlot: number | undefined;
  /** It has only been found on the stack. */
  readonly isGuess: boolean;
}

const MOST_FRAMES = 200;
/** How much of the stack is searched for return addresses. */
const SEARCH_BYTES = 4096;
const MOST_GUESSES = 20;
const PUSH_RBP = 0x55;

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

  /** Where the return address of the innermost frame lies. */
  private firstReturnSlot({ rip, rsp, rbp }: StackState): number | undefined {
    const symbol = this.files.at(rip);
    const size = this.target.bitness === 64 ? 8 : 4;
    const isProbable = (slot: number): boolean => {
      const address = this.word(slot);
      return address !== undefined && this.isReturnAddress(address);
    };
    if (symbol?.isCode === true) {
      const code = this.target.readMemory(symbol.address, Math.min(16, rip - symbol.address));
      const isPushed = code.includes(PUSH_RBP);
      // ENDBR64 may stand first.
      if (rip - symbol.address <= 4 && !isPushed && isProbable(rsp)) return rsp;
      if (rip - symbol.address <= 5 && isPushed && isProbable(rsp + size)) return rsp + size;
    }
    return isProbable(rbp + size) ? rbp + size : undefined;
  }

  *frames(state: StackState): Generator<Frame> {
    const size = this.target.bitness === 64 ? 8 : 4;
    const first = this.firstReturnSlot(state);
    yield { address: state.rip, returnSlot: first, isGuess: false };
    if (first === undefined) {
      yield* this.guesses(state.rsp);
      return;
    }
    let slot: number | undefined = first;
    // At a function's beginning RBP is still its caller's.
    let rbp: number | undefined = first === state.rbp + size ? this.word(state.rbp) : state.rbp;
    for (let count = 1; count < MOST_FRAMES && slot !== undefined; count++) {
      const address = this.word(slot);
      if (address === undefined || address === 0) return;
      const next: number | undefined = rbp !== undefined && rbp >= slot ? rbp + size : undefined;
      const above = next === undefined ? undefined : this.word(next);
      const goesOn = above !== undefined && this.isReturnAddress(above);
      yield { address, returnSlot: goesOn ? next : undefined, isGuess: false };
      if (!goesOn || rbp === undefined) return;
      slot = next;
      const before: number = rbp;
      rbp = this.word(before);
      if (rbp !== undefined && rbp <= before) rbp = undefined;
    }
  }

  /** Return addresses on the stack. */
  private *guesses(rsp: number): Generator<Frame> {
    const size = this.target.bitness === 64 ? 8 : 4;
    let found = 0;
    for (let slot = rsp; slot < rsp + SEARCH_BYTES && found < MOST_GUESSES; slot += size) {
      const address = this.word(slot);
      if (address === undefined) return;
      const symbol = this.files.at(address);
      if (symbol === undefined || !symbol.isCode || !this.isReturnAddress(address)) continue;
      found++;
      yield { address, returnSlot: slot, isGuess: true };
    }
  }
}
