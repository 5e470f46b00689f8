/**
 * Instructions with a VEX prefix outside of 64-bit mode. Silicon has judged their 64-bit forms (test/fuzz): here every row
 * does in compatibility mode, in 32-bit and in 16-bit code, what it does there.
 */

import { describe, expect, it } from "vitest";
import type { OpcodeRow } from "../decoder/instruction.ts";
import { isLeftOut } from "../decoder/lookup.ts";
import { ROWS } from "../decoder/rows.ts";
import { vectorLengths } from "../engines/interp/forms.ts";
import { IMPLEMENTED_FEATURES } from "../model.ts";
import { GPR, MXCSR, Segment, XMM, XMM_STRIDE } from "../state.ts";
import { REAL_CODE, SystemMachine } from "./testing/system-machine.ts";

const CODE = 0x8000;
const DATA = 0xa000;
const DATA_BYTES = 1024;
/** The address of the memory operand, which has a displacement of one byte. */
const OPERAND = DATA + 256;
const DISPLACEMENT = 0x40;
const HLT = 0xf4;
const MAP = { legacy: 0, "0f": 1, "0f38": 2, "0f3a": 3 } as const;
const PREFIX = { np: 0, "66": 1, f3: 2, f2: 3 } as const;

const LONG = { selector: 0x18, rights: 0x00a09b00 } as const;
const COMPATIBILITY = { selector: 0x50, rights: 0x00c09b00 } as const;
const COMPATIBILITY_16 = { selector: 0x58, rights: 0x00809b00 } as const;
type Mode = typeof LONG | typeof COMPATIBILITY | typeof COMPATIBILITY_16;

/** [EBX + disp8]; gathers: [EBX + XMM5 × 2 + disp8]; [BX + disp8], in 16-bit code without a prefix; a register. */
type Addressing = "wide" | "narrow" | "short" | "register";

/** Operands: 1 in ModRM.reg, 2 in ModRM.rm, 3 in VEX.vvvv, 4 in the immediate. */
function encode(row: OpcodeRow, l: number, w: number, addressing: Addressing): number[] {
  const uses = (source: string) => row.operands.some((operand) => operand.source === source);
  const vvvv = uses("vvvv") ? 3 : 0;
  const last = (w << 7) | ((~vvvv & 15) << 3) | (l << 2) | PREFIX[row.prefix ?? "np"];
  const opcode = [0xc4, 0xe0 | MAP[row.map], last, row.opcode];
  const prefix = addressing === "narrow" ? [0x67] : [];
  const modrm: number[] = [];
  if (row.hasModrm) {
    const reg = (row.extension ?? 1) << 3;
    if (addressing === "register") modrm.push(0xc0 | reg | (row.rm ?? 2));
    else if (row.vsib !== undefined) modrm.push(0x44 | reg, 0x6b, DISPLACEMENT);
    else modrm.push(0x40 | reg | (addressing === "wide" ? 3 : 7), DISPLACEMENT);
  }
  const immediate = uses("is4") ? [0x42] : uses("imm") ? [0x1b] : [];
  return [...prefix, ...opcode, ...modrm, ...immediate];
}

let machine: SystemMachine | undefined;
/** Anything: page tables and selectors are set up by hand. */
const NO_IMAGE = new Uint8Array(4096);

/** Executes one instruction in a mode. @returns what it leaves, as text; or the vector of its exception */
function execute(code: readonly number[], mode: Mode): string {
  machine ??= new SystemMachine();
  const { cpu, system, processor } = machine;
  cpu.ram.fill(0, 0, 0x20000);
  machine.loadLong(NO_IMAGE);
  system.cr4 |= 0x40000;
  system.xcr0 = 7;
  const flat = { base: 0, limit: 0xffffffff };
  for (const segment of [Segment.ES, Segment.SS, Segment.DS])
    system.setSegment(segment, { ...flat, selector: 0x10, rights: 0x00c09300 });
  system.setSegment(Segment.CS, { ...flat, ...mode });
  system.updateMode();
  cpu.rflags = 2;
  for (let register = 0; register < 16; register++) {
    // Small numbers in the registers that index; positive and negative single- and double-precision numbers elsewhere.
    for (let dword = 0; dword < 8; dword++) {
      const number =
        0x3f800000 + ((register * 8 + dword) * 0x01234567 + 0x5a5a5a5a) * (dword % 2 === 0 ? 1 : 3);
      const value = register === 5 ? (dword % 2 === 0 ? 16 * dword : 0) : number;
      cpu.setI32(XMM + register * XMM_STRIDE + 4 * dword, value | 0);
    }
  }
  for (let register = 0; register < 8; register++) {
    cpu.setNumber(GPR + 8 * register, (0x12345678 * (register + 1)) % 0x7fffffff);
  }
  cpu.setNumber(GPR + 8 * 0, 12);
  cpu.setNumber(GPR + 8 * 2, 9);
  cpu.setNumber(GPR + 8 * 3, OPERAND);
  cpu.setNumber(GPR + 8 * 4, 0x9000);
  cpu.setNumber(GPR + 8 * 7, OPERAND + 128);
  cpu.setI32(MXCSR, 0x1f80);
  for (let at = 0; at < DATA_BYTES; at++) cpu.ram[DATA + at] = (at * 73 + (at >> 3) * 11 + 7) & 0xff;
  cpu.ram.set([0x80, 0x1f, 0, 0], OPERAND + DISPLACEMENT); // what VLDMXCSR takes
  cpu.ram.set([...code, HLT], CODE);
  processor.engine.invalidatePhysical(0, 0x20000);
  cpu.rip = CODE;
  let exception = "";
  processor.onEvent = ({ vector }) => {
    exception ||= `exception ${vector}`;
    processor.endSlice();
  };
  processor.run(2);
  if (exception !== "") return exception;
  expect([system.halted, cpu.rip]).toEqual([true, CODE + code.length + 1]);
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  const registers = [...Array(8).keys()].map((register) => (cpu.gpr(register) >>> 0).toString(16));
  return [
    registers.join(),
    `flags ${cpu.rflags.toString(16)} mxcsr ${cpu.getI32(MXCSR).toString(16)}`,
    ...[...Array(8).keys()].map((register) => hex(cpu.stateBytes(XMM + register * XMM_STRIDE, 32))),
    hex(cpu.ram.subarray(DATA, DATA + DATA_BYTES)),
  ].join("\n");
}

const rows = ROWS.filter(
  (row) => row.vex !== undefined && IMPLEMENTED_FEATURES.has(row.feature ?? "") && !isLeftOut(row, false),
);
/** Rows of instructions that move general registers ignore VEX.W outside of 64-bit mode: as if it were clear. */
const hasGeneral = (row: OpcodeRow) => row.operands.some(({ class: kind }) => kind.startsWith("gpr"));

function addressingsOf(row: OpcodeRow): Addressing[] {
  if (!row.hasModrm || row.mod === "reg") return ["register"];
  const memory: Addressing[] = row.vsib === undefined ? ["wide", "narrow", "short"] : ["wide"];
  const isRegisterToo = row.mod !== "mem" && row.operands.some(({ source }) => source === "rm");
  return isRegisterToo ? ["register", ...memory] : memory;
}

describe("instructions with a VEX prefix, in compatibility mode", () => {
  it("do what they do in 64-bit mode", () => {
    const differences: string[] = [];
    let count = 0;
    for (const row of rows) {
      for (const l of vectorLengths(row))
        for (const w of row.vex?.w === undefined ? [0, 1] : [row.vex.w])
          for (const addressing of addressingsOf(row)) {
            const code = encode(row, l, w, addressing);
            const longCode = encode(
              row,
              l,
              hasGeneral(row) ? 0 : w,
              addressing === "register" ? "register" : "wide",
            );
            const mode = addressing === "short" ? COMPATIBILITY_16 : COMPATIBILITY;
            const [here, there] = [execute(code, mode), execute(longCode, LONG)];
            count++;
            if (here !== there || here.startsWith("exception"))
              differences.push(`${row.mnemonic} L${l} W${w} ${addressing}: ${here}\n${there}`);
          }
    }
    expect(differences.slice(0, 5)).toEqual([]);
    expect(count).toBeGreaterThan(rows.length);
  });

  it("ignore the uppermost bit of a register number in the immediate", () => {
    const rowsWithRegister = rows.filter((row) => row.operands.some(({ source }) => source === "is4"));
    expect(rowsWithRegister.length).toBeGreaterThan(0);
    for (const row of rowsWithRegister) {
      const code = encode(row, 0, 0, "register");
      const other = [...code.slice(0, -1), 0xc2];
      expect(execute(other, COMPATIBILITY), row.mnemonic).toBe(execute(code, COMPATIBILITY));
    }
  });

  it("are undefined in real mode, where their first bytes are those of LES and LDS", () => {
    for (const [code, isUndefined] of [
      ["c5 f8 58 c1", true], // vaddps xmm0, xmm0, xmm1
      ["c4 e2 60 f2 ca", true], // andn ecx, ebx, edx
      ["c5 16 00 06", false], // lds dx, [0x600]
      ["c4 1e 00 06", false], // les bx, [0x600]
    ] as const) {
      const real = new SystemMachine();
      real.loadReal(`${code} f4`);
      real.setHandler(6, "b0 55 e6 e9 f4"); // mov al, 'U'; out 0xe9, al; hlt
      real.run(20);
      expect([code, real.output.startsWith("U")]).toEqual([code, isUndefined]);
      expect(real.cpu.rip).toBe(isUndefined ? 0x600 + 6 * 16 + 5 : REAL_CODE + 5);
    }
  });
});
