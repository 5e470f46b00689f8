import { beforeAll, describe, expect, it } from "vitest";
import { Machine } from "../testing/machine.ts";

let machine: Machine;
beforeAll(() => {
  machine = new Machine();
}, 120_000);

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (index: number) => Buffer.from(machine.xmm(index)).toString("hex");
/** ModRM of xmm0, xmm1. */
const BOTH = 0xc1;

describe("AES", () => {
  // FIPS 197, appendix C.1.
  const KEY = "000102030405060708090a0b0c0d0e0f";
  const PLAIN = "00112233445566778899aabbccddeeff";
  const CIPHER = "69c4e0d86a7b0430d8cdb78070b4c55a";
  const ROUND_CONSTANTS = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36];

  /** FIPS 197, 5.2, with AESKEYGENASSIST for the last word of each round key. */
  function expandKey(): Uint8Array[] {
    const keys = [bytes(KEY)];
    for (const constant of ROUND_CONSTANTS) {
      const previous = keys[keys.length - 1];
      machine.xmm(1).set(previous);
      machine.run([0x66, 0x0f, 0x3a, 0xdf, BOTH, constant]);
      const next = previous.slice();
      for (let at = 0; at < 16; at++) next[at] ^= at < 4 ? machine.xmm(0)[12 + at] : next[at - 4];
      keys.push(next);
    }
    return keys;
  }

  const round = (opcode: number, key: Uint8Array) => {
    machine.xmm(1).set(key);
    machine.run([0x66, 0x0f, 0x38, opcode, BOTH]);
  };
  const whiten = (text: string, key: Uint8Array) => {
    machine.xmm(0).set(bytes(text).map((byte, at) => byte ^ key[at]));
  };

  it("encrypts and decrypts the example of the standard", () => {
    const keys = expandKey();
    whiten(PLAIN, keys[0]);
    for (const key of keys.slice(1, 10)) round(0xdc, key);
    round(0xdd, keys[10]);
    expect(hex(0)).toBe(CIPHER);

    whiten(CIPHER, keys[10]);
    for (const key of keys.slice(1, 10).reverse()) {
      machine.xmm(1).set(key);
      machine.run([0x66, 0x0f, 0x38, 0xdb, 0xc9]); // aesimc xmm1, xmm1
      round(0xde, machine.xmm(1).slice());
    }
    round(0xdf, keys[0]);
    expect(hex(0)).toBe(PLAIN);
  });
});

describe("PCLMULQDQ", () => {
  /** A vector as the manuals print it, highest byte first. */
  const vector = (text: string) => bytes(text).reverse();

  it("multiplies the example of Intel's white paper, each half with each", () => {
    // S. Gueron, M. Kounavis: Intel Carry-Less Multiplication Instruction and its Usage for Computing the GCM Mode.
    const product = (immediate: number) => {
      machine.xmm(0).set(vector("7b5b54657374566563746f725d53475d"));
      machine.xmm(1).set(vector("48692853686179295b477565726f6e5d"));
      machine.run([0x66, 0x0f, 0x3a, 0x44, BOTH, immediate]);
      return Buffer.from(machine.xmm(0)).reverse().toString("hex");
    };
    expect(product(0x00)).toBe("1d4d84c85c3440c0929633d5d36f0451");
    expect(product(0x01)).toBe("1a2bf6db3a30862fbabf262df4b7d5c9");
    expect(product(0x10)).toBe("1bd17c8d556ab5a17fa540ac2a281315");
    expect(product(0x11)).toBe("1d1e1f2c592e7c45d66ee03e410fd4ed");
  });
});

describe("SHA", () => {
  /** A vector of dwords, highest first as the manuals print them. */
  const dwords = (...values: number[]) => {
    const view = new DataView(new ArrayBuffer(16));
    values.forEach((value, place) => {
      view.setUint32(12 - 4 * place, value, true);
    });
    return new Uint8Array(view.buffer);
  };
  const read = (index: number) => {
    const view = new DataView(machine.xmm(index).buffer, machine.xmm(index).byteOffset, 16);
    return [3, 2, 1, 0].map((lane) =>
      view
        .getUint32(4 * lane, true)
        .toString(16)
        .padStart(8, "0"),
    );
  };

  it("makes the first rounds of SHA-256 of “abc”", () => {
    // FIPS 180-2, appendix B.1: a…h after t = 0 and 1, W0 = 61626380, W1 = 0.
    machine.xmm(0).set(dwords(0, 0, (0x71374491 + 0) >>> 0, (0x428a2f98 + 0x61626380) >>> 0));
    machine.xmm(1).set(dwords(0x3c6ef372, 0xa54ff53a, 0x1f83d9ab, 0x5be0cd19)); // C D G H
    machine.xmm(2).set(dwords(0x6a09e667, 0xbb67ae85, 0x510e527f, 0x9b05688c)); // A B E F
    machine.run([0x0f, 0x38, 0xcb, 0xca]); // sha256rnds2 xmm1, xmm2
    expect(read(1)).toEqual(["5a6ad9ad", "5d6aebcd", "78ce7989", "fa2a4622"]);
  });

  it("makes the first rounds of SHA-1 of “abc”", () => {
    // FIPS 180-2, appendix A.1: a…e after t = 3.
    machine.xmm(0).set(dwords(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476));
    machine.xmm(1).set(dwords((0x61626380 + 0xc3d2e1f0) >>> 0, 0, 0, 0));
    machine.run([0x0f, 0x3a, 0xcc, BOTH, 0]); // sha1rnds4 xmm0, xmm1, 0
    expect(read(0)).toEqual(["cdd8e11b", "a1390f08", "626414db", "c045bf0c"]);
  });
});
