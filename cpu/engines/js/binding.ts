/** What the decoded record of an instruction says of its operands: constants, and which registers they are. */

import type { EncodedField, RegisterRef } from "../../ir/value.ts";
import { SEGMENT_BASE_ZERO, ZERO_SLOT } from "../../state.ts";
import {
  RECORD_ABSOLUTE,
  RECORD_BASE,
  RECORD_DISPLACEMENT,
  RECORD_IMMEDIATE,
  RECORD_INDEX,
  RECORD_SCALE,
  RECORD_SEGMENT,
  RECORD_SLOT2,
  SLOT_BYTES,
} from "../interp/record.ts";

export class Binding {
  constructor(private readonly record: DataView) {}

  /** The number of a register. */
  number(register: RegisterRef): number {
    return "fixed" in register ? register.fixed : this.record.getUint8(SLOT_BYTES[register.slot]);
  }

  /** A general register; `high` for AH … BH. */
  gpr(register: RegisterRef): { index: number; high: boolean } {
    if ("fixed" in register) return { index: register.fixed, high: register.high === true };
    const offset = this.record.getUint8(SLOT_BYTES[register.slot]);
    return { index: offset >> 3, high: (offset & 7) === 1 };
  }

  /** The register that an address uses as base or index, or undefined if it uses none. */
  addressRegister(field: "base" | "index"): number | undefined {
    const offset = this.record.getUint8(field === "base" ? RECORD_BASE : RECORD_INDEX);
    return offset === ZERO_SLOT ? undefined : offset >> 3;
  }

  /** State offset of the segment's base, or undefined if it is 0. */
  segmentBase(): number | undefined {
    const offset = this.record.getUint8(RECORD_SEGMENT);
    return offset === SEGMENT_BASE_ZERO ? undefined : offset;
  }

  constant(field: Exclude<EncodedField, "base" | "index" | "segmentBase" | "second">): bigint {
    switch (field) {
      case "immediate":
        return this.record.getBigInt64(RECORD_IMMEDIATE, true);
      case "absolute":
        return this.record.getBigInt64(RECORD_ABSOLUTE, true);
      case "displacement":
        return BigInt(this.record.getInt32(RECORD_DISPLACEMENT, true));
      case "scale":
        return BigInt(this.record.getUint8(RECORD_SCALE));
      default:
        throw new Error(`${field} belongs to paired records`);
    }
  }

  /** ENTER's level. */
  second(): number {
    return this.record.getUint8(RECORD_SLOT2);
  }
}
