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
const VEX3 = 0xc4;
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

const codeSizeOf = (cpu: Cpu): 64 | 32 | 16 => cpu.system?.mode.codeSize ?? 64;

/** The bytes at RIP, as far as an instruction may need them and they can be fetched. */
function codeAt(cpu: Cpu): number[] {
  const base = codeSizeOf(cpu) === 64 ? 0 : (cpu.system?.segments[Segment.CS].base ?? 0);
  const start = base === 0 ? cpu.rip : (cpu.rip + base) >>> 0;
  const bytes: number[] = [];
  for (let at = start, physical = -1; at < start + LONGEST_INSTRUCTION; at++, physical++) {
    if (at === start || at % PAGE_SIZE === 0) physical = cpu.mmu.peekCode(at);
    if (physical < 0) break;
    bytes.push(cpu.ram[physical]);
  }
  return bytes;
}

/** The repeated string instruction at RIP, if it is one. */
function repeatedInstruction(
  code: readonly number[],
  codeSize: 64 | 32 | 16,
): RepeatedInstruction | undefined {
  let prefix = 0;
  let isOtherSize = false;
  for (const byte of code) {
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

/** Bytes of an element of the gather at RIP; undefined if it is another instruction (VEX.0F38.90 … 93). */
function gatherElement(code: readonly number[]): 4 | 8 | undefined {
  const at = code.findIndex((byte) => byte !== ADDRESS_SIZE && !OTHER_PREFIXES.has(byte));
  const isGather =
    at >= 0 && code[at] === VEX3 && (code[at + 1] & 0x1f) === 2 && (code[at + 3] & 0xfc) === 0x90;
  if (!isGather) return undefined;
  return (code[at + 2] & 0x80) !== 0 ? 8 : 4;
}

/** Has an element of a mask become 0: was something loaded? What the mask had left out may be 0 as well. */
function hasLoaded(before: Uint8Array, now: Uint8Array, elementBytes: number): boolean {
  for (let sign = elementBytes - 1; sign < before.length; sign += elementBytes)
    if (before[sign] >= 0x80 && now[sign] < 0x80) return true;
  return false;
}

/** Executes the instruction at RIP, of a repeated string instruction one iteration. @returns as the engine does */
export function runSingleStep(cpu: Cpu, engine: Engine): Exit {
  const code = codeAt(cpu);
  const elementBytes = gatherElement(code);
  if (elementBytes !== undefined) {
    const vectors = cpu.stateBytes(XMM, 16 * XMM_STRIDE).slice();
    const exit = engine.run(1);
    const isHalfDone =
      exit === Exit.Exception && hasLoaded(vectors, cpu.stateBytes(XMM, 16 * XMM_STRIDE), elementBytes);
    return isHalfDone ? Exit.Budget : exit;
  }
  const repeated = repeatedInstruction(code, codeSizeOf(cpu));
  if (repeated === undefined) return engine.run(1);
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
