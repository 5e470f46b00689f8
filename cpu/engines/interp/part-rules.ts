/** Which part of the interpreter (parts.ts) a handler belongs to. */

import { type Form, handlerAddressForm } from "./forms.ts";
import { FREQUENT_HANDLERS } from "./frequent-handlers.ts";
import { LegacyPart, Part } from "./parts.ts";

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

/**
 * The part that a handler of a form belongs to. Forms that have the same code are in the first of their parts.
 * @param name of the handler (build.ts)
 */
export function partOf(form: Form, name: string): number {
  if (FREQUENT_HANDLERS.has(name)) return Part.Frequent;
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

/** The same for 16- and 32-bit code. */
export function legacyPartOf({ row }: Form): number {
  return row.vex === undefined ? LegacyPart.Frequent : LegacyPart.Vex;
}
