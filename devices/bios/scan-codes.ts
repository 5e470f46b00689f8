/** Keys of the US keyboard: scan codes of set 1, and what INT 16h makes of them (Phoenix, "System BIOS", chapter 11). */

export interface KeyStroke {
  readonly scan: number;
  readonly ascii: number;
}

/** Unshifted and shifted characters, from a scan code on. */
const ROWS: readonly (readonly [first: number, plain: string, shifted: string])[] = [
  [0x02, "1234567890-=", "!@#$%^&*()_+"],
  [0x10, "qwertyuiop[]", "QWERTYUIOP{}"],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"],
  [0x39, " ", " "],
];

export const Scan = {
  Escape: 0x01,
  Backspace: 0x0e,
  Tab: 0x0f,
  Enter: 0x1c,
  Control: 0x1d,
  LeftShift: 0x2a,
  RightShift: 0x36,
  Alt: 0x38,
  CapsLock: 0x3a,
  F1: 0x3b,
  NumLock: 0x45,
  ScrollLock: 0x46,
  Home: 0x47,
  Up: 0x48,
  PageUp: 0x49,
  KeypadMinus: 0x4a,
  Left: 0x4b,
  Right: 0x4d,
  KeypadPlus: 0x4e,
  End: 0x4f,
  Down: 0x50,
  PageDown: 0x51,
  Insert: 0x52,
  Delete: 0x53,
  F11: 0x57,
  F12: 0x58,
  /** Before the codes of the keys that the AT's keyboard did not have. */
  Extended: 0xe0,
  /** In codes of keys that are released. */
  Break: 0x80,
} as const;

interface Character {
  readonly scan: number;
  readonly shift: boolean;
}

const BY_CHARACTER = new Map<string, Character>();
const PLAIN = new Map<number, number>();
const SHIFTED = new Map<number, number>();
for (const [first, plain, shifted] of ROWS) {
  for (let index = 0; index < plain.length; index++) {
    const scan = first + index;
    PLAIN.set(scan, plain.charCodeAt(index));
    SHIFTED.set(scan, shifted.charCodeAt(index));
    BY_CHARACTER.set(shifted[index], { scan, shift: true });
    BY_CHARACTER.set(plain[index], { scan, shift: false });
  }
}
for (const [scan, ascii] of [
  [Scan.Escape, 0x1b],
  [Scan.Backspace, 0x08],
  [Scan.Enter, 0x0d],
  [Scan.KeypadMinus, 0x2d],
  [Scan.KeypadPlus, 0x2b],
] as const) {
  PLAIN.set(scan, ascii);
  SHIFTED.set(scan, ascii);
}
PLAIN.set(Scan.Tab, 0x09);

/** Where a character is on the keyboard. */
export function keyOf(character: string): Character | undefined {
  return BY_CHARACTER.get(character);
}

export interface Modifiers {
  readonly shift: boolean;
  readonly control: boolean;
  readonly alt: boolean;
  readonly capsLock: boolean;
}

const F_KEYS = 10;

/** What a pressed key puts into the buffer; undefined for keys that put nothing there. */
export function keyStroke(scan: number, modifiers: Modifiers): KeyStroke | undefined {
  const { shift, control, alt } = modifiers;
  const plain = PLAIN.get(scan);
  if (scan >= Scan.F1 && scan < Scan.F1 + F_KEYS) {
    const offset = alt ? 0x68 - Scan.F1 : control ? 0x5e - Scan.F1 : shift ? 0x54 - Scan.F1 : 0;
    return { scan: scan + offset, ascii: 0 };
  }
  if (scan === Scan.F11 || scan === Scan.F12) {
    const base = alt ? 0x8b : control ? 0x89 : shift ? 0x87 : 0x85;
    return { scan: base + scan - Scan.F11, ascii: 0 };
  }
  if (plain === undefined) return scan >= Scan.Home && scan <= Scan.Delete ? { scan, ascii: 0 } : undefined;
  if (alt) return { scan: isDigit(plain) ? scan + 0x76 : scan, ascii: 0 };
  if (control) {
    const ascii = controlCode(plain);
    return ascii === undefined ? undefined : { scan, ascii };
  }
  if (scan === Scan.Tab) return { scan, ascii: shift ? 0 : 0x09 };
  const isLetter = plain >= 0x61 && plain <= 0x7a;
  const isShifted = shift !== (isLetter && modifiers.capsLock);
  return { scan, ascii: (isShifted ? SHIFTED.get(scan) : plain) ?? plain };
}

const isDigit = (character: number): boolean => character >= 0x30 && character <= 0x39;

function controlCode(plain: number): number | undefined {
  if (plain >= 0x61 && plain <= 0x7a) return plain - 0x60;
  switch (plain) {
    case 0x5b: // [ \ ]
    case 0x5c:
    case 0x5d:
      return plain - 0x40;
    case 0x2d: // Ctrl-_
      return 0x1f;
    case 0x0d:
      return 0x0a;
    case 0x08:
      return 0x7f;
    case 0x20:
      return 0x20;
    case 0x1b:
      return 0x1b;
    default:
      return undefined;
  }
}
