/** Makes a failing case small: fewer instructions, plainer registers, less memory, the same kind of failure. */

import { Flag } from "../../cpu/state.ts";
import type { Analysis } from "./analysis.ts";
import { CODE } from "./arena.ts";
import { Case, Fx } from "./case.ts";
import { FCW_DEFAULT, FIXED_FLAGS, MXCSR_DEFAULT } from "./initial-state.ts";

/** ES and B of the x87 status word. */
const SUMMARY = 0x8080;
const NOP = 0x90;
const INT3 = 0xcc;
const ARITHMETIC = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;

/** Runs a candidate on both sides. @returns its analysis if it still fails and proves something */
export type Fails = (candidate: Case) => Promise<Analysis | undefined>;

interface Patch {
  readonly address: number;
  readonly bytes: Uint8Array;
}

export async function shrink(failing: Case, analysis: Analysis, fails: Fails): Promise<Case> {
  const shrinker = new Shrinker(failing, analysis, fails);
  await shrinker.removeInstructions();
  await shrinker.simplifyRegisters();
  await shrinker.simplifyUpperHalves();
  await shrinker.removePatches();
  return shrinker.best;
}

class Shrinker {
  readonly best = new Case();
  private readonly candidate = new Case();
  private analysis: Analysis;
  private readonly fails: Fails;

  constructor(failing: Case, analysis: Analysis, fails: Fails) {
    this.best.copyFrom(failing);
    this.analysis = analysis;
    this.fails = fails;
  }

  /** Puts NOPs in place of instructions, large groups first, so that branches keep their targets. */
  async removeInstructions(): Promise<void> {
    for (let size = this.analysis.steps.length; size > 1; size >>= 1) await this.removeGroups(size);
    // What one instruction needed, may go once that one is gone.
    while (await this.removeGroups(1));
    await this.skipLeadingNops();
  }

  /** @returns whether any group could be removed */
  private async removeGroups(size: number): Promise<boolean> {
    let removed = false;
    for (let first = 0; first < this.analysis.steps.length; first += size) {
      const { steps } = this.analysis;
      const chosen = steps.slice(first, first + size);
      if (chosen.every((step) => step.mnemonic === "nop")) continue;
      const succeeded = await this.attempt(() => {
        chosen.forEach((step, index) => {
          this.overwrite(step.address, step.length, steps[first + index + 1]?.address);
        });
      });
      removed ||= succeeded;
    }
    return removed;
  }

  private async skipLeadingNops(): Promise<void> {
    const start = this.analysis.steps.find((step) => step.mnemonic !== "nop");
    if (start === undefined) return;
    await this.attempt((candidate) => {
      candidate.rip = BigInt(start.address);
    });
  }

  /** @param next where the next instruction begins: what a jump goes over is filled as well */
  private overwrite(address: number, length: number, next: number | undefined): void {
    this.replaceCode((start, bytes) => {
      const offset = address - start;
      if (offset < 0 || offset + length > bytes.length) return;
      bytes.fill(NOP, offset, offset + length);
      if (next === undefined || next > start + bytes.length) return;
      for (let at = offset + length; at < next - start && bytes[at] === INT3; at++) bytes[at] = NOP;
    });
  }

  /** Changes the code patches of the candidate in place. */
  private replaceCode(change: (address: number, bytes: Uint8Array) => void): void {
    this.candidate.forEachPatch((address, bytes) => {
      if (address >= CODE.address) change(address, bytes);
    });
  }

  async simplifyRegisters(): Promise<void> {
    for (let register = 0; register < 16; register++) {
      if (this.best.gpr[register] === 0n) continue;
      const value = this.best.gpr[register];
      const zero = await this.attempt((candidate) => {
        candidate.gpr[register] = 0n;
      });
      if (zero) continue;
      for (const plainer of [value & 0xffff_ffffn, value & 0xffffn, value & 0xffn, 1n]) {
        if (plainer === this.best.gpr[register]) continue;
        await this.attempt((candidate) => {
          candidate.gpr[register] = plainer;
        });
      }
    }
    for (let bit = 1; bit <= Flag.OF; bit <<= 1) {
      if ((this.best.rflags & bit & (ARITHMETIC | Flag.DF)) === 0) continue;
      await this.attempt((candidate) => {
        candidate.rflags = (candidate.rflags & ~bit) | FIXED_FLAGS;
      });
    }
    await this.attempt((candidate) => {
      candidate.fx.fill(0);
      candidate.fcw = FCW_DEFAULT;
      candidate.mxcsr = MXCSR_DEFAULT;
    });
    await this.attempt((candidate) => {
      candidate.mxcsr = MXCSR_DEFAULT;
    });
    await this.attempt((candidate) => {
      candidate.fcw = FCW_DEFAULT;
      // With every exception masked none is pending.
      candidate.fsw &= ~SUMMARY;
    });
    await this.attempt((candidate) => {
      candidate.fsw &= 0x3800;
    });
    for (let at: number = Fx.ST; at < Fx.XMM + 256; at += 16) {
      if (this.best.fx.subarray(at, at + 16).every((byte) => byte === 0)) continue;
      await this.attempt((candidate) => {
        candidate.fx.fill(0, at, at + 16);
      });
    }
  }

  async simplifyUpperHalves(): Promise<void> {
    await this.attempt((candidate) => candidate.ymm.fill(0));
    for (let at = 0; at < this.best.ymm.length; at += 16) {
      if (this.best.ymm.subarray(at, at + 16).every((byte) => byte === 0)) continue;
      await this.attempt((candidate) => candidate.ymm.fill(0, at, at + 16));
    }
  }

  /** Memory that does not matter goes back to the baseline. */
  async removePatches(): Promise<void> {
    let patches = patchesOf(this.best);
    for (let index = patches.length - 1; index >= 0; index--) {
      if (patches[index].address >= CODE.address) continue;
      const rest = patches.filter((_, other) => other !== index);
      const removed = await this.attempt((candidate) => setPatches(candidate, rest));
      if (removed) patches = rest;
    }
  }

  private async attempt(change: (candidate: Case) => void): Promise<boolean> {
    this.candidate.copyFrom(this.best);
    change(this.candidate);
    const analysis = await this.fails(this.candidate);
    if (analysis === undefined) return false;
    this.best.copyFrom(this.candidate);
    this.analysis = analysis;
    return true;
  }
}

function patchesOf(from: Case): Patch[] {
  const patches: Patch[] = [];
  from.forEachPatch((address, bytes) => {
    patches.push({ address, bytes: bytes.slice() });
  });
  return patches;
}

function setPatches(into: Case, patches: readonly Patch[]): void {
  into.clear();
  for (const { address, bytes } of patches) into.patch(address, bytes);
}
