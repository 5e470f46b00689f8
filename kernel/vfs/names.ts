/**
 * File names and paths as JS strings, without loss.
 *
 * On Linux a name is any bytes but "/" and NUL. Valid UTF-8 becomes the characters it stands for; every byte that is not
 * part of valid UTF-8 becomes one lone low surrogate U+DC80..U+DCFF (PEP 383, "surrogateescape"). UTF-8 never encodes
 * surrogates, so the mapping has an exact inverse. This is the only place that knows it: everything that brings names in
 * or out (user memory, host directories) goes through these functions.
 */

/** NAME_MAX: bytes in one component (include/uapi/linux/limits.h). */
export const NAME_MAX = 255;
/** PATH_MAX: bytes in a path, with its NUL (include/uapi/linux/limits.h). */
export const PATH_MAX = 4096;

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Names up to this many bytes are decoded by hand: a call into TextDecoder costs about a microsecond. */
const SHORT = 128;

export function decodeName(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  if (end - start <= SHORT) {
    let text = "";
    let i = start;
    for (; i < end && bytes[i] < 0x80; i++) text += String.fromCharCode(bytes[i]);
    if (i === end) return text;
  }
  try {
    return strictDecoder.decode(bytes.subarray(start, end));
  } catch {
    return decodeEscaping(bytes, start, end);
  }
}

function decodeEscaping(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; ) {
    const length = sequenceLength(bytes, i, end);
    if (length === 0) {
      text += String.fromCharCode(0xdc00 + bytes[i]);
      i++;
    } else {
      let point = length === 1 ? bytes[i] : bytes[i] & (0x7f >> length);
      for (let k = 1; k < length; k++) point = (point << 6) | (bytes[i + k] & 0x3f);
      text += String.fromCodePoint(point);
      i += length;
    }
  }
  return text;
}

/** Length of the well-formed UTF-8 sequence at `i` (Unicode 15, table 3-7), or 0 if there is none. */
function sequenceLength(bytes: Uint8Array, i: number, end: number): number {
  const first = bytes[i];
  if (first < 0x80) return 1;
  const length =
    first >= 0xc2 && first <= 0xdf
      ? 2
      : first >= 0xe0 && first <= 0xef
        ? 3
        : first >= 0xf0 && first <= 0xf4
          ? 4
          : 0;
  if (length === 0 || i + length > end) return 0;
  const second = bytes[i + 1];
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let k = 2; k < length; k++) if ((bytes[i + k] & 0xc0) !== 0x80) return 0;
  return length;
}

/** The bytes of a name (no NUL at the end). A lone surrogate that {@link decodeName} cannot make becomes "?". */
export function encodeName(name: string): Uint8Array {
  const length = name.length;
  let ascii = true;
  for (let i = 0; i < length; i++) {
    if (name.charCodeAt(i) >= 0x80) {
      ascii = false;
      break;
    }
  }
  if (ascii) {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = name.charCodeAt(i);
    return bytes;
  }
  if (!hasEscape(name)) return encoder.encode(name);
  const parts: number[] = [];
  for (const character of name) {
    const point = character.codePointAt(0) ?? 0;
    if (point >= 0xdc80 && point <= 0xdcff) parts.push(point - 0xdc00);
    else if (point >= 0xd800 && point <= 0xdfff) parts.push(0x3f);
    else if (point < 0x80) parts.push(point);
    else parts.push(...encoder.encode(character));
  }
  return Uint8Array.from(parts);
}

/** Does the name hold a lone surrogate? (A pair is an ordinary character.) */
function hasEscape(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    if (unit <= 0xdbff && i + 1 < name.length) {
      const next = name.charCodeAt(i + 1);
      if (next >= 0xdc00 && next <= 0xdfff) {
        i++;
        continue;
      }
    }
    return true;
  }
  return false;
}

/** How many bytes {@link encodeName} gives. */
export function nameLength(name: string): number {
  let bytes = 0;
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit < 0x80) bytes++;
    else if (unit < 0x800) bytes += 2;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 3;
    else {
      const next = i + 1 < name.length ? name.charCodeAt(i + 1) : 0;
      if (unit <= 0xdbff && next >= 0xdc00 && next <= 0xdfff) {
        bytes += 4;
        i++;
      } else bytes++;
    }
  }
  return bytes;
}
