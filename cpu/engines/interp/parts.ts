/**
 * The interpreter is several WebAssembly modules that share one function table. The first has what nearly every program
 * executes; the others are compiled when the guest comes to their instructions. Loading all 13,000 handlers at once took
 * a fifth of the start of a small program.
 */

import { type Form, handlerAddressForm } from "./forms.ts";

/** In the order of their handlers in the function table. */
export const Part = {
  /** Integer instructions, and a few others that compilers emit everywhere. */
  Common: 0,
  /** x87, MMX, SSE and what came with it, and rare forms. */
  Other: 1,
  /** Two instructions in one record (pairs.ts): for programs that run long enough to gain by them. */
  Pairs: 2,
} as const;
export const PART_COUNT = 3;

/** Vector instructions that compilers use for copies and strings, in programs that do no arithmetic with them. */
const COMMON_VECTOR: ReadonlySet<string> = new Set(
  "movaps movups movdqa movdqu movss movsd movq movd movhps pxor xorps por pand pcmpeqb pmovmskb pminub punpcklqdq".split(
    " ",
  ),
);
const VECTOR_CLASSES: ReadonlySet<string> = new Set(["mmx", "mmxOrMem", "xmm", "xmmOrMem", "st"]);
/** What compilers use on thread-local data, and with operands of 16 bits. */
const COMMON_SEGMENTED: ReadonlySet<string> = new Set(["mov", "cmp", "sub", "xor", "add"]);
const COMMON_SHORT: ReadonlySet<string> = new Set(["mov", "cmp"]);

/** The part that a form's handlers belong to. Forms that have the same code are in the first of their parts. */
export function partOf(form: Form): number {
  const { mnemonic, operands, feature } = form.row;
  const isVector = operands.some(({ class: kind }) => VECTOR_CLASSES.has(kind)) || /^f[^e]/.test(mnemonic);
  if (isVector) return COMMON_VECTOR.has(mnemonic) && form.rm !== "narrow" ? Part.Common : Part.Other;
  if (feature !== undefined) return Part.Other;
  return isRareForm(form) ? Part.Other : Part.Common;
}

function isRareForm({ row, rm, operandSize }: Form): boolean {
  if (rm === "narrow") return true;
  if (operandSize === 16 && !COMMON_SHORT.has(row.mnemonic)) return true;
  // An instruction without handlers for the simpler forms uses those of this one (forms.ts).
  const isSegmented = rm.startsWith("segmented") && handlerAddressForm(row, "base") === "base";
  return isSegmented && !COMMON_SEGMENTED.has(row.mnemonic);
}

/** The compiled modules, each made when it is asked for the first time. */
export class InterpreterCode {
  private readonly modules: (WebAssembly.Module | undefined)[] = [];

  /** @param bytesOf reads a part (build.ts makes them) */
  constructor(private readonly bytesOf: (part: number) => Uint8Array<ArrayBuffer>) {}

  module(part: number): WebAssembly.Module {
    this.modules[part] ??= new WebAssembly.Module(this.bytesOf(part));
    return this.modules[part];
  }
}
