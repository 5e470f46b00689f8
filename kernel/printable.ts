/** Text in which guests have a part (names, arguments), made fit for one line of a log or a terminal. */

const SHORT: Readonly<Record<string, string>> = { "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** Bytes of a name that are not UTF-8: see vfs/names.ts. */
const ESCAPED_BYTE = 0xdc00;

/**
 * Control characters (C0, DEL, C1: terminals obey them), separators of lines and halves of surrogate pairs become
 * escapes as in C. Everything else stays.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) => {
    const point = character.codePointAt(0) ?? 0;
    const byte = point > ESCAPED_BYTE && point <= ESCAPED_BYTE + 0xff ? point - ESCAPED_BYTE : point;
    if (byte > 0xff) return `\\u${byte.toString(16)}`;
    return SHORT[character] ?? `\\x${byte.toString(16).padStart(2, "0")}`;
  });
}
