/**
 * Memory operands larger than a vector (FXSAVE, FNSAVE …), which helpers move. The definition checks first that all of
 * the area is there, so that a fault is raised like that of any other access and the helper cannot fail.
 */

import type { Builder } from "../ir/builder.ts";
import type { Value } from "../ir/value.ts";

/**
 * Faults now if the area cannot be read. It reaches into two pages at most: its first field and its last byte stand for
 * all. The first field counts as a whole: if it ends beyond the canonical addresses, that is #GP, not #PF.
 */
export function requireReadable(b: Builder, address: Value, bytes: number, firstField: "u16" | "u32"): void {
  b.load(address, firstField);
  b.load(b.add(address, b.const64(bytes - 1)), "u8");
}

/** Faults now if the area cannot be written. As {@link requireReadable}. */
export function requireWritable(b: Builder, address: Value, bytes: number, firstField: "u16" | "u32"): void {
  b.probeWrite(address, firstField === "u16" ? 2 : 4);
  b.probeWrite(b.add(address, b.const64(bytes - 1)), 1);
}
