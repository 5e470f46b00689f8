/**
 * The other direction of the decoder: bytes of one instruction from an opcode row and the values of its fields.
 * Intel SDM vol. 2, 2.1 to 2.3.
 */

import type { OpcodeRow } from "../../cpu/decoder/instruction.ts";

/** The memory operand of {@link Fields}. Effective address = base + (index << scale) + displacement. */
export interface MemoryFields {
  /** 0…15, {@link NO_BASE}, or {@link RIP_BASE}: then `displacement` holds the *address* meant. */
  base: number;
  /** 0…15 but 4, or -1; in gathers a vector register. */
  index: number;
  /** 0…3 */
  scale: number;
  /** Signed 32 bits. */
  displacement: number;
  /** Encodes the displacement in this many bytes, where that is possible. */
  displacementBytes: 0 | 1 | 4;
}

export const NO_BASE = -1;
export const RIP_BASE = 16;

export interface Fields {
  row: OpcodeRow;
  operandSize: 16 | 32 | 64;
  addressSize: 32 | 64;
  /** REX.W or VEX.W. */
  rexW: boolean;
  /** A REX prefix also if no bit of it is needed: SPL…DIL instead of AH…BH. */
  rex: boolean;
  /** ModRM.reg, unless the row has an extension. */
  reg: number;
  /** ModRM.rm if it names a register. */
  rm: number;
  rmIsRegister: boolean;
  memory: MemoryFields;
  /** For rows whose opcode holds a register. */
  opcodeRegister: number;
  /** Immediate, branch displacement or absolute address, two words. */
  immediateLow: number;
  immediateHigh: number;
  immediate2: number;
  /** VEX: the register in VEX.vvvv, VEX.L, and whether to make do with two bytes of prefix where that is possible. */
  vvvv: number;
  vexL: 0 | 1;
  shortVex: boolean;
  /** Legacy prefixes in order, without the mandatory one. */
  readonly prefixes: number[];
  /** A REX prefix in front of the legacy prefixes, which makes it void; 0 for none. */
  voidRex: number;
}

export function createFields(row: OpcodeRow): Fields {
  return {
    row,
    operandSize: 32,
    addressSize: 64,
    rexW: false,
    rex: false,
    reg: 0,
    rm: 0,
    rmIsRegister: true,
    memory: { base: NO_BASE, index: -1, scale: 0, displacement: 0, displacementBytes: 4 },
    opcodeRegister: 0,
    immediateLow: 0,
    immediateHigh: 0,
    immediate2: 0,
    vvvv: 0,
    vexL: 0,
    shortVex: true,
    prefixes: [],
    voidRex: 0,
  };
}

/** VEX.pp */
const PP = { np: 0, "66": 1, f3: 2, f2: 3 } as const;
const MANDATORY = { "66": 0x66, f2: 0xf2, f3: 0xf3 } as const;

/** Code under construction for a fixed address. */
export class CodeBuffer {
  readonly bytes = new Uint8Array(1024);
  length = 0;
  /** Address of the first byte. */
  origin = 0;

  get address(): number {
    return this.origin + this.length;
  }

  reset(origin: number): void {
    this.origin = origin;
    this.length = 0;
  }

  contents(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  byte(value: number): void {
    this.bytes[this.length++] = value;
  }

  /** The low `count` bytes of a two-word value. */
  value(low: number, high: number, count: number): void {
    for (let index = 0; index < count; index++) {
      this.byte(index < 4 ? low >>> (8 * index) : high >>> (8 * (index - 4)));
    }
  }

  patch(at: number, value: number, count: number): void {
    for (let index = 0; index < count; index++) this.bytes[at + index] = value >>> (8 * index);
  }

  /** Appends one instruction. */
  instruction(fields: Fields): void {
    const { row, memory } = fields;
    if (fields.voidRex !== 0) this.byte(fields.voidRex);
    for (const prefix of fields.prefixes) this.byte(prefix);
    if (row.vex !== undefined) this.vexPrefix(fields);
    else this.legacyPrefixes(fields);
    this.byte(row.opcode | (fields.opcodeRegister & 7));

    const reg = row.extension ?? fields.reg;
    let ripDisplacement = -1;
    if (row.hasModrm) {
      if (fields.rmIsRegister) this.byte(0xc0 | ((reg & 7) << 3) | (fields.rm & 7));
      else ripDisplacement = this.memoryOperand(memory, reg & 7);
    }
    this.immediates(fields);
    if (ripDisplacement >= 0) this.patch(ripDisplacement, memory.displacement - this.address, 4);
  }

  /** The upper bits of register numbers, as in a REX prefix. */
  private registerExtensions(fields: Fields): number {
    const { row, memory } = fields;
    if (!row.hasModrm) return (fields.opcodeRegister & 8) >> 3;
    let bits = ((row.extension ?? fields.reg) & 8) >> 1;
    if (fields.rmIsRegister) bits |= (fields.rm & 8) >> 3;
    else {
      if (memory.index >= 0) bits |= (memory.index & 8) >> 2;
      if (memory.base >= 0 && memory.base < 16) bits |= (memory.base & 8) >> 3;
    }
    return bits;
  }

  /** C5 RvvvvLpp or C4 RXBmmmmm WvvvvLpp, with R, X, B and vvvv inverted. */
  private vexPrefix(fields: Fields): void {
    const { row } = fields;
    const extensions = this.registerExtensions(fields);
    const last = ((~fields.vvvv & 15) << 3) | (fields.vexL << 2) | PP[row.prefix ?? "np"];
    if (fields.shortVex && row.map === "0f" && !fields.rexW && (extensions & 3) === 0) {
      this.byte(0xc5);
      this.byte(last | ((extensions & 4) !== 0 ? 0 : 0x80));
      return;
    }
    this.byte(0xc4);
    this.byte(((~extensions & 7) << 5) | (row.map === "0f" ? 1 : row.map === "0f38" ? 2 : 3));
    this.byte(last | (fields.rexW ? 0x80 : 0));
  }

  private legacyPrefixes(fields: Fields): void {
    const { row } = fields;
    if (row.prefix !== undefined && row.prefix !== "np") this.byte(MANDATORY[row.prefix]);

    const rex = (fields.rexW ? 8 : 0) | this.registerExtensions(fields);
    if (rex !== 0 || fields.rex) this.byte(0x40 | rex);

    if (row.map !== "legacy") this.byte(0x0f);
    if (row.map === "0f38") this.byte(0x38);
    if (row.map === "0f3a") this.byte(0x3a);
  }

  /** ModRM, SIB and displacement. @returns where a RIP-relative displacement is to be filled in, or -1 */
  private memoryOperand(memory: MemoryFields, reg: number): number {
    const { base, index, displacement } = memory;
    if (base === RIP_BASE) {
      this.byte((reg << 3) | 5);
      this.length += 4;
      return this.length - 4;
    }
    if (base === NO_BASE) {
      this.byte((reg << 3) | 4);
      this.byte((memory.scale << 6) | ((index >= 0 ? index & 7 : 4) << 3) | 5);
      this.value(displacement, 0, 4);
      return -1;
    }
    // Base RBP or R13 needs a displacement, base RSP or R12 a SIB byte.
    let bytes: number = memory.displacementBytes;
    if (bytes === 0 && (displacement !== 0 || (base & 7) === 5)) bytes = 1;
    if (bytes === 1 && displacement !== (displacement << 24) >> 24) bytes = 4;
    const mod = bytes === 0 ? 0x00 : bytes === 1 ? 0x40 : 0x80;
    if (index >= 0 || (base & 7) === 4) {
      this.byte(mod | (reg << 3) | 4);
      this.byte((memory.scale << 6) | ((index >= 0 ? index & 7 : 4) << 3) | (base & 7));
    } else {
      this.byte(mod | (reg << 3) | (base & 7));
    }
    this.value(displacement, 0, bytes);
    return -1;
  }

  private immediates(fields: Fields): void {
    for (const operand of fields.row.operands) {
      switch (operand.source) {
        case "imm":
        case "rel":
          this.value(
            fields.immediateLow,
            fields.immediateHigh,
            immediateBytes(operand.size, fields.operandSize),
          );
          break;
        case "moffs":
          this.value(fields.immediateLow, fields.immediateHigh, fields.addressSize / 8);
          break;
        case "imm2":
        case "is4":
          this.byte(fields.immediate2);
          break;
      }
    }
  }
}

export function immediateBytes(size: string, operandSize: number): number {
  switch (size) {
    case "b":
      return 1;
    case "w":
      return 2;
    case "z":
      return operandSize === 16 ? 2 : 4;
    case "v":
      return operandSize / 8;
    default:
      throw new Error(`no immediate has size ${size}`);
  }
}
