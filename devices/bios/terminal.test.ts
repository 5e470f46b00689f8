import { describe, expect, it } from "vitest";
import { keyStroke, Scan } from "./scan-codes.ts";
import { nextKey } from "./terminal-keys.ts";
import { NORMAL_ATTRIBUTE, TerminalScreen } from "./terminal-screen.ts";

const NONE = { shift: false, control: false, alt: false, capsLock: false };
const bytes = (text: string) => new TextEncoder().encode(text);

/** What INT 16h would return for what a terminal sends: the key that is pressed last, with the modifiers that are held. */
function stroke(text: string) {
  const held = new Set<number>();
  let result: { scan: number; ascii: number } | undefined;
  for (const code of nextKey(bytes(text)).codes) {
    if (code === Scan.Extended) continue;
    if ((code & Scan.Break) !== 0) held.delete(code & ~Scan.Break);
    else {
      held.add(code);
      const modifiers = {
        ...NONE,
        shift: held.has(Scan.LeftShift),
        control: held.has(Scan.Control),
        alt: held.has(Scan.Alt),
      };
      result = keyStroke(code, modifiers) ?? result;
    }
  }
  expect(held.size).toBe(0);
  return result;
}

describe("keys of a terminal", () => {
  it("give every printable character of ASCII back", () => {
    for (let code = 0x20; code < 0x7f; code++) expect(stroke(String.fromCharCode(code))?.ascii).toBe(code);
  });

  it("give control characters, Enter, Backspace, Tab and Escape", () => {
    for (const code of [1, 3, 26, 9, 13, 27]) expect(stroke(String.fromCharCode(code))?.ascii).toBe(code);
    expect(stroke("\x7f")?.ascii).toBe(8);
    expect(stroke("\n")?.ascii).toBe(13);
  });

  it("give arrows and function keys by their scan codes", () => {
    for (const [text, scan] of [
      ["\x1b[A", 0x48],
      ["\x1bOB", 0x50],
      ["\x1b[3~", 0x53],
      ["\x1bOP", 0x3b],
      ["\x1b[15~", 0x3f],
      ["\x1b[24~", 0x86],
    ] as const) {
      expect(stroke(text)).toEqual({ scan, ascii: 0 });
      expect(nextKey(bytes(text)).length).toBe(text.length);
    }
    expect(stroke("\x1bx")).toEqual({ scan: 0x2d, ascii: 0 }); // Alt-X
  });

  it("are taken one at a time, whatever the bytes are", () => {
    for (let byte = 0; byte < 256; byte++)
      expect(nextKey(new Uint8Array([byte, 0x5b, byte])).length).toBeGreaterThan(0);
  });
});

describe("the BIOS's screen on a terminal", () => {
  const create = () => {
    let output = "";
    const screen = new TerminalScreen((text) => {
      output += text;
    }, 80);
    return { screen, output: () => output };
  };

  it("leaves printed lines plain", () => {
    const { screen, output } = create();
    for (const [index, letter] of [..."one"].entries())
      screen.put(0, index, letter.charCodeAt(0), NORMAL_ATTRIBUTE);
    screen.moveTo(1, 0);
    for (const [index, letter] of [..."two"].entries())
      screen.put(1, index, letter.charCodeAt(0), NORMAL_ATTRIBUTE);
    expect(output()).toBe("one\r\ntwo");
  });

  it("moves by relative motions, and shows colours and line drawing", () => {
    const { screen, output } = create();
    screen.put(5, 10, 0xc9, 0x1e);
    screen.put(3, 10, 0x41, NORMAL_ATTRIBUTE);
    expect(output()).toBe("\x1b[5B\x1b[11G\x1b[0;1;33;44m╔\x1b[2A\b\x1b[0mA");
  });
});
