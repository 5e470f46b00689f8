/** Names of general registers (Intel SDM vol. 1, 3.4.1). */

const LEGACY = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"] as const;

/** @param bits 8 (the low byte, SPL … DIL for 4 … 7), 16, 32 or 64 */
export function registerName(register: number, bits: number): string {
  if (register >= 8) return `r${register}${bits === 64 ? "" : bits === 32 ? "d" : bits === 16 ? "w" : "b"}`;
  const name = LEGACY[register];
  switch (bits) {
    case 64:
      return `r${name}`;
    case 32:
      return `e${name}`;
    case 16:
      return name;
    default:
      return register < 4 ? `${name[0]}l` : `${name}l`;
  }
}

/** AH … BH. */
export function highByteName(register: number): string {
  return `${LEGACY[register][0]}h`;
}
