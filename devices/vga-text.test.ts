import { describe, expect, it } from "vitest";
import { VgaText } from "./vga-text.ts";

const TEXT = 0xb8000;
const CRTC = 0x14;

function machine() {
  const ram = new Uint8Array(0x100000);
  const vga = new VgaText({
    size: ram.length,
    read: (address, length) => ram.subarray(address, address + length),
    write: () => false,
  });
  const put = (row: number, column: number, text: string, columns = 80) => {
    for (const [index, code] of [...Buffer.from(text, "latin1")].entries()) {
      ram[TEXT + (row * columns + column + index) * 2] = code;
      ram[TEXT + (row * columns + column + index) * 2 + 1] = 0x07;
    }
  };
  const crtc = (index: number, value: number) => {
    vga.writePort(CRTC, 1, index);
    vga.writePort(CRTC + 1, 1, value);
  };
  return { ram, vga, put, crtc };
}

describe("the VGA's text screen", () => {
  it("shows 80 × 25 characters of code page 437", () => {
    const { vga, put } = machine();
    put(0, 0, "hello");
    put(24, 75, "\xc9\xcd\xbb");
    const { rows, columns, cursor } = vga.screen();
    expect([rows.length, columns, rows[0], rows[1], rows[24]]).toEqual([
      25,
      80,
      "hello",
      "",
      `${" ".repeat(75)}╔═╗`,
    ]);
    expect(cursor).toEqual({ row: 0, column: 0 });
  });

  it("scrolls by the start address, and puts the cursor where the registers say", () => {
    const { vga, put, crtc } = machine();
    put(3, 0, "fourth");
    crtc(0x0d, 3 * 80);
    crtc(0x0f, 5 * 80 + 7 - 256);
    crtc(0x0e, 1);
    expect(vga.screen().rows[0]).toBe("fourth");
    expect(vga.screen().cursor).toEqual({ row: 2, column: 7 });
    crtc(0x0a, 0x20);
    expect(vga.screen().cursor).toBeUndefined();
  });

  it("protects the timing registers when told to", () => {
    const { vga, crtc } = machine();
    crtc(0x01, 39);
    expect(vga.screen().columns).toBe(80);
    crtc(0x11, 0x0e);
    crtc(0x01, 39);
    expect(vga.screen().columns).toBe(40);
  });

  it("keeps what is written to registers that a console probes", () => {
    const { vga } = machine();
    vga.writePort(0x08, 1, 1); // DAC, colour 1
    for (const value of [0x11, 0x22, 0x33]) vga.writePort(0x09, 1, value);
    vga.writePort(0x07, 1, 1);
    expect([0, 0, 0].map(() => vga.readPort(0x09, 1))).toEqual([0x11, 0x22, 0x33]);
    vga.readPort(0x1a, 1); // the attribute port takes an index next
    vga.writePort(0x00, 1, 0x10);
    vga.writePort(0x00, 1, 0x0c);
    vga.readPort(0x1a, 1);
    vga.writePort(0x00, 1, 0x10);
    expect(vga.readPort(0x01, 1)).toBe(0x0c);
    expect(vga.readPort(0x1a, 1)).not.toBe(vga.readPort(0x1a, 1)); // the beam moves
  });

  it("survives any value at any port, and a save", () => {
    const { vga, put } = machine();
    put(0, 0, "kept");
    for (let offset = 0; offset < 0x20; offset++)
      for (let value = 0; value < 256; value++) {
        vga.writePort(offset, 1, value);
        expect(vga.readPort(offset, 1)).toBeLessThan(256);
        vga.screen();
      }
    const saved = vga.save();
    const other = machine().vga;
    other.restore(saved);
    expect(other.save()).toEqual(saved);
  });
});
