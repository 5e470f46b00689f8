/**
 * Memory operands larger than a vector (FXSAVE, FNSAVE …), which helpers move. The definition checks first that all of
 * the area is there, so that a fault is raised like that of any other access and the helper cannot fail.
 */

import type { Builder } from "../ir/builder.ts";
import { MEMORY_BYTES, type Value } from "../ir/value.ts";

/**
 * A field to be checked: offset and size. An area reaches into two pages at most, so two fields stand for all of it; the
 * processor tells by their order which page it faults for.
 */
export type AreaField = readonly [offset: number, size: "u8" | "u16" | "u32" | "u64"];

/** Faults now if the fields cannot be read. */
export function requireReadable(b: Builder, address: Value, fields: readonly AreaField[]): void {
  for (const [offset, size] of fields) b.load(b.add(address, b.const64(offset)), size);
}

/** Faults now if the fields cannot be written. */
export function requireWritable(b: Builder, address: Value, fields: readonly AreaField[]): void {
  for (const [offset, size] of fields) {
    b.probeWrite(b.add(address, b.const64(offset)), MEMORY_BYTES[size]);
  }
}
