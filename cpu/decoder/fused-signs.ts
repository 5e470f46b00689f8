/**
 * The six kinds of fused multiply-add (Intel SDM vol. 2, VFMADD132PD …) differ only in the signs of product and addend. They
 * share handlers: a decoded record holds the signs in the place of an immediate, which these instructions have not got.
 */

/** Bit 0: the product is negated in even lanes, bit 1: the addend; bits 2 and 3 the same for odd lanes. */
const SIGNS: ReadonlyMap<string, number> = new Map([
  ["fmadd", 0b0000],
  ["fmsub", 0b1010],
  ["fnmadd", 0b0101],
  ["fnmsub", 0b1111],
  ["fmaddsub", 0b0010],
  ["fmsubadd", 0b1000],
]);

/** The kinds, as they begin the mnemonics behind the V. */
export const FUSED_KINDS: readonly string[] = [...SIGNS.keys()];

/** The signs of an instruction, or undefined if it is none of these. */
export function fusedSigns(mnemonic: string): number | undefined {
  const kind = /^v(fn?m(?:add|sub)(?:sub|add)?)(?:132|213|231)/.exec(mnemonic)?.[1];
  return kind === undefined ? undefined : SIGNS.get(kind);
}
