/** What a run of an engine leaves, as far as a program could tell: registers, flags, why it stopped. */

import type { Cpu } from "../../cpu.ts";
import { Exit } from "../../engine.ts";
import {
  CONTEXT_SIZE,
  EXCEPTION_ADDRESS,
  EXCEPTION_ERROR,
  EXCEPTION_VECTOR,
  EXIT_BUDGET,
  FLAG_ZERO,
  FLAGS_OTHER,
  GPR,
  MXCSR,
  RIP,
  SEGMENT_BASE,
  Vector,
  X87,
  X87_CONTROL,
  X87_DATA,
  X87_INSTRUCTION,
  X87_OPCODE,
  X87_STATUS,
  X87_STRIDE,
  X87_TAGS,
  X87_TOP,
  XMM,
  XMM_STRIDE,
} from "../../state.ts";

export interface Outcome {
  readonly exit: Exit;
  /** Instructions executed. */
  readonly executed: number;
  readonly vector: number;
  readonly errorCode: number;
  /** Faulting address, with #PF. */
  readonly address: number;
  readonly rflags: number;
  /** The engine threw this. */
  readonly crash?: string;
  /** The first CONTEXT_SIZE bytes of the state. */
  readonly context: Uint8Array;
}

/** One thing that two outcomes differ in, as text. */
export interface Item {
  readonly name: string;
  readonly values: readonly [string, string];
}

const WORDS = CONTEXT_SIZE / 4;

/** Words of the context that two engines must agree on: all but the lazy flags and what x87 registers leave unused. */
const COMPARED = Int32Array.from(
  Array.from({ length: WORDS }, (_, word) => word).filter((word) => {
    const offset = word * 4;
    if (offset >= FLAG_ZERO && offset <= FLAGS_OTHER) return false;
    return !(offset >= X87 && offset < X87 + 8 * X87_STRIDE && (offset - X87) % X87_STRIDE >= 12);
  }),
);

/** Intel SDM vol. 3, table 6-1. */
function hasErrorCode(vector: number): boolean {
  return vector === Vector.DF || (vector >= Vector.TS && vector <= Vector.PF) || vector === Vector.AC;
}

/** Do the contexts of two processors hold the same? */
export function sameRegisters(one: Cpu, other: Cpu): boolean {
  const a = one.contextWords;
  const b = other.contextWords;
  for (const word of COMPARED) if (a[word] !== b[word]) return false;
  return one.rflags === other.rflags;
}

/** Did both stop in the same way? The exit codes are those that the engines returned. */
export function sameExit(exits: readonly [Exit, Exit], one: Cpu, other: Cpu): boolean {
  if (exits[0] !== exits[1] || one.getI32(EXIT_BUDGET) !== other.getI32(EXIT_BUDGET)) return false;
  if (exits[0] !== Exit.Exception) return true;
  const vector = one.getI32(EXCEPTION_VECTOR);
  if (vector !== other.getI32(EXCEPTION_VECTOR)) return false;
  if (hasErrorCode(vector) && one.getI32(EXCEPTION_ERROR) !== other.getI32(EXCEPTION_ERROR)) return false;
  return vector !== Vector.PF || one.getU64(EXCEPTION_ADDRESS) === other.getU64(EXCEPTION_ADDRESS);
}

/** Reads an outcome off a processor. */
export function outcomeOf(cpu: Cpu, exit: Exit, budget: number): Outcome {
  const context = new Uint8Array(CONTEXT_SIZE);
  cpu.saveContext(context);
  const isException = exit === Exit.Exception;
  const vector = isException ? cpu.getI32(EXCEPTION_VECTOR) : 0;
  return {
    exit,
    executed: budget - cpu.getI32(EXIT_BUDGET),
    vector,
    errorCode: isException && hasErrorCode(vector) ? cpu.getI32(EXCEPTION_ERROR) : 0,
    address: isException && vector === Vector.PF ? cpu.getNumber(EXCEPTION_ADDRESS) : 0,
    rflags: cpu.rflags,
    context,
  };
}

const GPR_NAMES = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split(" ");
const SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs"];
const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [0, "CF"],
  [2, "PF"],
  [4, "AF"],
  [6, "ZF"],
  [7, "SF"],
  [8, "TF"],
  [9, "IF"],
  [10, "DF"],
  [11, "OF"],
];
const CONTROL_NAMES: ReadonlyMap<number, string> = new Map([
  [RIP, "rip"],
  [X87_CONTROL, "fcw"],
  [X87_STATUS, "fsw"],
  [X87_TOP, "x87 top"],
  [X87_TAGS, "x87 tags"],
  [X87_OPCODE, "fop"],
  [X87_INSTRUCTION, "fip"],
  [X87_DATA, "fdp"],
  [MXCSR, "mxcsr"],
]);

/** Parts of the context by name: offset and length. */
function* parts(): Generator<readonly [name: string, offset: number, length: number]> {
  for (const [index, name] of GPR_NAMES.entries()) yield [name, GPR + 8 * index, 8];
  yield ["rip", RIP, 8];
  for (const [index, name] of SEGMENT_NAMES.entries()) yield [`${name} base`, SEGMENT_BASE + 8 * index, 8];
  for (let index = 0; index < 16; index++) yield [`xmm${index}`, XMM + index * XMM_STRIDE, XMM_STRIDE];
  for (let index = 0; index < 8; index++) yield [`x87 R${index}`, X87 + index * X87_STRIDE, 10];
  for (let offset = X87_CONTROL; offset < CONTEXT_SIZE; ) {
    const length = offset === X87_INSTRUCTION || offset === X87_DATA ? 8 : 4;
    yield [CONTROL_NAMES.get(offset) ?? `state+0x${offset.toString(16)}`, offset, length];
    offset += length;
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))
    .reverse()
    .join("");
}

export function flagsText(rflags: number): string {
  const set = FLAG_NAMES.filter(([bit]) => ((rflags >> bit) & 1) !== 0).map(([, name]) => name);
  return `${rflags.toString(16)} [${set.join(" ")}]`;
}

/** All registers that are not zero, by name, as hexadecimal text. */
export function registersText(context: Uint8Array, rflags: number): Map<string, string> {
  const found = new Map<string, string>([["rflags", flagsText(rflags)]]);
  for (const [name, offset, length] of parts()) {
    const bytes = context.subarray(offset, offset + length);
    if (bytes.some((byte) => byte !== 0) || length === 8) found.set(name, hex(bytes));
  }
  return found;
}

const EXIT_NAMES = new Map<Exit, string>(Object.entries(Exit).map(([name, code]) => [code, name]));

export function exitText({ exit, executed, vector, errorCode, address, crash }: Outcome): string {
  if (crash !== undefined) return `a crash of the engine: ${crash}`;
  const what =
    exit === Exit.Exception
      ? `exception ${vector}, error ${errorCode.toString(16)}, address ${address.toString(16)}`
      : `${EXIT_NAMES.get(exit) ?? exit}`;
  return `${what} after ${executed}`;
}

/** Registers and ways to stop in which two outcomes differ. */
export function differingItems(one: Outcome, other: Outcome): Item[] {
  const items: Item[] = [];
  const add = (name: string, a: string, b: string) => {
    if (a !== b) items.push({ name, values: [a, b] });
  };
  for (const [name, offset, length] of parts()) {
    const slice = (outcome: Outcome) => hex(outcome.context.subarray(offset, offset + length));
    add(name, slice(one), slice(other));
  }
  add("rflags", flagsText(one.rflags), flagsText(other.rflags));
  add("stopped by", exitText(one), exitText(other));
  return items;
}
