/** Bytes that a terminal sends, as keys pressed and released on a keyboard (ECMA-48; xterm's "PC-style function keys"). */

import { keyOf, Scan } from "./scan-codes.ts";

const ESC = 0x1b;
/** What follows ESC [ or ESC O. */
const SEQUENCES: Readonly<Record<string, number>> = {
  A: Scan.Up,
  B: Scan.Down,
  C: Scan.Right,
  D: Scan.Left,
  H: Scan.Home,
  F: Scan.End,
  "1~": Scan.Home,
  "2~": Scan.Insert,
  "3~": Scan.Delete,
  "4~": Scan.End,
  "5~": Scan.PageUp,
  "6~": Scan.PageDown,
  "7~": Scan.Home,
  "8~": Scan.End,
  P: Scan.F1,
  Q: Scan.F1 + 1,
  R: Scan.F1 + 2,
  S: Scan.F1 + 3,
  "11~": Scan.F1,
  "12~": Scan.F1 + 1,
  "13~": Scan.F1 + 2,
  "14~": Scan.F1 + 3,
  "15~": Scan.F1 + 4,
  "17~": Scan.F1 + 5,
  "18~": Scan.F1 + 6,
  "19~": Scan.F1 + 7,
  "20~": Scan.F1 + 8,
  "21~": Scan.F1 + 9,
  "23~": Scan.F11,
  "24~": Scan.F12,
};
const LONGEST_SEQUENCE = 5;

/** One key of the input: how many bytes it took, and the scan codes of its press and release. */
export interface TypedKey {
  readonly length: number;
  readonly codes: readonly number[];
}

/** The first key of what a terminal has sent; a byte that is no key gives no codes. */
export function nextKey(bytes: Uint8Array): TypedKey {
  const [first] = bytes;
  if (first === ESC) {
    const sequence = escapeSequence(bytes);
    if (sequence !== undefined) return sequence;
    // ESC and a character in one piece: Alt was held.
    const character = String.fromCharCode(bytes[1] ?? 0);
    const key = bytes.length > 1 ? keyOf(character) : undefined;
    if (key !== undefined) return { length: 2, codes: held(Scan.Alt, press(key.scan)) };
    return { length: 1, codes: press(Scan.Escape) };
  }
  return { length: 1, codes: codesOf(first) };
}

function escapeSequence(bytes: Uint8Array): TypedKey | undefined {
  if (bytes[1] !== 0x5b && bytes[1] !== 0x4f) return undefined;
  let text = "";
  for (let at = 2; at < Math.min(bytes.length, 2 + LONGEST_SEQUENCE); at++) {
    text += String.fromCharCode(bytes[at]);
    const scan = SEQUENCES[text];
    if (scan === undefined) continue;
    const isFunction = (scan >= Scan.F1 && scan < Scan.NumLock) || scan >= Scan.F11;
    return { length: at + 1, codes: isFunction ? press(scan) : extended(scan) };
  }
  return undefined;
}

const press = (scan: number): number[] => [scan, scan | Scan.Break];
const extended = (scan: number): number[] => [Scan.Extended, scan, Scan.Extended, scan | Scan.Break];
const held = (modifier: number, codes: readonly number[]): number[] => [
  modifier,
  ...codes,
  modifier | Scan.Break,
];

function codesOf(byte: number): number[] {
  switch (byte) {
    case 0x0d:
    case 0x0a:
      return press(Scan.Enter);
    case 0x09:
      return press(Scan.Tab);
    case 0x08:
    case 0x7f:
      return press(Scan.Backspace);
  }
  if (byte >= 1 && byte < 0x20) {
    const key = keyOf(String.fromCharCode(byte + (byte <= 26 ? 0x60 : 0x40)));
    return key === undefined ? [] : held(Scan.Control, press(key.scan));
  }
  const key = keyOf(String.fromCharCode(byte));
  if (key === undefined) return [];
  return key.shift ? held(Scan.LeftShift, press(key.scan)) : press(key.scan);
}
