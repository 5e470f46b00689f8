/** Formats of `x/` and `print/`, as gdb has them: a count, a size (b, h, w, g) and a letter. */

import { hexAddress } from "../numbers.ts";
import { CommandFailure } from "./command-failure.ts";
import type { Debugger } from "./debugger.ts";

const LETTERS = "xzduotcafsi";
const SIZES = { b: 1, h: 2, w: 4, g: 8 } as const;
type Size = (typeof SIZES)[keyof typeof SIZES];
/** With leading zeros, in columns. */
const ALIGNED: Readonly<Record<string, string>> = { x: "z", t: "T" };
const MOST_UNITS = 4096;
const MOST_STRING = 256;
const PER_LINE = 16;

export interface Format {
  readonly count: number;
  readonly size: Size;
  readonly letter: string;
}

/**
 * @param text what stands behind the slash
 * @throws CommandFailure
 */
export function parseFormat(text: string, usual: Format): Format {
  const match = /^(\d*)([a-z]*)$/.exec(text);
  const count = match?.[1] ? Number(match[1]) : 1;
  let size: Size | undefined;
  let letter: string | undefined;
  for (const sign of match?.[2] ?? "?") {
    if (sign in SIZES) size = SIZES[sign as keyof typeof SIZES];
    else if (LETTERS.includes(sign)) letter = sign;
    else throw new CommandFailure(`/${text}: a count, b h w g for 1 2 4 8 bytes, and one of ${LETTERS}`);
  }
  if (count < 1 || count > MOST_UNITS) throw new CommandFailure(`/${text}: from 1 to ${MOST_UNITS} units`);
  const sizeOfLetter = letter === "c" ? 1 : letter === "a" ? 8 : usual.size;
  return { count, size: size ?? sizeOfLetter, letter: letter ?? usual.letter };
}

/** A value as a letter asks for it. @param value unsigned */
export function formatValue(debug: Debugger, value: bigint, { size, letter }: Format): string {
  const bits = 8 * size;
  const unsigned = BigInt.asUintN(bits, value);
  switch (letter) {
    case "d":
      return String(BigInt.asIntN(bits, value));
    case "u":
      return String(unsigned);
    case "o":
      return `0${unsigned.toString(8)}`;
    case "t":
      return `0b${unsigned.toString(2)}`;
    case "T":
      return unsigned.toString(2).padStart(bits, "0");
    case "c": {
      const code = Number(unsigned & 0xffn);
      const shown = code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : `\\x${hexAddress(code, 2)}`;
      return `${code} '${shown}'`;
    }
    case "f": {
      const view = new DataView(new ArrayBuffer(8));
      view.setBigUint64(0, unsigned, true);
      return String(size === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true));
    }
    case "a": {
      const name = debug.files.describe(Number(BigInt.asIntN(64, value)));
      return `0x${unsigned.toString(16)}${name === undefined ? "" : ` <${name}>`}`;
    }
    case "s":
      return readString(debug, Number(BigInt.asIntN(64, value))).text;
    default:
      return `0x${unsigned.toString(16).padStart(letter === "z" ? 2 * size : 1, "0")}`;
  }
}

function readString(debug: Debugger, address: number): { text: string; length: number } {
  const bytes = debug.target.readMemory(address, MOST_STRING);
  if (bytes.length === 0) throw new CommandFailure(`no memory at 0x${hexAddress(address)}`);
  const end = bytes.indexOf(0);
  const part = end < 0 ? bytes : bytes.subarray(0, end);
  const text = JSON.stringify(new TextDecoder("latin1").decode(part)).replace(/[\x7f-\xff]/g, (letter) => {
    return `\\x${hexAddress(letter.charCodeAt(0), 2)}`;
  });
  return { text: end < 0 ? `${text}…` : text, length: part.length + (end < 0 ? 0 : 1) };
}

/** Prints memory. @returns the address behind what was printed */
export function examine(debug: Debugger, address: number, format: Format): number {
  const { count, size, letter } = format;
  const label = (at: number): string => {
    const name = debug.files.describe(at);
    const place = `0x${hexAddress(at, at < 0 || at >= 2 ** 32 ? 16 : 8)}`;
    return debug.style.paint(name === undefined ? `${place}:` : `${place} <${name}>:`, "cyan");
  };
  let at = address;
  if (letter === "s") {
    for (let index = 0; index < count; index++) {
      const { text, length } = readString(debug, at);
      debug.print(`${label(at)}  ${text}\n`);
      at += length;
    }
    return at;
  }
  const bytes = debug.target.readMemory(address, count * size);
  const perLine = Math.max(1, letter === "t" || letter === "a" ? 8 / size : PER_LINE / size);
  for (let index = 0; index < count && (index + 1) * size <= bytes.length; index++) {
    if (index % perLine === 0) debug.print(`${index === 0 ? "" : "\n"}${label(at)}`);
    let value = 0n;
    for (let byte = size - 1; byte >= 0; byte--) value = (value << 8n) | BigInt(bytes[index * size + byte]);
    debug.print(`  ${formatValue(debug, value, { ...format, letter: ALIGNED[letter] ?? letter })}`);
    at += size;
  }
  if (at > address) debug.print("\n");
  if (at < address + count * size)
    throw new CommandFailure(`no memory at 0x${hexAddress(address + bytes.length)}`);
  return at;
}
