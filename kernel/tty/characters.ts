/** Characters as the terminal layer of Linux sees them: single bytes, classified as Latin-1 (lib/ctype.c). */

export const BACKSPACE = 8;
export const TAB = 9;
export const NEWLINE = 10;
export const CARRIAGE_RETURN = 13;
export const SPACE = 32;

/** iscntrl() */
export function isControl(c: number): boolean {
  return c < 32 || c === 127;
}

/** isalnum(), or an underscore: what VWERASE takes for a word. */
export function isWordCharacter(c: number): boolean {
  const digit = c >= 48 && c <= 57;
  const letter = (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || (c >= 192 && c !== 215 && c !== 247);
  return digit || letter || c === 95;
}

/** tolower() and toupper(), which make a mess of UTF-8 here as there. */
export function toLower(c: number): number {
  return (c >= 65 && c <= 90) || (c >= 192 && c <= 222 && c !== 215) ? c + 32 : c;
}

export function toUpper(c: number): number {
  return (c >= 97 && c <= 122) || (c >= 224 && c !== 247 && c !== 255) ? c - 32 : c;
}
