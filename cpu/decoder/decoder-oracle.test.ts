import { existsSync, readFileSync } from "node:fs";
import * as iced from "iced-x86";
import { describe, expect, it } from "vitest";
import { type CodeSize, DecodeResult } from "./decoder.ts";
import type { Instruction, OpcodeRow } from "./instruction.ts";
import { operandBits } from "./operands.ts";
import { ROWS } from "./rows.ts";
import { Comparison, UNIMPLEMENTED_FEATURES } from "./testing/iced-oracle.ts";

/** Room for one instruction and what the decoders may look at behind it. */
const SLOT = 64;

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Rows of 64-bit mode. */
const ROWS_64 = ROWS.filter((row) => row.mode !== "not64");

/** A comparison of many encodings, each in a slot of its own. */
function decoding(encodings: readonly number[][], codeSize: CodeSize = 64): Comparison {
  const bytes = new Uint8Array((encodings.length + 1) * SLOT);
  for (const [i, encoding] of encodings.entries()) bytes.set(encoding, i * SLOT);
  const comparison = new Comparison(codeSize);
  comparison.bytes = bytes;
  return comparison;
}

/** Compares many encodings with iced. @returns up to ten differences, each with its bytes */
function differences(
  encodings: readonly number[][],
  seen?: (comparison: Comparison) => void,
  codeSize: CodeSize = 64,
): string[] {
  const comparison = decoding(encodings, codeSize);
  const found: string[] = [];
  for (let i = 0; i < encodings.length && found.length < 10; i++) {
    const difference = comparison.compare(i * SLOT);
    if (difference) found.push(`${hexOf(Uint8Array.from(encodings[i]))}: ${difference}`);
    seen?.(comparison);
  }
  return found;
}

/** A xorshift generator: tests are the same every time. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Legacy prefixes and REX before a legacy-encoded instruction. */
const PREFIX_CLASSES: readonly (readonly number[])[] = [
  "",
  "66",
  "f2",
  "f3",
  "f0",
  "67",
  "64",
  "65",
  "2e",
  "40",
  "41",
  "42",
  "44",
  "48",
  "4f",
  "66 48",
  "48 66",
  "f0 66",
  "f0 f3",
  "66 f3",
  "f3 66",
  "f2 f3",
  "f3 f2",
  "66 f2 48",
  "67 66 41",
  "f0 4f",
  "64 67 f2",
  "66 66",
  "66 67",
].map((hex) => hex.split(" ").flatMap((digits) => (digits === "" ? [] : [Number.parseInt(digits, 16)])));

/** ModRM forms as mod, rm and the bytes behind them: each mod with each rm, and SIB with special bases and indices. */
function modrmForms(): { mod: number; rm: number; tail: number[] }[] {
  const displacements = [[], [0xfe], [0x78, 0x56, 0x34, 0x92]];
  const forms = [];
  for (let rm = 0; rm < 8; rm++) {
    forms.push({ mod: 3, rm, tail: [] });
    if (rm === 4) continue;
    for (let mod = 0; mod < 3; mod++)
      forms.push({ mod, rm, tail: rm === 5 && mod === 0 ? displacements[2] : displacements[mod] });
  }
  for (const sib of [0x00, 0x24, 0x64, 0x25, 0x65, 0x6d, 0xcb, 0xa5, 0xfc]) {
    for (let mod = 0; mod < 3; mod++) {
      forms.push({
        mod,
        rm: 4,
        tail: [sib, ...((sib & 7) === 5 && mod === 0 ? displacements[2] : displacements[mod])],
      });
    }
  }
  return forms;
}

const MODRM_FORMS = modrmForms();
/** Few of them for each prefix class: a register, [rbp+disp8], [rip], SIB with disp32. */
const FEW_FORMS = MODRM_FORMS.filter(
  ({ mod, rm, tail }) =>
    (mod === 3 && rm === 1) ||
    (mod === 1 && rm === 5) ||
    (mod === 0 && rm === 5) ||
    (mod === 2 && tail[0] === 0xcb),
);
const REGISTERS = [0, 1, 2, 3, 4, 5, 6, 7];
const IMMEDIATE = [0x85, 0x96, 0xa7, 0xb8, 0xc9, 0xda, 0xeb, 0xfc];
const PREFIX_BYTES = { np: [], "66": [0x66], f3: [0xf3], f2: [0xf2] } as const;
const MAP_BYTES = { legacy: [], "0f": [0x0f], "0f38": [0x0f, 0x38], "0f3a": [0x0f, 0x3a] } as const;

/** ModRM and what follows it in all forms that the row allows, or nothing for rows without ModRM. */
function operandBytes(row: OpcodeRow, forms: typeof MODRM_FORMS): number[][] {
  if (!row.hasModrm) return [[]];
  if (row.rm !== undefined) return [[0xc0 | ((row.extension ?? 0) << 3) | row.rm]];
  return forms.flatMap(({ mod, rm, tail }, i) => {
    if (row.mod !== undefined && (mod === 3) !== (row.mod === "reg")) return [];
    const turn = (i * 3 + row.id) & 7;
    const all = forms === MODRM_FORMS ? REGISTERS : [0, turn];
    const regs = row.extension !== undefined ? [row.extension] : i === 0 ? all : [turn];
    return regs.map((reg) => [(mod << 6) | (reg << 3) | rm, ...tail]);
  });
}

function legacyEncodings(row: OpcodeRow): number[][] {
  const mandatory = row.prefix === undefined ? [] : PREFIX_BYTES[row.prefix];
  const wide = row.rexW === 1 ? [0x48] : [];
  const range = row.operands.some((operand) => operand.source === "opcode") ? [0, 3, 7] : [0];
  const encodings: number[][] = [];
  const add = (prefixes: readonly number[], opcode: number, operand: readonly number[]) =>
    encodings.push([...mandatory, ...prefixes, ...MAP_BYTES[row.map], opcode, ...operand, ...IMMEDIATE]);
  for (const low of range) {
    for (const operand of operandBytes(row, FEW_FORMS)) {
      for (const prefixes of PREFIX_CLASSES) {
        add(prefixes, row.opcode + low, operand);
        if (wide.length > 0) add([...prefixes, ...wide], row.opcode + low, operand);
      }
    }
  }
  for (const operand of operandBytes(row, MODRM_FORMS)) {
    add(wide, row.opcode, operand);
    add([wide.length > 0 ? 0x4f : 0x47], row.opcode, operand);
  }
  return encodings;
}

function vexEncodings(row: OpcodeRow): number[][] {
  const map = { legacy: 0, "0f": 1, "0f38": 2, "0f3a": 3 }[row.map];
  const pp = { np: 0, "66": 1, f3: 2, f2: 3 }[row.prefix ?? "np"];
  const encodings: number[][] = [];
  /** @param rxb inverted, as it is encoded */
  const add = (
    prefixes: readonly number[],
    rxb: number,
    vvvv: number,
    w: number,
    l: number,
    operand: readonly number[],
  ) => {
    const last = ((~vvvv & 15) << 3) | (l << 2) | pp;
    encodings.push([
      ...prefixes,
      0xc4,
      (rxb << 5) | map,
      (w << 7) | last,
      row.opcode,
      ...operand,
      ...IMMEDIATE,
    ]);
    if (map === 1 && w === 0 && (rxb & 3) === 3) {
      encodings.push([...prefixes, 0xc5, ((rxb & 4) << 5) | last, row.opcode, ...operand, ...IMMEDIATE]);
    }
  };
  const { w = 0, l = 0 } = row.vex ?? {};
  for (const operand of operandBytes(row, FEW_FORMS)) {
    for (const prefixes of PREFIX_CLASSES) if (prefixes.length < 2) add(prefixes, 7, 0, w, l, operand);
    for (const vvvv of [0, 2, 5, 13, 15])
      for (let bits = 0; bits < 4; bits++) add([], 7, vvvv, bits >> 1, bits & 1, operand);
    for (let rxb = 0; rxb < 8; rxb++) add([], rxb, row.operands.length > 2 ? 9 : 0, w, l, operand);
  }
  for (const operand of operandBytes(row, MODRM_FORMS))
    for (const vvvv of [0, 7]) add([], 7, vvvv, w, l, operand);
  return encodings;
}

const encodingsOf = (row: OpcodeRow): number[][] => (row.vex ? vexEncodings(row) : legacyEncodings(row));

describe("against iced-x86", () => {
  const rowsSeen = new Set<number>();
  const codesSeen = new Set<iced.Code>();

  it.each(["legacy", "0f", "0f38", "0f3a"] as const)(
    "decodes every row of map %s in every form alike",
    (map) => {
      const encodings = ROWS_64.filter((row) => row.map === map).flatMap(encodingsOf);
      const found = differences(encodings, ({ decoded, oracle }) => {
        rowsSeen.add(decoded.row.id);
        codesSeen.add(oracle.instruction.code);
      });
      expect(found).toEqual([]);
    },
  );

  it("reaches every row", () => {
    expect(ROWS_64.filter((row) => !rowsSeen.has(row.id)).map((row) => row.mnemonic)).toEqual([]);
  });

  it("has a row for every instruction of the features that are implemented", () => {
    const missing: string[] = [];
    for (const [name, code] of Object.entries(iced.Code)) {
      if (typeof code !== "number" || codesSeen.has(code)) continue;
      const info = iced.CodeExt.opCode(code);
      const wanted =
        info.mode64 && info.intelDecoder64 && info.decoderOption === 0 && info.isInstruction && !info.fwait;
      const legacyOrVex =
        info.encoding === iced.EncodingKind.Legacy || info.encoding === iced.EncodingKind.VEX;
      if (wanted && legacyOrVex && !isUnimplemented(code)) missing.push(name);
      info.free();
    }
    expect(missing).toEqual([]);
  });

  it("agrees on 200,000 random byte strings", () => {
    const random = randomNumbers(0x2545f491);
    const encodings = Array.from({ length: 200_000 }, () => randomBytes(random));
    expect(differences(encodings)).toEqual([]);
  });
});

describe.each([16, 32] as const)("%i-bit code, against iced-x86", (codeSize) => {
  const rowsSeen = new Set<number>();
  const codesSeen = new Set<iced.Code>();
  const rows = ROWS.filter((row) => row.mode !== "only64");

  it.each(["legacy", "0f", "0f38", "0f3a"] as const)(
    "decodes every row of map %s in every form alike",
    (map) => {
      const encodings = rows.filter((row) => row.map === map).flatMap(encodingsOf);
      const note = ({ decoded, oracle }: Comparison) => {
        rowsSeen.add(decoded.row.id);
        codesSeen.add(oracle.instruction.code);
      };
      expect(differences(encodings, note, codeSize)).toEqual([]);
    },
  );

  it("reaches every row that does not take REX.W", () => {
    const missed = rows.filter((row) => !rowsSeen.has(row.id) && row.rexW !== 1 && row.vex?.w !== 1);
    expect(missed.map((row) => row.mnemonic)).toEqual([]);
  });

  it("has a row for every instruction of the features that are implemented", () => {
    const missing: string[] = [];
    for (const [name, code] of Object.entries(iced.Code)) {
      if (typeof code !== "number" || codesSeen.has(code)) continue;
      const info = iced.CodeExt.opCode(code);
      const decodes = codeSize === 16 ? info.intelDecoder16 : info.intelDecoder32;
      // AMD's SYSCALL, and POP CS of the 8086.
      // Gathers take a SIB byte, so 67 in 16-bit code; not all of their forms come with it.
      const isForeign =
        /^(Syscall|Sysret|Popw_CS)/.test(name) || (codeSize === 16 && name.includes("gather"));
      const wanted = decodes && !isForeign && info.decoderOption === 0 && info.isInstruction && !info.fwait;
      const legacyOrVex =
        info.encoding === iced.EncodingKind.Legacy || info.encoding === iced.EncodingKind.VEX;
      if (wanted && legacyOrVex && !isUnimplemented(code)) missing.push(name);
      info.free();
    }
    expect(missing).toEqual([]);
  });

  it("agrees on 100,000 random byte strings", () => {
    const random = randomNumbers(0x1545f491 + codeSize);
    const encodings = Array.from({ length: 100_000 }, () => randomBytes(random));
    expect(differences(encodings, undefined, codeSize)).toEqual([]);
  });
});

const FEATURE_NAMES = new Map(Object.entries(iced.CpuidFeature).map(([name, value]) => [value, name]));

function isUnimplemented(code: iced.Code): boolean {
  const instruction = new iced.Instruction();
  instruction.code = code;
  const features = [...instruction.cpuidFeatures()].map((feature) => FEATURE_NAMES.get(feature) ?? "");
  instruction.free();
  return features.some((feature) => UNIMPLEMENTED_FEATURES.has(feature));
}

/** Random bytes; of every other string the beginning is a likely one: prefixes, an escape, VEX. */
function randomBytes(random: () => number): number[] {
  const bytes = Array.from({ length: 20 }, () => random() & 255);
  const kind = random() & 15;
  if (kind >= 8) return bytes;
  const prefixes = Array.from({ length: random() & 3 }, () => PREFIX_CLASSES[1 + (random() % 14)][0]);
  const opening = [
    [],
    [0x0f],
    [0x0f],
    [0x0f, 0x38],
    [0x0f, 0x3a],
    [0xc5],
    [0xc4, 0xe1 + (random() % 3)],
    [0x62],
  ][kind];
  return [...prefixes, ...opening, ...bytes];
}

describe("operands, against iced-x86", () => {
  const factory = new iced.InstructionInfoFactory();

  it("are read and written alike", () => {
    const found = new Set<string>();
    forEachRow(({ decoded, oracle }) => {
      const { mnemonic, operands } = decoded.row;
      // XOR of a register with itself is a case of its own for iced.
      const isSame = decoded.rmIsRegister && decoded.reg === decoded.rm;
      if (decoded.rep || decoded.repne || isSame || mnemonic in ACCESS_DIFFERS) return;
      const info = factory.info(oracle.instruction);
      for (const [i, spec] of operands.entries()) {
        const theirs = i < oracle.instruction.opCount ? info.opAccess(i) : iced.OpAccess.None;
        if (theirs === iced.OpAccess.None || theirs === iced.OpAccess.NoMemAccess) continue;
        const isMemory = spec.class === "mem" || (spec.source === "rm" && !decoded.rmIsRegister);
        // iced counts an XMM register as read whose other half stays; we give the size of the half that is written.
        const isPart = !isMemory && spec.class.startsWith("xmm") && operandBits(spec, decoded) < 128;
        // A register that may stay as it is has to be read.
        const isKept = theirs === iced.OpAccess.CondWrite && !isMemory;
        const access = `${READS.has(theirs) || isKept ? "r" : ""}${WRITES.has(theirs) ? "w" : ""}`;
        const ours = spec.access ?? "r";
        if (access !== ours && !(isPart && ours === "w" && access === "rw")) {
          found.add(`${mnemonic} operand ${i}: ${ours} for ${access} (${oracle.codeName})`);
        }
      }
      info.free();
    });
    expect([...found]).toEqual([]);
  });

  it("have memory operands of the same size", () => {
    const found = new Set<string>();
    forEachRow(({ decoded, oracle }) => {
      if (decoded.row.mnemonic === "nop") return; // nothing is accessed
      const size = iced.MemorySizeExt.size(oracle.instruction.memorySize) * 8;
      for (const spec of decoded.row.operands) {
        if (spec.class !== "mem" && (spec.source !== "rm" || decoded.rmIsRegister)) continue;
        const bits = operandBits(spec, decoded);
        if (bits !== 0 && size !== 0 && bits !== size) {
          found.add(`${decoded.row.mnemonic}: ${bits} for ${size} bits (${oracle.codeName})`);
        }
      }
    });
    expect([...found]).toEqual([]);
  });

  /** Every row in some of its encodings. */
  function forEachRow(visit: (comparison: Comparison) => void): void {
    const encodings = ROWS_64.flatMap((row) => sample(encodingsOf(row), 24));
    const comparison = decoding(encodings);
    for (let i = 0; i < encodings.length; i++) {
      comparison.decode(i * SLOT);
      if (comparison.isValid && comparison.decoded.row.mnemonic !== "evex") visit(comparison);
    }
  }
});

/** So many of the encodings, evenly spread. */
function sample(encodings: readonly number[][], count: number): number[][] {
  const step = Math.max(1, Math.floor(encodings.length / count) | 1);
  return encodings.filter((_, i) => i % step === 0);
}

const READS = new Set([
  iced.OpAccess.Read,
  iced.OpAccess.CondRead,
  iced.OpAccess.ReadWrite,
  iced.OpAccess.ReadCondWrite,
]);
const WRITES = new Set([
  iced.OpAccess.Write,
  iced.OpAccess.CondWrite,
  iced.OpAccess.ReadWrite,
  iced.OpAccess.ReadCondWrite,
]);

/** Where iced's account of an instruction's operands is not ours, and why. */
const ACCESS_DIFFERS: Readonly<Record<string, string>> = {
  movss: "iced does not tell the load, which clears the rest of the register, from the move",
  movsd: "as movss",
  maskmovq: "iced has the implied memory operand as the first one",
  maskmovdqu: "as maskmovq",
  vmaskmovdqu: "as maskmovq",
};

/** Real programs: those of Node and npm are always there. */
const PROGRAMS = [
  process.execPath,
  "node_modules/@esbuild/linux-x64/bin/esbuild",
  "/bin/busybox",
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
];
/** Enough of each to meet all there is to meet, in a second. */
const MOST_CODE = 3 << 20;

describe("real programs, against iced-x86", () => {
  it.each(PROGRAMS.filter(existsSync))("decodes the code of %s alike", (path) => {
    const code = textSection(readFileSync(path)).subarray(0, MOST_CODE);
    const comparison = new Comparison();
    comparison.bytes = code;
    const { decoded, oracle } = comparison;
    const seen = new Set<number>();
    const found: string[] = [];
    for (let at = 0; at < code.length - SLOT && found.length < 10; ) {
      const result = comparison.decode(at);
      const ok = result === DecodeResult.Ok;
      // Operands are compared once for each form of each instruction; validity and length every time.
      const form = ok ? formOf(decoded) : -1;
      if (!ok || !seen.has(form) || decoded.length !== oracle.instruction.length) {
        seen.add(form);
        const difference = comparison.compare(at);
        if (difference) found.push(`${hexOf(code.subarray(at, at + 15))}: ${difference}`);
      }
      at += Math.max(oracle.instruction.length, 1);
    }
    expect(found).toEqual([]);
    expect(seen.size).toBeGreaterThan(1000);
  });
});

function formOf({ row, operandSize, mod, reg, rm, base, index, scale, segment, rex }: Instruction): number {
  const registers = ((reg * 17 + rm) * 18 + base + 1) * 17 + index + 1;
  return (
    (((registers * 4 + scale) * 4 + mod) * 6 + segment) * 8192 +
    row.id * 4 +
    (operandSize >> 5) +
    (rex ? 2 ** 45 : 0)
  );
}

/** The .text section of a 64-bit ELF file. */
function textSection(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const headers = Number(view.getBigUint64(0x28, true));
  const section = (i: number) => headers + i * view.getUint16(0x3a, true);
  const names = Number(view.getBigUint64(section(view.getUint16(0x3e, true)) + 0x18, true));
  for (let i = 0; i < view.getUint16(0x3c, true); i++) {
    const name = names + view.getUint32(section(i), true);
    if (new TextDecoder("latin1").decode(file.subarray(name, name + 6)) !== ".text\0") continue;
    const start = Number(view.getBigUint64(section(i) + 0x18, true));
    return file.subarray(start, start + Number(view.getBigUint64(section(i) + 0x20, true)));
  }
  throw new Error("no .text");
}
