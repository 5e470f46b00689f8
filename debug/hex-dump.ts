/** Memory as lines of 16 bytes, in hexadecimal and as characters. */

import { hexAddress } from "./numbers.ts";

const PER_LINE = 16;

export function hexDump(bytes: Uint8Array, address: number): string {
  let text = "";
  const digits = address < 0 || address + bytes.length > 2 ** 32 ? 16 : 8;
  for (let at = 0; at < bytes.length; at += PER_LINE) {
    const line = [...bytes.subarray(at, at + PER_LINE)];
    const pairs = line.map((byte) => byte.toString(16).padStart(2, "0"));
    const halves = [pairs.slice(0, 8).join(" "), pairs.slice(8).join(" ")].join("  ").padEnd(49);
    const characters = line
      .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."))
      .join("");
    text += `${hexAddress(address + at, digits)}  ${halves} ${characters}\n`;
  }
  return text;
}
