/**
 * What may differ in a case although both sides are right, found out from its code: flags that are undefined where it
 * ended, results that are only approximate, fields of stored images that are not compared.
 */

import { createInstruction, DecodeResult, Decoder } from "../../cpu/decoder/decoder.ts";
import { BASE_RIP, type Instruction, NO_REGISTER } from "../../cpu/decoder/instruction.ts";
import { Vector } from "../../cpu/state.ts";
import { baseline, CODE, FS_BASE, GS_BASE, snapshotOffset } from "./arena.ts";
import type { Case, FinalState } from "./case.ts";
import { exclusionOf } from "./exclusions.ts";
import { OUR_FEATURES } from "./features.ts";
import { type Tolerance, toleranceOf } from "./tolerances.ts";
import { flagEffectOf, undefinedAfter } from "./undefined.ts";

export interface Step {
  readonly address: number;
  readonly length: number;
  readonly mnemonic: string;
  readonly instruction: Instruction;
  /** Address a direct branch goes to, or -1. */
  readonly target: number;
}

export interface Analysis {
  /** The instructions, by address. */
  readonly steps: readonly Step[];
  /** Bits of flags and x87 condition codes (undefined.ts) that are undefined at the end. */
  readonly undefinedFlags: number;
  /** Some instruction reads flags that are undefined there, a large operand wraps around the end of the address space, a
   * repeated store overwrites itself, or what the case wrote over its code is not for comparison: it proves nothing. */
  readonly provesNothing: boolean;
  readonly tolerance: Tolerance | undefined;
  /** A page fault may name any address of this range: which byte of a large operand comes first, is not defined. */
  readonly faultRange: AddressRange | undefined;
  /** Memory that is not compared, as address ranges. */
  readonly ignored: readonly AddressRange[];
  /** The 8-byte word at an address of the arena when the case began. */
  readonly originalWord: (address: bigint) => bigint;
}

export interface AddressRange {
  readonly start: bigint;
  readonly end: bigint;
}

const INT3 = 0xcc;
const RCX = 1;

/** Contents of the code region at the start of a case. */
function codeOf(initial: Case): Uint8Array {
  const code = new Uint8Array(CODE.size).fill(INT3);
  initial.forEachPatch((address, bytes) => {
    if (address >= CODE.address) code.set(bytes, address - CODE.address);
  });
  return code;
}

function skipInt3(code: Uint8Array, address: number): number {
  let at = address;
  while (code[at - CODE.address] === INT3) at++;
  return at;
}

interface Node extends Step {
  readonly next: readonly number[];
}

/**
 * @param end the state in which the case ended on silicon: where that is, decides what is undefined
 */
export function analyse(initial: Case, end: FinalState): Analysis {
  const code = codeOf(initial);
  const start = Number(initial.rip);
  const nodes = decodeFrom(code, start);
  const { before, readsUndefined } = flowOfUndefined(nodes, start, Number(initial.gpr[RCX] & 0xffn));
  const rip = Number(end.rip);
  const endAddress = end.vector === 3 ? rip - 1 : rip;
  // Where it ended may be nowhere in the code: then whatever was undefined anywhere may be.
  let undefinedFlags = before.get(endAddress);
  if (undefinedFlags === undefined) {
    undefinedFlags = 0;
    for (const mask of before.values()) undefinedFlags |= mask;
  }
  const steps = [...nodes.values()].sort((a, b) => a.address - b.address);
  const first = nodes.get(start);
  // An instruction that faults finds and leaves the registers as they are in the end.
  const faulting = end.vector === Vector.PF ? nodes.get(rip) : undefined;
  const range =
    faulting !== undefined
      ? faultRange(faulting.instruction, end)
      : first === undefined
        ? undefined
        : faultRange(first.instruction, initial);
  return {
    steps,
    undefinedFlags,
    provesNothing:
      readsUndefined ||
      (range !== undefined && range.end > 1n << 64n) ||
      overwritesRepeatedStore(steps, end) ||
      endsInExcluded(code, end),
    tolerance: first === undefined ? undefined : toleranceOf(first.mnemonic),
    faultRange: range,
    ignored:
      first === undefined
        ? []
        : ignoredMemory(first.instruction, initial, faulting === undefined ? undefined : range),
    originalWord: (address) => originalWord(initial, address),
  };
}

/**
 * Whether the code of a repeated MOVS or STOS has changed. One that overwrites itself goes on with its old bytes until an
 * interrupt comes, on the processors of both vendors; an interrupt finds RIP at the instruction (Intel SDM vol. 2, REP), and
 * behind it the new bytes are fetched. Ours fetches at once, as if there had been an interrupt.
 */
function overwritesRepeatedStore(steps: readonly Step[], end: FinalState): boolean {
  const stores = steps.filter(
    ({ mnemonic, instruction: { rep, repne } }) =>
      (rep || repne) && (mnemonic === "movs" || mnemonic === "stos"),
  );
  if (stores.length === 0) return false;
  for (let index = 0; index < end.changeCount; index++) {
    const word = end.changes[2 * index];
    if (stores.some(({ address, length }) => word + 8n > BigInt(address) && word < BigInt(address + length)))
      return true;
  }
  return false;
}

/** Whether it ended in an instruction that is never generated (IRET, HLT …): then the case has written it. */
function endsInExcluded(original: Uint8Array, end: FinalState): boolean {
  const offset = Number(end.rip) - CODE.address;
  if (!(offset >= 0 && offset < original.length)) return false;
  const code = original.slice();
  const view = new DataView(code.buffer);
  for (let index = 0; index < end.changeCount; index++) {
    const at = Number(end.changes[2 * index]) - CODE.address;
    if (at >= 0 && at < code.length) view.setBigUint64(at, end.changes[2 * index + 1], true);
  }
  const instruction = createInstruction();
  if (new Decoder().decode(code, offset, code.length, instruction) !== DecodeResult.Ok) return false;
  return exclusionOf(instruction.row, OUR_FEATURES) !== undefined && instruction.row.mnemonic !== "int3";
}

/** Every instruction that control may reach, by address. */
function decodeFrom(code: Uint8Array, start: number): Map<number, Node> {
  const decoder = new Decoder();
  const nodes = new Map<number, Node>();
  const returns: number[] = [];
  const work = [start];
  for (let address = work.pop(); address !== undefined; address = work.pop()) {
    const offset = address - CODE.address;
    if (nodes.has(address) || offset < 0 || offset >= code.length || code[offset] === INT3) continue;
    const instruction = createInstruction();
    if (decoder.decode(code, offset, code.length, instruction) !== DecodeResult.Ok) continue;
    const { row, length } = instruction;
    const behind = address + length;
    const isBranch = row.operands[0]?.class === "branch";
    const target = isBranch ? behind + instruction.immediateLow : -1;
    const next: number[] = [];
    if (!/^(jmp|ret|ud)/.test(row.mnemonic)) next.push(behind);
    if (target >= 0) next.push(target);
    // An indirect jump in a sequence goes over bytes of INT3 (sequence.ts).
    // So does a return to an address that the sequence has pushed.
    if ((row.mnemonic === "jmp" && !isBranch) || row.mnemonic === "ret") next.push(skipInt3(code, behind));
    if (row.mnemonic === "call") {
      returns.push(behind);
      // An indirect call in a sequence goes over the jump that follows it.
      if (!isBranch) next.push(behind + 5);
    }
    nodes.set(address, { address, length, mnemonic: row.mnemonic, target, instruction, next });
    work.push(...next);
  }
  for (const node of nodes.values()) {
    if (node.mnemonic === "ret") nodes.set(node.address, { ...node, next: [...node.next, ...returns] });
  }
  return nodes;
}

/** Undefined flags before each instruction, and at the places where control leaves the code. */
function flowOfUndefined(nodes: ReadonlyMap<number, Node>, start: number, cl: number) {
  const before = new Map<number, number>([[start, 0]]);
  const work = [start];
  let readsUndefined = false;
  for (let address = work.pop(); address !== undefined; address = work.pop()) {
    const node = nodes.get(address);
    if (node === undefined) continue;
    const mask = before.get(address) ?? 0;
    // CL is known only before anything has happened.
    const effect = flagEffectOf(node.instruction, address === start ? cl : undefined);
    if ((effect.reads & mask) !== 0) readsUndefined = true;
    const after = undefinedAfter(mask, effect);
    for (const next of node.next) {
      const old = before.get(next);
      if (old !== undefined && (old | after) === old) continue;
      before.set(next, (old ?? 0) | after);
      work.push(next);
    }
  }
  return { before, readsUndefined };
}

/**
 * Bytes of the instruction's memory operand that hold FOP, FIP and FDP (not compared) or what no processor defines:
 * offset and length, for the 16-bit and the 32-bit form.
 */
const IGNORED: Readonly<Record<string, { narrow: [number, number]; wide: [number, number] }>> = {
  // Intel SDM vol. 1, 8.1.10: the last four fields of the environment.
  fnstenv: { narrow: [6, 8], wide: [12, 16] },
  fnsave: { narrow: [6, 8], wide: [12, 16] },
  // 10.5.1: FOP, FIP, FDP; then MXCSR_MASK, which belongs to the processor model.
  fxsave: { narrow: [6, 18], wide: [6, 18] },
  fxsave64: { narrow: [6, 18], wide: [6, 18] },
  xsave: { narrow: [6, 18], wide: [6, 18] },
  xsave64: { narrow: [6, 18], wide: [6, 18] },
};

/**
 * @param faultedIn the instruction did not complete, and this much of its operand may have been written: large operands
 * are several accesses (Intel SDM vol. 3, 8.1.1)
 */
function ignoredMemory(
  instruction: Instruction,
  initial: Case,
  faultedIn: AddressRange | undefined,
): readonly AddressRange[] {
  if (faultedIn !== undefined) return [faultedIn];
  const { mnemonic } = instruction.row;
  const field = IGNORED[mnemonic];
  if (field === undefined) return [];
  const address = linearAddress(instruction, initial);
  const [offset, length] = instruction.operandSize === 16 ? field.narrow : field.wide;
  const start = address + BigInt(offset);
  const ranges = [{ start, end: start + BigInt(length) }];
  if (/^f?xsave/.test(mnemonic)) ranges.push({ start: address + 28n, end: address + 32n });
  // XSTATE_BV: which components are in use, the processor finds out as well as it can (13.6).
  if (mnemonic.startsWith("xsave")) ranges.push({ start: address + 512n, end: address + 513n });
  return ranges;
}

/** Instructions that access much memory, in bytes. */
const LARGE_OPERANDS: Readonly<Record<string, number>> = {
  fnstenv: 28,
  fldenv: 28,
  fnsave: 108,
  frstor: 108,
  fxsave: 512,
  fxsave64: 512,
  fxrstor: 512,
  fxrstor64: 512,
  xsave: 2816,
  xsave64: 2816,
  xrstor: 2816,
  xrstor64: 2816,
  enter: 1 << 16,
};

function originalWord(initial: Case, address: bigint): bigint {
  const memory = baseline();
  initial.forEachPatch((start, bytes) => memory.set(bytes, snapshotOffset(start)));
  const offset = snapshotOffset(Number(address));
  return offset < 0 ? 0n : new DataView(memory.buffer).getBigUint64(offset, true);
}

function faultRange(instruction: Instruction, registers: Case | FinalState): AddressRange | undefined {
  const { mnemonic, operands } = instruction.row;
  const bytes = operands[0]?.size === "t" && !instruction.rmIsRegister ? 10 : LARGE_OPERANDS[mnemonic];
  if (bytes === undefined) return undefined;
  // ENTER goes down both stacks.
  if (mnemonic === "enter") return { start: 0n, end: 1n << 47n };
  const start = linearAddress(instruction, registers);
  return { start, end: start + BigInt(bytes) };
}

/** The address of the memory operand, of an instruction that RIP points to. */
function linearAddress(instruction: Instruction, registers: Case | FinalState): bigint {
  const { base, index, scale, segment } = instruction;
  let effective = BigInt(instruction.displacement);
  if (base === BASE_RIP) effective += registers.rip + BigInt(instruction.length);
  else if (base !== NO_REGISTER) effective += registers.gpr[base];
  if (index !== NO_REGISTER) effective += registers.gpr[index] << BigInt(scale);
  const offset = BigInt.asUintN(instruction.addressSize, effective);
  const segmentBase = segment === 4 ? FS_BASE : segment === 5 ? GS_BASE : 0n;
  return BigInt.asUintN(64, offset + segmentBase);
}
