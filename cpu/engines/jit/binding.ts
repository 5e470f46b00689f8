/** The operands of one instruction, read from its decoded record. */

import type { Place, RegisterRef } from "../../ir/value.ts";
import { ZERO_SLOT } from "../../state.ts";
import {
  RECORD_BASE,
  RECORD_DISPLACEMENT,
  RECORD_INDEX,
  RECORD_SCALE,
  SLOT_BYTES,
} from "../interp/record.ts";
import { fieldBit, gprBit, highBit, xmmBit } from "./locals.ts";

/** The number of a register; general registers: {@link gprByte} / 8. */
export function registerNumber(record: DataView, register: RegisterRef): number {
  return "fixed" in register ? register.fixed : record.getUint8(SLOT_BYTES[register.slot]);
}

/** Byte offset of a general register among the general registers: AH…BH are one further. */
export function gprByte(record: DataView, register: RegisterRef): number {
  if ("fixed" in register) return register.fixed * 8 + (register.high === true ? 1 : 0);
  return record.getUint8(SLOT_BYTES[register.slot]);
}

/** The bit (locals.ts) of a place that is kept in a local. */
export function placeBit(record: DataView, place: Place): number {
  switch (place.kind) {
    case "gpr":
      return gprBit(gprByte(record, place.register) >> 3);
    case "xmm":
      return (place.part === "high" ? highBit : xmmBit)(registerNumber(record, place.register));
    case "field":
      return fieldBit(place.offset);
    case "mmx":
      throw new Error("MMX registers are not kept in locals");
  }
}

/** Number of the base or index register, or -1. */
export function addressRegister(record: DataView, which: "base" | "index"): number {
  const byte = record.getUint8(which === "base" ? RECORD_BASE : RECORD_INDEX);
  return byte === ZERO_SLOT ? -1 : byte >> 3;
}

export function addressScale(record: DataView): number {
  return record.getUint8(RECORD_SCALE);
}

export function addressDisplacement(record: DataView): number {
  return record.getInt32(RECORD_DISPLACEMENT, true);
}
