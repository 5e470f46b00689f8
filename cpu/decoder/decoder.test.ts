import { describe, expect, it } from "vitest";
import { createInstruction, DecodeResult, Decoder } from "./decoder.ts";
import { BASE_RIP, type Instruction, NO_REGISTER } from "./instruction.ts";
import { ROWS, rowsByMnemonic } from "./rows.ts";

/** Room for one instruction and what the decoders may look at behind it. */
const SLOT = 64;

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}

/** Decodes hexadecimal digits, followed by NOPs. */
function decode(hex: string): { result: DecodeResult; out: Instruction } {
  const bytes = new Uint8Array(SLOT).fill(0x90);
  bytes.set(bytesOf(hex));
  const out = createInstruction();
  return { result: new Decoder().decode(bytes, 0, bytes.length, out), out };
}

/** The mnemonic, or why there is none. */
function mnemonicOf(hex: string): string {
  const { result, out } = decode(hex);
  if (result === DecodeResult.Ok) return out.row.mnemonic;
  return result === DecodeResult.Invalid ? "#UD" : "#GP";
}

describe("prefixes", () => {
  it("take effect in any order and any number", () => {
    for (const hex of ["66 64 f0 01 08", "f0 66 64 01 08", "64 64 66 f0 66 01 08"]) {
      const { out } = decode(hex);
      expect([out.row.mnemonic, out.operandSize, out.segment, out.lock], hex).toEqual(["add", 16, 4, true]);
    }
  });

  it("lose a REX that is not directly before the opcode", () => {
    expect(decode("48 66 01 c8").out.operandSize).toBe(16);
    expect(decode("66 48 01 c8").out.operandSize).toBe(64);
    expect(decode("4f 40 01 c8").out).toMatchObject({ operandSize: 32, reg: 1, rm: 0 });
  });

  it("select by the last of F2 and F3, before 66", () => {
    expect(mnemonicOf("f2 f3 0f 10 c1")).toBe("movss");
    expect(mnemonicOf("f3 f2 0f 10 c1")).toBe("movsd");
    expect(mnemonicOf("f2 66 0f 10 c1")).toBe("movsd");
    expect(mnemonicOf("66 0f 10 c1")).toBe("movupd");
    expect(mnemonicOf("0f 10 c1")).toBe("movups");
    expect(mnemonicOf("f3 0f 14 c1")).toBe("#UD");
  });

  it("repeat only instructions for which they are not mandatory", () => {
    expect(decode("f3 a4").out).toMatchObject({ rep: true, repne: false });
    expect(decode("f2 a6").out).toMatchObject({ rep: false, repne: true });
    expect(decode("f3 f2 ae").out).toMatchObject({ rep: false, repne: true });
    expect(decode("f3 0f b8 c1").out).toMatchObject({ rep: false, repne: false });
  });

  it("lock only what writes to memory and may be locked", () => {
    expect(mnemonicOf("f0 01 08")).toBe("add");
    expect(mnemonicOf("f0 01 c8")).toBe("#UD");
    expect(mnemonicOf("f0 03 08")).toBe("#UD");
    expect(mnemonicOf("f0 39 08")).toBe("#UD");
    expect(mnemonicOf("f0 0f ba 20 01")).toBe("#UD");
    expect(mnemonicOf("f0 0f ba 28 01")).toBe("bts");
    expect(mnemonicOf("f0 90")).toBe("#UD");
  });

  it("override segments only with FS and GS", () => {
    expect(decode("8b 00").out.segment).toBe(3);
    expect(decode("8b 04 24").out.segment).toBe(2);
    expect(decode("8b 45 00").out.segment).toBe(2);
    expect(decode("2e 8b 00").out.segment).toBe(3);
    expect(decode("64 65 8b 00").out.segment).toBe(5);
    expect(decode("64 3e 8b 00").out.segment).toBe(4);
  });

  it("make no VEX instruction behind REX, LOCK, 66, F2 or F3", () => {
    expect(mnemonicOf("c5 f8 77")).toBe("vzeroupper");
    for (const prefix of ["40", "f0", "66", "f2", "f3"])
      expect(mnemonicOf(`${prefix} c5 f8 77`), prefix).toBe("#UD");
    for (const prefix of ["64", "67", "2e", "40 64"])
      expect(mnemonicOf(`${prefix} c5 f8 77`)).toBe("vzeroupper");
  });
});

describe("operand and address sizes", () => {
  it("default to 32 and 64 bits", () => {
    expect(decode("01 08").out).toMatchObject({ operandSize: 32, addressSize: 64 });
    expect(decode("67 01 08").out).toMatchObject({ operandSize: 32, addressSize: 32 });
  });

  it("are 64 bits for the stack unless 66 says 16", () => {
    expect(decode("50").out.operandSize).toBe(64);
    expect(decode("66 50").out.operandSize).toBe(16);
    expect(decode("6a ff").out).toMatchObject({ operandSize: 64, immediateLow: -1, immediateHigh: -1 });
  });

  it("ignore 66 before near branches", () => {
    expect(decode("66 e8 01 02 03 04").out).toMatchObject({
      operandSize: 64,
      length: 6,
      immediateLow: 0x04030201,
    });
    expect(decode("66 74 05").out).toMatchObject({ operandSize: 64, length: 3 });
  });

  it("let only MOV to a register have a 64-bit immediate", () => {
    expect(decode("48 b8 88 77 66 55 44 33 22 91").out).toMatchObject({
      length: 10,
      immediateLow: 0x55667788,
      immediateHigh: 0x91223344 | 0,
    });
    expect(decode("48 c7 c0 ff ff ff ff").out).toMatchObject({
      length: 7,
      immediateLow: -1,
      immediateHigh: -1,
    });
    expect(decode("48 05 00 00 00 80").out).toMatchObject({ immediateLow: -0x80000000, immediateHigh: -1 });
  });

  it("extend immediates with zeros where nothing is to be extended", () => {
    expect(decode("cd 80").out).toMatchObject({ immediateLow: 0x80, immediateHigh: 0 });
    expect(decode("0f c6 c1 ff").out).toMatchObject({ immediateLow: 0xff, immediateHigh: 0 });
    expect(decode("c2 00 80").out.immediateLow).toBe(0x8000);
  });
});

describe("memory operands", () => {
  it("have RIP as base without SIB only", () => {
    expect(decode("8b 05 fc ff ff ff").out).toMatchObject({
      base: BASE_RIP,
      displacement: -4,
      index: NO_REGISTER,
    });
    expect(decode("41 8b 05 00 00 00 00").out.base).toBe(BASE_RIP);
    expect(decode("8b 04 25 00 10 00 00").out).toMatchObject({
      base: NO_REGISTER,
      index: NO_REGISTER,
      displacement: 0x1000,
    });
  });

  it("have R12 and R13 as bases, with the escapes of RSP and RBP", () => {
    expect(decode("41 8b 04 24").out).toMatchObject({ base: 12, index: NO_REGISTER, segment: 3 });
    expect(decode("41 8b 45 80").out).toMatchObject({ base: 13, displacement: -128, segment: 3 });
    expect(decode("42 8b 04 20").out).toMatchObject({ base: 0, index: 12, scale: 0 });
    expect(decode("8b 04 20").out).toMatchObject({ base: 0, index: NO_REGISTER });
  });

  it("keep nothing of the instruction before", () => {
    const decoder = new Decoder();
    const out = createInstruction();
    const bytes = new Uint8Array(SLOT);
    bytes.set(bytesOf("f0 64 67 42 01 84 a8 78 56 34 12 00 c3"));
    decoder.decode(bytes, 0, SLOT, out);
    decoder.decode(bytes, 12, SLOT, out);
    expect(out).toMatchObject({
      lock: false,
      segment: 3,
      addressSize: 64,
      rex: false,
      index: NO_REGISTER,
      displacement: 0,
    });
  });
});

describe("invalid and long instructions", () => {
  it("do not exist in 64-bit mode", () => {
    for (const hex of ["06", "27", "60", "62 00", "82 c0 01", "9a", "c4 00", "ce", "d4 0a", "d6", "ea"]) {
      expect(mnemonicOf(hex), hex).toBe("#UD");
    }
  });

  it("name registers that do not exist", () => {
    for (const hex of ["8e c8", "8c f0", "8e f8", "0f 20 c8", "44 0f 20 c8", "44 0f 21 c0"]) {
      expect(mnemonicOf(hex), hex).toBe("#UD");
    }
    expect(mnemonicOf("44 0f 20 c0")).toBe("mov");
  });

  it("raise #GP over 15 bytes", () => {
    expect(decode(`${"66".repeat(14)}90`).out.length).toBe(15);
    expect(mnemonicOf(`${"66".repeat(15)}90`)).toBe("#GP");
    expect(mnemonicOf(`${"2e".repeat(10)}48 81 00 01 00 00 00`)).toBe("#GP");
    expect(mnemonicOf("66".repeat(40))).toBe("#GP");
  });

  it("ask for more bytes at the limit, whatever lies behind it", () => {
    const decoder = new Decoder();
    const out = createInstruction();
    for (const hex of [
      "48 81 84 88 44 33 22 11 01 00 00 00",
      "c4 e2 79 18 05 00 00 00 00",
      "f2 0f 38 f0 00",
      "0f 0b",
      "e8 00 00 00 00",
    ]) {
      const code = bytesOf(hex);
      for (const filler of [0x00, 0xff]) {
        const bytes = new Uint8Array(SLOT).fill(filler);
        bytes.set(code, 8);
        for (let length = 0; length < code.length; length++) {
          expect(decoder.decode(bytes, 8, 8 + length, out), `${hex} / ${length}`).toBe(
            DecodeResult.NeedsMoreBytes,
          );
        }
        expect(decoder.decode(bytes, 8, 8 + code.length, out)).toBe(DecodeResult.Ok);
        expect(out.length).toBe(code.length);
      }
    }
  });

  it("are known to be invalid as soon as they are", () => {
    const out = createInstruction();
    expect(new Decoder().decode(Uint8Array.of(0x06), 0, 1, out)).toBe(DecodeResult.Invalid);
    expect(new Decoder().decode(new Uint8Array(15).fill(0x66), 0, 15, out)).toBe(DecodeResult.TooLong);
    expect(new Decoder().decode(new Uint8Array(14).fill(0x66), 0, 14, out)).toBe(DecodeResult.NeedsMoreBytes);
  });
});

/** Rows of 64-bit mode. */
const ROWS_64 = ROWS.filter((row) => row.mode !== "not64");

describe("the tables", () => {
  it("have dense ids", () => {
    expect(ROWS.every((row, index) => row.id === index)).toBe(true);
    expect([...rowsByMnemonic().values()].flat().length).toBe(ROWS.length);
  });

  it("name a fallback where the encoding means something without the feature", () => {
    const fallbacks = ROWS.flatMap((row) =>
      row.fallback === undefined ? [] : [[row.mnemonic, ROWS[row.fallback].mnemonic]],
    );
    expect(fallbacks).toEqual([
      ["rdssp", "nop"],
      ["clflushopt", "clflush"],
      ["tzcnt", "bsf"],
      ["lzcnt", "bsr"],
      ["wbnoinvd", "wbinvd"],
    ]);
  });

  it("agree on ModRM within an opcode", () => {
    const hasModrm = new Map<string, boolean>();
    for (const row of ROWS_64) {
      const key = `${row.vex ? "vex" : ""} ${row.map} ${row.opcode}`;
      expect(hasModrm.get(key) ?? row.hasModrm, `${key} ${row.mnemonic}`).toBe(row.hasModrm);
      hasModrm.set(key, row.hasModrm);
    }
  });
});

describe("alignment", () => {
  it("is demanded by legacy SSE, except where it is not", () => {
    const unaligned = ROWS_64.filter(
      ({ operands, vex, mod, aligned }) =>
        !vex &&
        !aligned &&
        mod !== "reg" &&
        operands.some(({ source, size }) => source === "rm" && size === "dq"),
    );
    expect(new Set(unaligned.map((row) => row.mnemonic))).toEqual(
      new Set([
        "movups",
        "movupd",
        "movdqu",
        "lddqu",
        "invpcid",
        "pcmpestrm",
        "pcmpestri",
        "pcmpistrm",
        "pcmpistri",
      ]),
    );
  });

  it("is demanded by VEX instructions whose name says so", () => {
    const aligned = ROWS_64.filter((row) => row.vex && row.aligned).map((row) => row.mnemonic);
    expect(new Set(aligned)).toEqual(
      new Set(["vmovaps", "vmovapd", "vmovdqa", "vmovntps", "vmovntpd", "vmovntdq", "vmovntdqa"]),
    );
  });
});
