/**
 * One instruction for the trap flag. Engines execute a repeated string instruction as one; a single step ends behind each of
 * its iterations (Intel SDM vol. 2, REP; vol. 3, 17.3.1.4), so here it is given a count of one. And of a gather that faults
 * with some elements loaded, the trap comes in place of the fault (vol. 2, VGATHERDPS).
 */

import type { Cpu } from "./cpu.ts";
import { type Engine, Exit } from "./engine.ts";
import { Flag, Register, Segment, XMM, XMM_STRIDE } from "./state.ts";

const LONGEST_INSTRUCTION = 15;
const PAGE_SIZE = 4096;
const REPNE = 0xf2;
const REP = 0xf3;
const ADDRESS_SIZE = 0x67;
/** Segment overrides, operand size and LOCK (SDM vol. 2, 2.1.1). */
const OTHER_PREFIXES: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0xf0]);

interface RepeatedInstruction {
  readonly prefix: typeof REP | typeof REPNE;
  /** CMPS, SCAS: ZF decides, too. */
  readonly compares: boolean;
  /** Bits of the count register. */
  readonly countBits: bigint;
}

const isString = (opcode: number): boolean =>
  (opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf) || (opcode & 0xfc) === 0x6c;
const isComparison = (opcode: number): boolean => (opcode & 0xfe) === 0xa6 || (opcode & 0xfe) === 0xae;

/** The repeated string instruction at RIP, if it is one. */
function repeatedInstruction(cpu: Cpu): RepeatedInstruction | undefined {
  const codeSize = cpu.system?.mode.codeSize ?? 64;
  const start = codeSize === 64 ? cpu.rip : (cpu.rip + (cpu.system?.segments[Segment.CS].base ?? 0)) >>> 0;
  let prefix = 0;
  let isOtherSize = false;
  for (let at = start, physical = -1; at < start + LONGEST_INSTRUCTION; at++, physical++) {
    if (at === start || at % PAGE_SIZE === 0) physical = cpu.mmu.peekCode(at);
    if (physical < 0) return undefined;
    const byte = cpu.ram[physical];
    if (byte === REP || byte === REPNE) prefix = byte;
    else if (byte === ADDRESS_SIZE) isOtherSize = true;
    else if (OTHER_PREFIXES.has(byte) || (codeSize === 64 && (byte & 0xf0) === 0x40)) continue;
    else if ((prefix !== REP && prefix !== REPNE) || !isString(byte)) return undefined;
    else {
      const other = codeSize === 32 ? 16n : 32n;
      return { prefix, compares: isComparison(byte), countBits: isOtherSize ? other : BigInt(codeSize) };
    }
  }
  return undefined;
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, index) => byte === b[index]);

/** Executes the instruction at RIP, of a repeated string instruction one iteration. @returns as the engine does */
export function runSingleStep(cpu: Cpu, engine: Engine): Exit {
  const repeated = repeatedInstruction(cpu);
  if (repeated === undefined) {
    const vectors = cpu.stateBytes(XMM, 16 * XMM_STRIDE).slice();
    const exit = engine.run(1);
    // A fault leaves them as they were, but for a gather's.
    const isHalfDone = exit === Exit.Exception && !isSame(vectors, cpu.stateBytes(XMM, 16 * XMM_STRIDE));
    return isHalfDone ? Exit.Budget : exit;
  }
  const { prefix, compares, countBits } = repeated;
  const start = cpu.rip;
  const before = cpu.gpr64(Register.RCX);
  const count = BigInt.asUintN(Number(countBits), before);
  if (count <= 1n) return engine.run(1);
  // A write to 32 bits clears the others, one to 16 bits leaves them.
  const above = countBits === 16n ? before & ~0xffffn : 0n;
  cpu.setGpr64(Register.RCX, above | 1n);
  const exit = engine.run(1);
  const isComplete =
    exit !== Exit.Exception && BigInt.asUintN(Number(countBits), cpu.gpr64(Register.RCX)) === 0n;
  cpu.setGpr64(Register.RCX, above | (isComplete ? count - 1n : count));
  const isEqual = (cpu.rflags & Flag.ZF) !== 0;
  if (isComplete && (!compares || isEqual === (prefix === REP))) cpu.rip = start;
  return exit;
}
