/** Numbers as people write them for a debugger. */

/** 0x1f, 0b101, 42, -1; undefined for anything else. */
export function parseNumber(text: string): bigint | undefined {
  const match = /^(-?)(0x[0-9a-f_']+|0b[01_']+|\d+)$/i.exec(text);
  if (match === null) return undefined;
  const digits = match[2].replaceAll(/[_']/g, "");
  if (/^0[xb]$/i.test(digits)) return undefined;
  const value = BigInt(digits);
  return match[1] === "-" ? -value : value;
}

export function hexAddress(address: number | bigint, digits = 16): string {
  return BigInt.asUintN(64, BigInt(address)).toString(16).padStart(digits, "0");
}
